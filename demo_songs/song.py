"""Render a song from a seed: four sources and their mixture as 16-bit audio.

All players share a plan (plan.py). Their notes come from bass.py, accompaniment.py, melody.py and
drum_patterns.py, their sounds from instruments.py, drum_kit.py and voice.py. This module adds
effects and mixes them.
"""

from typing import Dict, List, Sequence

import numpy as np

from .accompaniment import accompaniment
from .bass import bass_line
from .drum_kit import make_kit
from .drum_patterns import drum_hits
from .effects import (
    chorused,
    compressed,
    double_tracked,
    echoed,
    normalised,
    panned,
    reverberated,
    saturated,
)
from .gestures import Singer, draw_singer
from .instruments import BASSES, INSTRUMENTS, Instrument, Tone
from .melody import Syllable, harmony, sung_melody
from .plan import Note, Plan, draw_plan
from .synthesis import SAMPLE_RATE, filtered
from .theory import frequency_of
from .voice import sing

SOURCES = ("bass", "drums", "other", "vocals")
#: Incremented whenever the songs change, so that old ones are rendered again.
GENERATOR_VERSION = 3
FULL_SCALE = 32767


def render_song(seed: Sequence[int], seconds: float) -> Dict[str, np.ndarray]:
    """Render a song.

    Args:
        seed: Numbers that determine the song.
        seconds: Length of the song.

    Returns:
        int16 signals (2, T) at 44.1 kHz: one by the name of each source, and "mixture", which is
        exactly their sum.
    """
    plan_seed, mix_seed, *player_seeds = np.random.SeedSequence(seed).spawn(2 + len(_PLAYERS))
    plan = draw_plan(np.random.default_rng(plan_seed), seconds)
    sources = {
        name: player(plan, np.random.default_rng(player_seed))
        for (name, player), player_seed in zip(_PLAYERS.items(), player_seeds)
    }
    return _mixed(sources, np.random.default_rng(mix_seed))


def _add(buffer: np.ndarray, signal: np.ndarray, start: float) -> None:
    """Add a signal to a buffer (..., T), in place, at `start` seconds; parts outside are cut."""
    begin = int(round(start * SAMPLE_RATE))
    signal = signal[..., max(0, -begin) :]
    target = buffer[..., max(0, begin) :][..., : signal.shape[-1]]
    target += signal[..., : target.shape[-1]]


def _n_samples(plan: Plan) -> int:
    return int(plan.seconds * SAMPLE_RATE)


def _played(notes: List[Note], tone: Tone, plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Render notes on one instrument, (T,); equal notes are rendered once."""
    buffer = np.zeros(_n_samples(plan))
    sounds: Dict[tuple, np.ndarray] = {}
    for note in notes:
        key = (note.pitch, round(note.duration, 2))
        if key not in sounds:
            sounds[key] = tone(frequency_of(note.pitch), key[1], rng)
        _add(buffer, note.velocity * sounds[key], note.start)
    return buffer


def _drums(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """The drum kit with reverberation and microphone noise, (2, T)."""
    electronic = plan.drum_style == "four on the floor" or rng.random() < 0.25
    hits = drum_hits(plan, rng)
    kit = make_kit(rng, electronic, sorted({hit.piece for hit in hits}))
    signal = np.zeros((2, _n_samples(plan)))
    for hit in hits:
        _add(signal, hit.velocity**1.3 * rng.uniform(0.92, 1.05) * kit[hit.piece], hit.time)
    seconds, level = rng.uniform(0.25, 1.1), rng.uniform(0.1, 0.4)
    signal = normalised(reverberated(signal, rng, seconds, level, brightness=9000))
    hiss = filtered(rng.standard_normal(signal.shape), "low", 7000, order=1)
    signal = signal + 10 ** (-rng.uniform(58, 75) / 20) * hiss
    signal = compressed(signal, rng.uniform(-22, -12), rng.uniform(2, 5), 0.01, 0.1)
    return saturated(signal, rng.uniform(1.2, 2.5)) if rng.random() < 0.3 else signal


def _bass(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """The bass, near the centre, (2, T)."""
    tone = BASSES[str(rng.choice(list(BASSES)))](rng)
    signal = _played(bass_line(plan, rng), tone, plan, rng)
    if rng.random() < 0.35:
        signal = saturated(signal, rng.uniform(1.5, 4.0))
    signal = filtered(signal, "low", rng.uniform(2500, 7000), order=1)
    return compressed(panned(signal, rng.uniform(-0.08, 0.08)), threshold_db=-18, ratio=4)


def _other(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Two to four accompanying instruments, the first throughout the song, (2, T)."""
    names = rng.permutation(sorted(INSTRUMENTS))[: rng.choice([2, 3, 3, 4])]
    mixed = np.zeros((2, _n_samples(plan)))
    for i, name in enumerate(names):
        late = ["intro", "chorus"] if rng.random() < 0.4 else ["verse", "chorus"]
        layer = _layer(
            INSTRUMENTS[name], ["intro", "verse", "chorus"] if i == 0 else late, plan, rng
        )
        loudness = np.sqrt((layer**2).mean())
        if loudness > 0:
            mixed += layer / loudness * 10 ** (rng.uniform(-6, 0) / 20)
    return compressed(mixed, threshold_db=-16, ratio=2)


def _layer(
    instrument: Instrument, sections: Sequence[str], plan: Plan, rng: np.random.Generator
) -> np.ndarray:
    """One accompanying instrument with its effects, (2, T)."""
    bottom = instrument.bottom + int(rng.integers(-3, 4))
    rhythm = str(rng.choice(instrument.rhythms))
    notes = accompaniment(plan, rhythm, bottom, sections, rng)
    signal = normalised(_played(notes, instrument.make(rng), plan, rng))
    position = rng.uniform(-0.8, 0.8)
    if instrument.driven:
        driven = filtered(saturated(signal, rng.uniform(4, 15)), "low", rng.uniform(3500, 5500), 4)
        stereo = double_tracked(driven, rng.uniform(0.012, 0.025))
    elif rng.random() < instrument.chorus:
        rate, phase = rng.uniform(0.3, 1.2), rng.uniform(0, 2 * np.pi)
        stereo = panned(1.0, 0.4 * position) * chorused(signal, rate, phase)
    else:
        stereo = panned(signal, position)
    stereo = filtered(stereo, "high", rng.uniform(80, 250), order=1)
    if rng.random() < instrument.echo:
        stereo = echoed(stereo, _echo_time(plan, rng), rng.uniform(0.2, 0.4))
    return reverberated(stereo, rng, rng.uniform(0.5, 2.2), rng.uniform(0.1, 0.4))


def _echo_time(plan: Plan, rng: np.random.Generator) -> float:
    """Delay in seconds of an echo in time with the song."""
    return plan.beat * float(rng.choice([0.5, 0.75, 1.0]))


def _vocals(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """The lead voice, often with a harmony or doubling in the choruses, (2, T)."""
    singer = draw_singer(rng)
    melody = sung_melody(plan, singer.lowest, singer.highest, rng)
    signal = panned(sing(melody, singer, plan.seconds, rng), 0.0)
    chorus = [syllable for syllable in melody if syllable.section == "chorus"]
    if rng.random() < 0.65:
        signal += _backing(chorus, singer, plan, rng)
    signal = compressed(filtered(signal, "high", 90), -14, 3.5, attack=0.006, release=0.15)
    if rng.random() < 0.4:
        signal = echoed(signal, _echo_time(plan, rng), rng.uniform(0.12, 0.3))
    return reverberated(signal, rng, rng.uniform(0.6, 2.4), rng.uniform(0.08, 0.35), predelay=0.03)


def _backing(
    melody: List[Syllable], singer: Singer, plan: Plan, rng: np.random.Generator
) -> np.ndarray:
    """The melody doubled on both sides, or a harmony above it on one side, (2, T)."""
    interval = int(rng.choice([0, 2, 2, 5]))
    sides = (-1, 1) if interval == 0 else (int(rng.choice([-1, 1])),)
    signal = np.zeros((2, _n_samples(plan)))
    for side in sides:
        voice = sing(harmony(plan, melody, interval, rng), singer, plan.seconds, rng)
        signal += rng.uniform(0.35, 0.7) * panned(voice, side * rng.uniform(0.3, 0.8))
    return signal


_PLAYERS = {"bass": _bass, "drums": _drums, "other": _other, "vocals": _vocals}


def _mixed(sources: Dict[str, np.ndarray], rng: np.random.Generator) -> Dict[str, np.ndarray]:
    """Sources at typical levels (about -21 dB where they play), and their exact sum, as int16."""
    levelled = {name: _levelled(signal, rng.normal(-21, 2)) for name, signal in sources.items()}
    peak = max(np.abs(sum(levelled.values())).max(), *(np.abs(s).max() for s in levelled.values()))
    gain = min(1.0, 0.98 / peak)
    rounded = {
        name: np.round(gain * FULL_SCALE * signal).astype(np.int16)
        for name, signal in levelled.items()
    }
    return {"mixture": sum(rounded.values()), **rounded}


def _levelled(signal: np.ndarray, level_db: float) -> np.ndarray:
    """Scale a signal to a level in dB, measured where it is not silent; fade it in and out."""
    loudness = np.abs(signal).max(axis=0)
    playing = loudness > 1e-3 * loudness.max()
    if playing.any():
        signal = signal * 10 ** (level_db / 20) / np.sqrt((signal[:, playing] ** 2).mean())
    n_samples = signal.shape[1]
    times = np.arange(n_samples) / SAMPLE_RATE
    left = times[-1] - times
    return signal * np.minimum(times / 0.005, 1) * np.minimum(left / min(0.4, times[-1] / 4), 1)
