"""The instruments of bass and accompaniment.

`make(rng)` builds an instrument with a random timbre and returns its tone: a function of frequency
in Hz, duration in seconds and a random generator, which returns one mono note (T,). The note is
longer than the duration by the time it needs to die away.
"""

from dataclasses import dataclass
from typing import Callable, Dict, Tuple

import numpy as np

from .synthesis import envelope, fade, filtered, plucked_string, sawtooth, time_axis

Tone = Callable[[float, float, np.random.Generator], np.ndarray]
TWO_PI = 2 * np.pi


@dataclass(frozen=True)
class Instrument:
    """A kind of instrument and how it is used.

    Attributes:
        make: Builds a tone from a random generator.
        bottom: MIDI pitch from which its chords are built.
        rhythms: Rhythms that it may play, names from `accompaniment.RHYTHMS`.
        chorus: Probability of a chorus effect.
        echo: Probability of an echo.
        driven: Whether it is distorted and double tracked.
    """

    make: Callable[[np.random.Generator], Tone]
    bottom: int
    rhythms: Tuple[str, ...]
    chorus: float = 0.0
    echo: float = 0.0
    driven: bool = False


def _guitar(darkest: float, brightest: float, damping: float, pick: float):
    """A kind of guitar; the cutoff of its plucks is between two frequencies in Hz."""

    def make(rng: np.random.Generator) -> Tone:
        cutoff = rng.uniform(darkest, brightest)

        def tone(frequency, seconds, rng):
            signal = plucked_string(frequency, seconds + 0.15, rng, cutoff, damping, pick)
            return signal * envelope(time_axis(seconds + 0.15), seconds, 0.001, release=0.12)

        return tone

    return make


def _electric_piano(rng: np.random.Generator) -> Tone:
    """Frequency modulation with decreasing depth, and the tick of a tine."""
    depth = rng.uniform(1.0, 3.0)

    def tone(frequency, seconds, rng):
        t = time_axis(seconds + 0.25)
        angle = TWO_PI * frequency * t
        body = np.sin(angle + (depth * fade(t, 0.29) + 0.25) * np.sin(angle))
        tine = 0.25 * np.sin(14 * angle) * fade(t, 0.045) if frequency < 700 else 0.0
        return 0.7 * (body + tine) * envelope(t, seconds, 0.002, 0.2, decay=3.0, sustain=0.1)

    return tone


def _piano(rng: np.random.Generator) -> Tone:
    """Stretched partials, of which higher ones decay faster, and the noise of the hammer."""
    tilt = rng.uniform(0.7, 1.2)

    def tone(frequency, seconds, rng):
        t = time_axis(seconds + 0.3)
        signal = 0.02 * rng.standard_normal(t.size) * fade(t, 1 / 60)
        for k in range(1, int(min(24, 11000 / frequency)) + 1):
            partial = k * frequency * np.sqrt(1 + 4e-4 * k * k)
            level = np.sin(np.pi * k * 0.12) / k**tilt
            signal += (
                level
                * np.exp(-t * (0.5 + 0.35 * k + frequency / 400))
                * np.sin(TWO_PI * partial * t + k)
            )
        return 1.3 * signal * envelope(t, seconds, 0.002, release=0.2)

    return tone


def _organ(rng: np.random.Generator) -> Tone:
    """Seven drawbars with a common vibrato."""
    drawbars = rng.uniform(0.1, 1.0, 7)
    multiples = (0.5, 1, 1.5, 2, 3, 4, 6)

    def tone(frequency, seconds, rng):
        t = time_axis(seconds + 0.06)
        swaying = TWO_PI * frequency * (t + 0.0035 / 6.2 * np.sin(TWO_PI * 6.2 * t))
        signal = sum(level * np.sin(k * swaying) for level, k in zip(drawbars, multiples))
        return 0.35 * signal * envelope(t, seconds, 0.008, release=0.05)

    return tone


def _strings(rng: np.random.Generator) -> Tone:
    """Four detuned sawtooths with a slow attack and a low-pass filter: strings, or a pad."""
    cutoff, attack = rng.uniform(1000, 5000), rng.uniform(0.03, 0.3)

    def tone(frequency, seconds, rng):
        t = time_axis(seconds + 0.5)
        signal = np.zeros(t.size)
        for detune in (-0.11, -0.04, 0.05, 0.1):
            detuned = frequency * 2 ** (detune / 12)
            signal += sawtooth(detuned * t + rng.uniform(), detuned)
        return 0.3 * filtered(signal, "low", cutoff) * envelope(t, seconds, attack, 0.5)

    return tone


def _lead(rng: np.random.Generator) -> Tone:
    """A sawtooth or a pulse with delayed vibrato, in the range of the voice."""
    cutoff, width = rng.uniform(2000, 6000), rng.uniform(0.2, 0.5)
    is_pulse = rng.random() < 0.6

    def tone(frequency, seconds, rng):
        t = time_axis(seconds + 0.1)
        vibrato = 0.004 / (TWO_PI * 5.5) * np.minimum(t / 0.3, 1) * -np.cos(TWO_PI * 5.5 * t)
        phase = frequency * (t + vibrato)
        signal = sawtooth(phase, frequency)
        if is_pulse:
            signal = signal - sawtooth(phase + width, frequency)
        loudness = envelope(t, seconds, 0.01, 0.08, decay=0.3, sustain=0.7)
        return 0.5 * filtered(signal, "low", cutoff) * loudness

    return tone


def _brass(rng: np.random.Generator) -> Tone:
    """Harmonics that grow with loudness; higher ones enter later."""
    attack, edge = rng.uniform(0.03, 0.07), rng.uniform(0.2, 0.4)

    def tone(frequency, seconds, rng):
        t = time_axis(seconds + 0.1)
        loudness = envelope(t, seconds, attack, 0.08, decay=0.2, sustain=0.75)
        opening, angle = loudness**edge, TWO_PI * frequency * t
        level, signal = loudness, np.zeros(t.size)
        for k in range(1, int(min(36, 13000 / frequency)) + 1):
            level = level * opening
            signal += level / k * np.sin(k * angle)
        return 0.5 * signal

    return tone


def _bass_guitar(darkest: float, brightest: float):
    """A kind of electric bass; the cutoff of its plucks is between two frequencies in Hz."""

    def make(rng: np.random.Generator) -> Tone:
        cutoff = rng.uniform(darkest, brightest)

        def tone(frequency, seconds, rng):
            signal = plucked_string(frequency, seconds + 0.05, rng, cutoff, 5.0, 0.2)
            return signal * envelope(time_axis(seconds + 0.05), seconds, 0.003, release=0.05)

        return tone

    return make


def _synth_bass(rng: np.random.Generator) -> Tone:
    """Two sawtooths an octave apart, with a closing low-pass filter."""
    cutoff, closing = rng.uniform(700, 2500), rng.uniform(0.07, 0.25)

    def tone(frequency, seconds, rng):
        t = time_axis(seconds + 0.05)
        signal = 0.6 * sawtooth(frequency * t, frequency)
        signal += 0.4 * sawtooth(2.003 * frequency * t + 0.3, 2 * frequency)
        dark, bright = filtered(signal, "low", 180 + frequency), filtered(signal, "low", cutoff)
        mixed = dark + fade(t, closing) * (bright - dark)
        return mixed * envelope(t, seconds, 0.004, 0.04, decay=0.6, sustain=0.75)

    return tone


def _sub_bass(rng: np.random.Generator) -> Tone:
    """A distorted sine."""
    drive = rng.uniform(1.1, 3.0)

    def tone(frequency, seconds, rng):
        t = time_axis(seconds + 0.05)
        angle = TWO_PI * frequency * t
        signal = np.tanh(drive * np.sin(angle + 0.6 * fade(t, 1 / 12) * np.sin(2 * angle)))
        return signal * envelope(t, seconds, 0.006, 0.05, decay=0.8, sustain=0.8)

    return tone


#: Instruments for bass lines.
BASSES: Dict[str, Callable[[np.random.Generator], Tone]] = {
    "fingered": _bass_guitar(120, 400),
    "picked": _bass_guitar(400, 1000),
    "synth": _synth_bass,
    "sub": _sub_bass,
}

#: Instruments for the source "other".
INSTRUMENTS: Dict[str, Instrument] = {
    "acoustic guitar": Instrument(
        _guitar(1200, 4000, 1.0, 0.15), 50, ("strum", "busy strum", "arpeggio")
    ),
    "clean guitar": Instrument(
        _guitar(800, 2000, 0.8, 0.25),
        55,
        ("arpeggio", "fast arpeggio", "off-beats"),
        chorus=0.7,
        echo=0.6,
    ),
    "overdriven guitar": Instrument(
        _guitar(1000, 2000, 0.8, 0.15), 40, ("power eighths", "power chords"), driven=True
    ),
    "electric piano": Instrument(_electric_piano, 55, ("held", "comping"), chorus=0.7),
    "piano": Instrument(_piano, 52, ("comping", "arpeggio", "quarters")),
    "organ": Instrument(_organ, 55, ("held", "off-beats"), chorus=0.7),
    "strings": Instrument(_strings, 57, ("held",), chorus=0.7),
    "lead": Instrument(_lead, 67, ("counter-melody",), echo=0.6),
    "brass": Instrument(_brass, 60, ("comping",), echo=0.6),
}
