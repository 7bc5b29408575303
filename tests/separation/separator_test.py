"""Songs in, sources out: levels, lengths, channels, seams, and what cannot be separated."""

import pytest
import torch

from asteroid_xscheme.audio import write_audio
from asteroid_xscheme.recipes.config import SeparationConfig
from asteroid_xscheme.models import XUMX, BridgedModel
from asteroid_xscheme.separation import (
    SeparationError,
    Separator,
    Song,
    find_device,
    song_of_file,
    song_of_waveform,
)
from asteroid_xscheme.separation.streams import in_step
from asteroid_xscheme.dsp.stft import istft, stft
from asteroid_xscheme.dsp.wiener import wiener, wiener_one_pass
from tests.rounding import SIGNAL_DB

SOURCES = ["bass", "drums", "vocals"]


class Halves(BridgedModel):
    """Stands for a perfect model of waveforms: each of two sources is half of the mixture."""

    def __init__(self):
        super().__init__(["one", "two"], 8000, 2, bridge=False)
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, wav):
        raise NotImplementedError

    def forward_wav(self, wav):
        return torch.stack([wav / 2, wav / 2], dim=1) * self.weight


def total(sources):
    return sum(sources.values())


def test_separation_without_a_filter_equals_the_model(xumx, music, error_db):
    sources = Separator(xumx, chunk_seconds=60, wiener_iterations=0).separate(music)
    with torch.no_grad():
        expected = xumx.forward_wav(music[None])[0]
    for estimate, reference in zip(sources.values(), expected):
        assert error_db(estimate, reference) < SIGNAL_DB


def test_separation_in_chunks_equals_the_whole_song(xumx, music, error_db):
    song = music.repeat(1, 3)
    whole = Separator(xumx, chunk_seconds=1000).separate(song)
    chunked = Separator(xumx, chunk_seconds=3, batch_size=2).separate(song)
    for source in SOURCES:
        assert error_db(chunked[source], whole[source]) < -40


def test_sources_sum_to_the_mixture(xumx, music, error_db):
    separator = Separator(xumx, chunk_seconds=3)
    assert error_db(total(separator.separate(music)), music) < SIGNAL_DB
    loud = 30 * music
    assert error_db(total(separator.separate(loud)), loud) < SIGNAL_DB


def test_residual_is_shared_among_sources(music, error_db):
    torch.manual_seed(0)
    model = XUMX(SOURCES, hidden_size=8, nb_layers=1, window_length=512, in_chan=512, n_hop=128)
    for name, parameter in model.state_dict().items():
        if "output_mean" in name:
            parameter[50:] = -1e6  # the masks of these bins are 0 behind the ReLU
    sources = Separator(model.eval(), wiener_iterations=1).separate(music)
    assert error_db(total(sources), music) < SIGNAL_DB


def test_last_samples_of_frames_that_overlap_by_half_are_not_amplified(music, error_db):
    """They lie up to a hop behind the centre of the last frame, where its window is almost 0."""
    torch.manual_seed(0)
    sizes = dict(window_length=512, in_chan=512, n_hop=256, hidden_size=8, nb_layers=1)
    model, song = XUMX(SOURCES, **sizes).eval(), music[:, : 100 * 256 - 1]
    for iterations in (0, 1):
        sources = Separator(model, wiener_iterations=iterations).separate(song)
        assert max(estimate[:, -30:].abs().max() for estimate in sources.values()) < 1
    assert error_db(total(sources), song) < SIGNAL_DB
    with torch.no_grad():
        assert model.forward_wav(song[None])[..., -30:].abs().max() < 1


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("fixture", ["d3net", "d3nets_of_two_patches"])
def test_d3net_uses_its_official_patches(request, fixture, music, error_db, batch, flip):
    """The whole song's patches, of each network's own length, in a stream."""
    model, song = request.getfixturevalue(fixture), music[:, :30000]
    options = dict(wiener_iterations=0, batch_size=batch, flip_channels=flip)
    sources = Separator(model, **options).separate(song)
    with torch.no_grad():
        mixture, magnitudes = model.analyze(song[None])
        estimates = model.estimate_patches(magnitudes, flip)
        expected = model.synthesize(estimates, mixture, song.shape[-1])[:, 0]
    for estimate, reference in zip(sources.values(), expected):
        assert error_db(estimate, reference) < SIGNAL_DB


def test_d3net_uses_other_chunks_on_request(d3net, music, error_db):
    assert Separator(d3net).by_patches
    separator = Separator(d3net, chunk_seconds=0.2)
    assert not separator.by_patches
    assert error_db(total(separator.separate(music[:, :30000])), music[:, :30000]) < SIGNAL_DB


def test_one_pass_filter_equals_the_official_one(d3net, music, error_db):
    song = music[:, :30000]
    options = dict(wiener="one_pass", wiener_window=None)
    sources = Separator(d3net, **options).separate(song)
    with torch.no_grad():
        mixture, magnitudes = d3net.analyze(song[None])
        estimates = d3net.estimate_patches(magnitudes)[:, :, 0].permute(0, 2, 3, 1)
    filtered = wiener_one_pass(estimates * torch.sgn(mixture[0]), mixture[0])
    expected = istft(filtered, d3net.window, d3net.n_fft, d3net.hop, song.shape[-1])
    for estimate, reference in zip(sources.values(), expected):
        assert error_db(estimate, reference) < SIGNAL_DB


def test_averaging_both_channel_orders_is_symmetric(tasnet, xumx, music):
    song = music[:, :20000]
    for model in (tasnet, xumx):
        separator = Separator(model, flip_channels=True, wiener_iterations=0)
        one, other = separator.separate(song), separator.separate(song.flip(0))
        for source in SOURCES:
            torch.testing.assert_close(one[source], other[source].flip(0), atol=1e-5, rtol=0)


@pytest.mark.parametrize("rate", [22050, 48000, 96000])
def test_other_rates_keep_length_and_level(xumx, music, error_db, rate):
    sources = Separator(xumx).separate(music, rate)
    assert all(estimate.shape == music.shape for estimate in sources.values())
    assert error_db(total(sources), music) < (-20 if rate > 48000 else -45)


@pytest.mark.parametrize("n_channels", [1, 3, 24])
def test_every_channel_of_a_song_is_separated(xumx, music, error_db, n_channels):
    song = music[:1, :20000] * torch.linspace(0.5, 1, n_channels)[:, None]
    sources = Separator(xumx).separate(song)
    assert all(estimate.shape == song.shape for estimate in sources.values())
    assert error_db(total(sources), song) < SIGNAL_DB


def test_mono_model_separates_each_channel(mono_xumx, music, error_db):
    separator = Separator(mono_xumx)
    stereo, left = separator.separate(music), separator.separate(music[:1])
    for source in SOURCES:
        assert error_db(stereo[source][:1], left[source]) < SIGNAL_DB


@pytest.mark.parametrize("n_samples", [1, 2, 511, 512, 513, 1500])
def test_short_songs_are_separated(xumx, tasnet, n_samples):
    song = torch.full((2, n_samples), 0.5)
    for model in (xumx, tasnet):
        sources = Separator(model).separate(song)
        assert all(estimate.shape == song.shape for estimate in sources.values())
        assert all(estimate.isfinite().all() for estimate in sources.values())


def test_silence_stays_silent(xumx, tasnet):
    silence = torch.zeros(2, 50000)
    for options in ({}, {"normalize": True}, {"shifts": 2}):
        for model in (xumx, tasnet):
            sources = Separator(model, **options).separate(silence)
            assert all(estimate.abs().max() == 0 for estimate in sources.values())


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
def test_constant_stays_constant(overlap):
    constant = torch.full((2, 30001), 0.25)
    sources = Separator(Halves(), chunk_seconds=0.5, overlap=overlap).separate(constant)
    assert torch.allclose(sources["one"], constant / 2, atol=1e-7)


def test_tone_has_no_step_at_the_seams(xumx):
    time = torch.arange(5 * 44100) / 44100
    tone = torch.sin(2 * torch.pi * 440 * time).repeat(2, 1)
    whole = Separator(xumx, chunk_seconds=60).separate(tone)
    chunked = Separator(xumx, chunk_seconds=1).separate(tone)
    for source in SOURCES:
        steepest = whole[source].diff().abs().max()
        assert chunked[source].diff().abs().max() < 1.05 * steepest


def test_normalising_makes_waveform_models_independent_of_level(tasnet, music, error_db):
    separator = Separator(tasnet, normalize=True)
    soft, loud = separator.separate(music / 100), separator.separate(music)
    for source in SOURCES:
        assert error_db(100 * soft[source], loud[source]) < -80


@pytest.mark.parametrize("method, iterations", [("em", 1), ("em", 2), ("one_pass", 0)])
def test_estimates_of_waveform_models_can_be_filtered(tasnet, music, error_db, method, iterations):
    song = music[:, :150000]
    plain = Separator(tasnet).separate(song)
    options = dict(wiener=method, wiener_iterations=iterations, wiener_window=None)
    filtered = Separator(tasnet, **options).separate(song)

    stft_options = torch.hann_window(4096), 4096, 1024
    mixture = stft(song, *stft_options)
    magnitudes = stft(torch.stack(list(plain.values())), *stft_options).abs()
    if method == "em":
        expected = wiener(magnitudes, mixture, iterations, lossless=True)
    else:
        expected = wiener_one_pass(magnitudes * torch.sgn(mixture), mixture)
    expected = istft(expected, *stft_options, song.shape[-1])
    for estimate, reference in zip(filtered.values(), expected):
        assert error_db(estimate, reference) < SIGNAL_DB
    assert error_db(total(filtered), song) < SIGNAL_DB


def test_estimates_of_waveform_models_are_not_filtered_by_default(tasnet, music):
    default = Separator(tasnet).separate(music[:, :30000])
    unfiltered = Separator(tasnet, wiener_iterations=0).separate(music[:, :30000])
    assert all(torch.equal(default[source], unfiltered[source]) for source in SOURCES)


def test_shifted_runs_are_averaged(xumx, music, error_db):
    once, often = Separator(xumx).separate(music), Separator(xumx, shifts=3).separate(music)
    assert error_db(total(often), music) < SIGNAL_DB
    for source in SOURCES:
        assert often[source].shape == once[source].shape
        assert error_db(often[source], once[source]) < -10


def test_shifting_does_not_change_a_shift_invariant_model(error_db):
    song = torch.randn(2, 20000, generator=torch.Generator().manual_seed(0))
    shifted = Separator(Halves(), chunk_seconds=1, shifts=4).separate(song)
    assert error_db(shifted["one"], song / 2) < SIGNAL_DB


def test_bfloat16_networks_are_close_to_float32(xumx, music, error_db):
    reference = Separator(xumx).separate(music)
    low = Separator(xumx, precision="bf16").separate(music)
    assert error_db(total(low), music) < SIGNAL_DB
    assert all(error_db(low[source], reference[source]) < -20 for source in SOURCES)


def test_file_is_separated_at_its_own_rate(xumx, music, tmp_path, error_db):
    write_audio(tmp_path / "song.wav", music, 44100, "FLOAT")
    seconds = []
    sources = Separator(xumx).separate(tmp_path / "song.wav", progress=seconds.append)
    assert error_db(total(sources), music) < SIGNAL_DB
    assert seconds == sorted(seconds)
    assert seconds[-1] == pytest.approx(music.shape[-1] / 44100)


def test_input_and_model_are_not_changed(xumx, music):
    song, weights = music.clone() * 50, {k: v.clone() for k, v in xumx.state_dict().items()}
    before = song.clone()
    Separator(xumx, normalize=True).separate(song)
    assert torch.equal(song, before)
    assert all(torch.equal(weights[name], value) for name, value in xumx.state_dict().items())


def test_memory_does_not_grow_with_the_song(xumx):
    """Of 80 seconds the separator holds a few chunks at any moment."""
    held, most = 0, 0

    def blocks():
        nonlocal held, most
        for _ in range(80):
            held += 1
            most = max(most, held)
            yield torch.zeros(2, 44100)

    song = Song("long", 44100, 2, 80 * 44100, blocks)
    for block in Separator(xumx, chunk_seconds=2).stream(song):
        held -= block.shape[-1] / 44100
    assert most < 20


def test_aligned_streams_have_equal_blocks_of_the_same_frames():
    frames = torch.arange(12.0)[:, None]
    streams = [frames.split([5, 7]), iter((2 * frames).split(4)), (3 * frames).split(1)]
    blocks = list(in_step(streams, 0))
    assert all(len({len(block) for block in together}) == 1 for together in blocks)
    for factor, parts in zip((1, 2, 3), zip(*blocks)):
        assert torch.equal(torch.cat(parts), factor * frames)
    assert list(in_step([[], []], 0)) == []


def test_options_of_a_recipe_reach_the_separator(xumx):
    config = SeparationConfig(
        segment=3.0,
        overlap=0.2,
        niter=2,
        wiener_win_len=100,
        softmask=True,
        wiener="one_pass",
        flip_channels=True,
    )
    separator = Separator(xumx, "cpu", **config.separator_options())
    assert separator.options.iterations == 2
    assert (separator.options.window, separator.options.softmask) == (100, True)
    assert (separator.options.method, separator.estimation.flip_channels) == ("one_pass", True)
    assert separator.chunking.length == round(3.0 * 44100 / 256)
    assert separator.chunking.overlap == int(0.2 * separator.chunking.length)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_samples_that_are_not_finite_are_named_with_their_position(xumx, value):
    song = torch.zeros(2, 88200)
    song[1, 66150] = value
    with pytest.raises(SeparationError, match="not finite .NaN or infinite. at 1.500 s"):
        Separator(xumx).separate(song)


@pytest.mark.parametrize("shape", [(2, 0), (0, 10), (1, 2, 10), (10,)])
def test_invalid_shapes_are_refused(xumx, shape):
    with pytest.raises(SeparationError, match="no samples|Expected a float waveform"):
        Separator(xumx).separate(torch.zeros(shape))


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(chunk_seconds=0), "chunk_seconds: expected a finite length above 0 s, got 0"),
        (dict(overlap=0.6), "a fraction of a chunk from 0 to 0.5, got 0.6"),
        (dict(wiener_iterations=-1), "0 iterations or more"),
        (dict(shifts=0), "1 to 100 shifts"),
        (dict(wiener="two_pass"), "filter from .*'em', 'one_pass'.*, got 'two_pass'"),
        (dict(batch_size=0), "1 to .* chunks"),
        (dict(precision="int8"), "a precision from"),
        (dict(device="cuda:99"), "This machine has no device 'cuda:99'"),
        (dict(device="toaster"), "This machine has no device 'toaster'"),
    ],
)
def test_options_out_of_range_are_refused(xumx, options, message):
    with pytest.raises(SeparationError, match=message):
        Separator(xumx, **options)


def test_device_is_found_without_a_name():
    assert find_device("auto") == find_device(None)
    assert find_device("cpu") == torch.device("cpu")


def test_part_of_a_file_is_a_song(tmp_path):
    ramp = torch.arange(8000.0)[None] / 8000
    write_audio(tmp_path / "ramp.wav", ramp, 8000, "FLOAT")
    song = song_of_file(tmp_path / "ramp.wav", start=0.25, duration=0.5)
    assert torch.equal(torch.cat(list(song.open()), -1), ramp[:, 2000:6000])
    assert song.seconds == 0.5
    with pytest.raises(SeparationError, match="ends after 1.0 s"):
        song_of_file(tmp_path / "ramp.wav", start=2)
    with pytest.raises(SeparationError, match="duration: expected a finite time above 0 s"):
        song_of_file(tmp_path / "ramp.wav", duration=0)


def test_song_can_be_read_twice():
    song = song_of_waveform(torch.ones(1, 100000), 8000)
    assert sum(x.shape[-1] for x in song.open()) == sum(x.shape[-1] for x in song.open()) == 100000
