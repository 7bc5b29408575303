"""`xscheme listen` from the command line."""

import json
import re

import pytest
import torch

from asteroid_xscheme.audio import write_audio
from xscheme import main


def write_song(folder, *names, rate=8000):
    """Files of noise."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(0)
    waveforms = [0.1 * torch.randn(2, 4000, generator=generator) for _ in names]
    for name, waveform in zip(names, waveforms):
        write_audio(folder / name, waveform, rate, "PCM_16")
    return folder


def test_page_of_a_folder_is_written_and_replaced(tmp_path, capsys):
    folder = write_song(tmp_path / "my song", "bass.wav", "vocals.flac", "mixture.wav")
    for _ in range(2):
        assert main(["listen", str(folder)]) == 0
        assert capsys.readouterr().out.strip() == str(folder / "listen.html")
    text = (folder / "listen.html").read_text(encoding="utf-8")
    assert "<h1>my song</h1>" in text
    description = json.loads(re.search(r'id="song">(.*?)</script>', text).group(1))
    assert description["rows"] == ["bass", "vocals"]
    assert [scene["name"] for scene in description["scenes"]] == ["sources", "mixture"]


@pytest.mark.parametrize(
    "files, message",
    [
        ([], "contains no audio files of sources"),
        (["mixture.wav"], "contains no audio files of sources"),
        (["song/bass.wav"], "'song' inside it does: name that one"),
        (["bass.wav", "bass.flac"], "are both bass: remove one of them"),
        (["bass.wav", "mixture.wav", "mixture.flac"], "expected one mixture"),
    ],
)
def test_unusable_folder_is_refused_with_a_reason_and_the_others_get_pages(
    tmp_path, capsys, files, message
):
    good = write_song(tmp_path / "good", "bass.wav")
    for file in files:
        write_song((tmp_path / "bad" / file).parent, (tmp_path / file).name)
    (tmp_path / "bad").mkdir(exist_ok=True)
    assert main(["listen", str(tmp_path / "bad"), str(good)]) == 1
    assert message in capsys.readouterr().err
    assert (good / "listen.html").is_file() and not (tmp_path / "bad" / "listen.html").exists()


def test_file_is_not_a_folder(tmp_path, capsys):
    folder = write_song(tmp_path, "bass.wav")
    assert main(["listen", str(folder / "bass.wav")]) == 1
    assert "expected a folder with the sources of a song" in capsys.readouterr().err
