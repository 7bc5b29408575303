"""Synthetic drums: a kit with one stereo hit (2, T) per piece."""

from typing import Callable, Dict, NamedTuple, Sequence, Tuple

import numpy as np

from .effects import normalised, panned
from .synthesis import fade, filtered, time_axis

TWO_PI = 2 * np.pi


class _Piece(NamedTuple):
    """A piece of the kit: its synthesis, level and position (-1 left to 1 right)."""

    make: Callable[[np.random.Generator], np.ndarray]
    level: float
    place: float


def _noise(rng: np.random.Generator, t: np.ndarray, kind: str, cutoff) -> np.ndarray:
    return filtered(rng.standard_normal(t.size), kind, cutoff)


def _gliding_sine(t: np.ndarray, frequency: float, rise: float, glide: float) -> np.ndarray:
    """Phase in cycles of a sine that starts `rise` Hz above `frequency` and glides down."""
    return frequency * t + rise * glide * (1 - fade(t, glide))


def _kick(rng: np.random.Generator, longest: float) -> np.ndarray:
    t = time_axis(0.5)
    phase = _gliding_sine(t, rng.uniform(42, 62), rng.uniform(60, 180), 1 / rng.uniform(25, 60))
    body = np.sin(TWO_PI * phase) * fade(t, rng.uniform(0.5, 1.0) * longest)
    click = _noise(rng, t, "band", (1500, 6000)) * fade(t, 0.004)
    return np.tanh(1.5 * body) + rng.uniform(0.2, 0.9) * click


def _snare(rng: np.random.Generator) -> np.ndarray:
    t = time_axis(0.45)
    angle, bend = TWO_PI * rng.uniform(160, 240) * t, 3 * fade(t, 1 / 60)
    modes = ((1.0, 1.0, 0.09), (0.6, 1.58, 0.07), (0.35, 2.24, 0.05), (0.25, 2.92, 0.04))
    skin = sum(a * np.sin(ratio * angle + bend) * fade(t, decay) for a, ratio, decay in modes)
    wires = _noise(rng, t, "band", (rng.uniform(700, 1800), 13000)) * fade(
        t, rng.uniform(0.05, 0.13)
    )
    stick = rng.standard_normal(t.size) * fade(t, 0.002)
    return 0.6 * skin + rng.uniform(0.8, 1.4) * wires + 0.5 * stick


def _clap(rng: np.random.Generator) -> np.ndarray:
    t = time_axis(0.3)
    hands = sum(np.where(t >= d, fade(t - d, 0.008), 0) for d in (0.0, 0.011, 0.023))
    room = np.where(t >= 0.03, fade(t - 0.03, 0.07), 0)
    return _noise(rng, t, "band", (900, 5000)) * (hands + room)


def _snare_with_clap(rng: np.random.Generator) -> np.ndarray:
    clap = _clap(rng)
    return 1.3 * clap + 0.5 * _snare(rng)[: clap.size]


def _tom(rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    t = time_axis(0.5)
    frequency = rng.uniform(low, high)
    angle = TWO_PI * _gliding_sine(t, frequency, 0.5 * frequency, 1 / 30)
    skin = (np.sin(angle) + 0.3 * np.sin(1.5 * angle)) * fade(t, 0.14)
    return skin + 0.3 * _noise(rng, t, "band", (300, 4000)) * fade(t, 0.02)


def _rim(rng: np.random.Generator) -> np.ndarray:
    return filtered(_tom(rng, 380, 420)[:4000], "band", (600, 4000))


def _metal(
    rng: np.random.Generator,
    decays: Tuple[float, float],
    n_partials: int,
    lowest: float,
    noise: float,
) -> np.ndarray:
    """Hi-hat or cymbal: many inharmonic partials, and noise that fades faster."""
    decay = rng.uniform(*decays)
    t = time_axis(min(2.2, 6 * decay))
    frequencies = np.exp(rng.uniform(np.log(lowest), np.log(15000), n_partials))
    levels = rng.rayleigh(1.0, n_partials) / np.sqrt(n_partials)
    phases = rng.uniform(0, TWO_PI, n_partials)
    ringing = np.zeros(t.size)
    for frequency, level, phase in zip(frequencies, levels, phases):
        ringing += level * np.sin(TWO_PI * frequency * t + phase)
    hiss = noise * _noise(rng, t, "high", lowest + 2000) * fade(t, 0.6 * decay)
    return (ringing * fade(t, decay) + hiss) * np.minimum(t / 0.002, 1)


def _shaker(rng: np.random.Generator) -> np.ndarray:
    return filtered(rng.standard_normal(3500), "high", 6000) * np.hanning(3500)


_PIECES: Dict[str, _Piece] = {
    "kick": _Piece(lambda rng: _kick(rng, 0.12), 1.0, 0.0),
    "snare": _Piece(_snare, 0.8, 0.05),
    "rim": _Piece(_rim, 0.5, 0.1),
    "hat": _Piece(lambda rng: _metal(rng, (0.02, 0.045), 60, 5000, 0.5), 0.22, 0.35),
    "open hat": _Piece(lambda rng: _metal(rng, (0.12, 0.25), 60, 5000, 0.5), 0.25, 0.35),
    "ride": _Piece(lambda rng: _metal(rng, (0.3, 0.45), 60, 2500, 0.4), 0.22, -0.45),
    "crash": _Piece(lambda rng: _metal(rng, (0.5, 0.7), 90, 700, 0.7), 0.42, -0.5),
    "low tom": _Piece(lambda rng: _tom(rng, 80, 100), 0.7, -0.5),
    "middle tom": _Piece(lambda rng: _tom(rng, 110, 140), 0.7, 0.0),
    "high tom": _Piece(lambda rng: _tom(rng, 150, 190), 0.7, 0.4),
    "shaker": _Piece(_shaker, 0.15, -0.3),
}
_ELECTRONIC_PIECES: Dict[str, _Piece] = {
    "kick": _Piece(lambda rng: _kick(rng, 0.25), 1.0, 0.0),
    "snare": _Piece(_snare_with_clap, 0.8, 0.0),
}


def make_kit(
    rng: np.random.Generator, electronic: bool, names: Sequence[str]
) -> Dict[str, np.ndarray]:
    """Synthesize the pieces of a kit that a song uses.

    The panorama is the drummer's or the audience's, at random.

    Args:
        rng: Source of randomness in sound and panorama.
        electronic: Use a longer kick, and a clap on the snare.
        names: Names of the pieces.

    Returns:
        One hit (2, T) per piece, by name.
    """
    side = rng.choice([-1.0, 1.0])
    pieces = {**_PIECES, **(_ELECTRONIC_PIECES if electronic else {})}
    return {
        name: panned(
            pieces[name].level * normalised(pieces[name].make(rng)), side * pieces[name].place
        )
        for name in names
    }
