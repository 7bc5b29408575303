"""Laws of the built-in songs, their instruments and voices."""

from pathlib import Path

import numpy as np
import pytest

from demo_songs.accompaniment import RHYTHMS, accompaniment
from demo_songs.bass import LINES, LOWEST, bass_line
from demo_songs.drum_patterns import KICKS, drum_hits
from demo_songs.gestures import draw_singer
from demo_songs.instruments import BASSES, INSTRUMENTS
from demo_songs.melody import Syllable
from demo_songs.phonemes import CONSONANTS
from demo_songs.plan import DRUM_STYLES, draw_plan
from demo_songs.song import SOURCES, render_song
from demo_songs.synthesis import SAMPLE_RATE, plucked_string, sawtooth, time_axis
from demo_songs.voice import sing

GOLDEN = Path(__file__).parents[1] / "golden" / "demo_song.npz"


@pytest.fixture(scope="module")
def song():
    return render_song((2, 1), 4.0)


def plan_with(**changes):
    """A plan of 12 seconds without rests, changed in some attributes."""
    rests = {source: frozenset() for source in SOURCES}
    plan = draw_plan(np.random.default_rng(0), 12.0)
    return type(plan)(**{**vars(plan), "rests": rests, **changes})


def pitch_of(signal):
    """Fundamental frequency in Hz, from the autocorrelation."""
    spectrum = np.abs(np.fft.rfft(signal, 4 * signal.size)) ** 2
    correlation = np.fft.irfft(spectrum)[: signal.size // 2]
    first = np.argmax(correlation < 0.5 * correlation[0])
    lag = first + np.argmax(correlation[first:])
    return SAMPLE_RATE / lag


def test_mixture_is_the_exact_sum_of_its_sources(song):
    total = sum(song[name].astype(int) for name in SOURCES)
    np.testing.assert_array_equal(song["mixture"], total)


def test_song_is_16_bit_stereo_of_the_requested_length(song):
    for signal in song.values():
        assert signal.dtype == np.int16
        assert signal.shape == (2, 4 * SAMPLE_RATE)


def test_song_has_a_healthy_level_in_every_source(song):
    for name in SOURCES:
        level_db = 20 * np.log10(song[name].std() / 32768)
        assert -35 < level_db < -12, name
    assert 0.3 < np.abs(song["mixture"].astype(int)).max() / 32768 < 0.99


def test_song_is_the_same_on_every_machine_up_to_rounding():
    golden = np.load(GOLDEN)
    song = render_song((0, 0), 2.0)
    for name in SOURCES:
        difference = song[name][:, :: int(golden["every"])].astype(int) - golden[name]
        assert np.abs(difference).max() <= 1, name


def test_songs_differ_in_tempo_key_and_style():
    plans = [draw_plan(np.random.default_rng(i), 20.0) for i in range(40)]
    assert len({plan.beat for plan in plans}) == 40
    assert {plan.key for plan in plans} == set(range(12))
    assert {plan.drum_style for plan in plans} == set(DRUM_STYLES)


def test_vocals_reach_as_high_as_those_of_real_songs(song):
    power = np.abs(np.fft.rfft(song["vocals"].mean(axis=0))) ** 2
    frequencies = np.fft.rfftfreq(song["vocals"].shape[1], 1 / SAMPLE_RATE)
    high = power[(frequencies > 6000) & (frequencies < 11000)].sum()
    assert -32 < 10 * np.log10(high / power.sum()) < -14


@pytest.mark.parametrize("name", sorted({**BASSES, **INSTRUMENTS}))
def test_instrument_plays_the_requested_pitch(name):
    make = BASSES[name] if name in BASSES else INSTRUMENTS[name].make
    rng = np.random.default_rng(3)
    signal = make(rng)(220.0, 0.5, rng)
    assert np.isfinite(signal).all()
    octaves = np.log2(pitch_of(signal[: SAMPLE_RATE // 2]) / 220.0)
    assert abs(octaves - round(octaves)) < 0.02  # the organ also sounds an octave below


@pytest.mark.parametrize("frequency", [41.2, 110.0, 331.7, 987.8])
def test_plucked_string_is_in_tune_and_dies_away(frequency):
    signal = plucked_string(frequency, 1.0, np.random.default_rng(0), 2000.0, 1.0, 0.15)
    # the period is found in whole samples
    assert abs(SAMPLE_RATE / pitch_of(signal[:20000]) - SAMPLE_RATE / frequency) <= 1
    assert signal[-4000:].std() < 0.8 * signal[:4000].std()


def test_sawtooth_aliases_little():
    signal = sawtooth(5000 * time_axis(1.0), 5000.0)
    power = np.abs(np.fft.rfft(signal)) ** 2
    harmonic = power[5000:22050:5000].sum()
    assert power.sum() - harmonic < 1e-2 * harmonic


@pytest.mark.parametrize("rhythm", sorted(RHYTHMS))
def test_accompaniment_plays_the_chords_of_the_song(rhythm):
    plan = plan_with(seventh=False)
    notes = accompaniment(plan, rhythm, 50, {"verse", "chorus"}, np.random.default_rng(1))
    allowed = {pitch % 12 for bar in range(len(plan.chords)) for pitch in plan.chord_of(bar)}
    fifths = {(plan.root_of(bar) + 7) % 12 for bar in range(len(plan.chords))}
    assert notes
    assert {note.pitch % 12 for note in notes} <= allowed | fifths


def test_bass_lines_begin_their_bars_on_the_root():
    plan = plan_with(swing=0.0)
    for seed in range(12):
        for note in bass_line(plan, np.random.default_rng(seed)):
            bar = round((note.start - plan.upbeat) / (4 * plan.beat))
            if bar < len(plan.chords) and abs(note.start - plan.time_of(bar, 0)) < 0.02:
                assert (note.pitch - plan.root_of(bar)) % 12 == 0
            assert LOWEST - 2 <= note.pitch <= LOWEST + 24
    assert len(LINES) == 6


@pytest.mark.parametrize("style", DRUM_STYLES)
def test_drums_play_every_style_with_a_fill_before_a_new_section(style):
    sections = ("verse",) * 4 + ("chorus",) * 4
    plan = plan_with(drum_style=style, sections=sections, chords=(0,) * 8)
    hits = drum_hits(plan, np.random.default_rng(0))
    fill = [
        hit for hit in hits if plan.time_of(3, 12) - 0.03 < hit.time < plan.time_of(4, 0) - 0.03
    ]
    assert {"kick", "snare"} <= {hit.piece for hit in hits}
    assert any("tom" in hit.piece for hit in fill)
    assert any(hit.piece == "crash" for hit in hits)
    assert style in KICKS


@pytest.mark.parametrize("consonant", sorted(CONSONANTS))
def test_singer_sings_the_pitch_after_every_consonant(consonant):
    syllable = Syllable(0.3, 0.6, 57, consonant, "a", 0.9, "verse")
    rng = np.random.default_rng(0)
    voice = sing([syllable], draw_singer(rng), 1.0, rng)
    vowel = voice[int(0.5 * SAMPLE_RATE) : int(0.7 * SAMPLE_RATE)]
    assert pitch_of(vowel) == pytest.approx(220.0, rel=0.06)
    assert voice[: int(0.1 * SAMPLE_RATE)].std() < 0.02 * vowel.std()


def test_singer_without_syllables_is_silent():
    rng = np.random.default_rng(0)
    assert not sing([], draw_singer(rng), 0.5, rng).any()
