"""What Python may give a Separator: arrays, file objects, weights of any precision, or one line."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from asteroid_xscheme.audio import write_audio
from asteroid_xscheme.models import XUMX
from asteroid_xscheme.separation import SeparationError, Separator, song_of_waveform
from asteroid_xscheme.separation.songs import begun
from tests.rounding import SINGLE

SOURCES = ["drums", "vocals"]


@pytest.fixture(scope="module")
def model():
    sizes = dict(window_length=256, in_chan=256, n_hop=64, hidden_size=8, nb_layers=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return XUMX(SOURCES, sample_rate=8000, **sizes).eval()


@pytest.fixture(scope="module")
def separator(model):
    return Separator(model, "cpu")


@pytest.fixture(scope="module")
def song():
    return 0.1 * torch.randn(2, 4000, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("seconds", (3, 61))
def test_a_song_that_is_begun_is_read_once_at_first_and_is_the_same_ever_after(seconds):
    waveform = torch.randn(2, seconds * 100, generator=torch.Generator().manual_seed(0))
    whole, n_opened = song_of_waveform(waveform, 100), 0

    def count():
        nonlocal n_opened
        n_opened += 1
        return whole.open()

    song = begun(replace(whole, open=count))
    for expected in (1, 2, 3):
        assert torch.equal(torch.cat(list(song.open()), dim=-1), waveform)
        assert n_opened == expected


def same(one, other, atol=0.0):
    return all(torch.allclose(one[name], other[name], atol=atol, rtol=0) for name in SOURCES)


@pytest.mark.parametrize(
    "as_array",
    [
        lambda x: x.numpy(),
        lambda x: x.numpy().astype(np.float64),
        lambda x: x.numpy().astype(">f4"),
        lambda x: np.asfortranarray(x.numpy()),
        lambda x: np.flip(np.flip(x.numpy(), 1).copy(), 1),
        lambda x: np.frombuffer(x.numpy().tobytes(), np.float32).reshape(x.shape),  # read-only
        lambda x: x.double(),
        lambda x: x.clone().requires_grad_(),
    ],
)
def test_float_waveforms_of_any_kind_are_separated(separator, song, as_array):
    assert same(separator.separate(as_array(song)), separator.separate(song))


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3"])
def test_file_object_gives_the_same_as_its_file(separator, song, tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_audio(path, song, 8000)
    expected = separator.separate(path)
    with open(path, "rb") as file:
        assert same(separator.separate(file), expected)
    assert same(separator.separate(io.BytesIO(path.read_bytes())), expected)
    assert same(separator.separate(str(path)), expected)


@pytest.mark.parametrize("convert", [torch.nn.Module.half, torch.nn.Module.double])
def test_weights_of_another_precision_work_as_float32(model, separator, song, convert):
    converted = convert(model.from_pretrained(model.serialize()).eval())
    dtype = next(converted.parameters()).dtype
    # float16 rounds the weights of a few layers at 2^-11; the weights that came were float32
    atol = float(song.abs().max()) * (16 * 2**-11 if dtype == torch.float16 else 16 * SINGLE)
    assert same(Separator(converted, "cpu").separate(song), separator.separate(song), atol)
    assert next(converted.parameters()).dtype == dtype


@pytest.mark.parametrize("rate", [0, -1, 44100.5, float("nan"), float("inf"), "44100"])
def test_invalid_rates_are_named(separator, song, rate):
    with pytest.raises(SeparationError, match="Expected a sample rate in whole Hz above 0, got"):
        separator.separate(song, rate)


def test_rate_may_have_any_integer_type(separator, song):
    for rate in (8000.0, np.int64(8000), np.float32(8000)):
        assert same(separator.separate(song, rate), separator.separate(song, 8000))


@pytest.mark.parametrize(
    "waveform, message",
    [
        (torch.zeros(4000, 2), r"got \(4000, 2\), .* \(time, channel\): transpose it"),
        (np.zeros((4000, 2)), r"got \(4000, 2\), .* \(time, channel\): transpose it"),
        (torch.zeros(4000), r"got \(4000,\); add a channel axis"),
        (torch.zeros(1, 2, 4000), r"got \(1, 2, 4000\)"),
        (np.zeros((2, 4000), np.int16), "full scale at 1, got int16"),
        (torch.zeros(2, 4000, dtype=torch.complex64), "got torch.complex64"),
        (np.array([["a", "b"]]), "full scale at 1, got <U1"),
    ],
)
def test_invalid_waveforms_are_errors_with_the_expected_shape(separator, waveform, message):
    with pytest.raises(SeparationError, match=r"Expected a float waveform .channel, time."):
        separator.separate(waveform)
    with pytest.raises(SeparationError, match=message):
        separator.separate(waveform)


def test_other_inputs_are_errors_with_the_expected_types(separator, tmp_path):
    (tmp_path / "text").write_text("words")
    with open(tmp_path / "text") as text:
        for wrong in ([0.0, 1.0], 3, None, text, io.StringIO("words")):
            with pytest.raises(SeparationError, match="Expected a waveform .*, a path, or a file"):
                separator.separate(wrong)


def test_few_channels_may_outnumber_samples():
    assert song_of_waveform(torch.zeros(24, 10), 8000).n_channels == 24


def test_estimates_that_are_not_finite_are_an_error(model, song):
    broken = model.from_pretrained(model.serialize()).eval()
    with torch.no_grad():
        next(broken.parameters()).fill_(float("nan"))
    with pytest.raises(SeparationError, match="the estimate of .* is not finite .* try float32"):
        Separator(broken, "cpu").separate(song)


@pytest.mark.parametrize("device", ["meta", "", "hpu", "privateuseone", "cpu:-2"])
def test_devices_without_storage_are_refused(model, device):
    with pytest.raises(SeparationError, match="This machine has no device"):
        Separator(model, device)
