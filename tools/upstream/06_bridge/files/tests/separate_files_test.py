import numpy as np
import pytest
import soundfile as sf
import torch

from asteroid.models import XUMX
from asteroid.separate import separate

RATE = 8000


@pytest.fixture
def model():
    torch.manual_seed(0)
    sizes = dict(window_length=64, in_chan=64, n_hop=16, hidden_size=8)
    return XUMX(["vocals", "other"], sample_rate=RATE, **sizes)


def write_noise(path, n_samples=2003, rate=RATE):
    wav = 0.1 * np.random.RandomState(0).randn(n_samples, 2)
    sf.write(path, wav, rate, subtype="FLOAT")
    return sf.read(path, dtype="float32")[0]


@pytest.mark.parametrize("call", (lambda m, f: m.separate(f), separate))
def test_files_of_bridged_models_have_all_channels_and_their_level(call, model, tmp_path):
    wav = write_noise(tmp_path / "song.wav")
    call(model, str(tmp_path / "song.wav"))
    expected = model.separate(torch.from_numpy(wav.T))
    for number, source in enumerate(expected, start=1):
        written, rate = sf.read(tmp_path / f"song_est{number}.wav", dtype="float32")
        assert rate == RATE
        np.testing.assert_allclose(written.T, source, atol=1e-4)  # 16 bits


def test_files_of_another_rate_are_resampled_channel_by_channel(model, tmp_path):
    wav = write_noise(tmp_path / "song.wav", rate=2 * RATE)
    model.separate(str(tmp_path / "song.wav"), resample=True)
    written, rate = sf.read(tmp_path / "song_est1.wav")
    assert rate == 2 * RATE
    assert abs(len(written) - len(wav)) <= 2 and written.shape[1] == 2
