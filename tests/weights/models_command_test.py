"""`xscheme models` and `xscheme convert`."""

import json

import pytest

import xscheme

from asteroid_xscheme.weights import PUBLISHED, CheckpointError, load_package
from asteroid_xscheme.weights.fetching import cache_dir
from xscheme.listing import list_models


def test_table_lists_every_name_with_its_score():
    lines = list_models().splitlines()
    rows = {line.split()[0]: line for line in lines[1:] if line.split()[:1] != []}
    assert list(PUBLISHED) == list(rows)[: len(PUBLISHED)]
    assert "5.79" in rows["xumx"] and "6.52" in rows["xumxl"] and "44100 Hz" in rows["xumxl"]
    assert "MUSDB18 (non-commercial)" in rows["xumxhq"]


def test_table_shows_what_is_cached_and_its_size(cache):
    from asteroid.utils.hub_utils import url_to_filename

    folder = cache_dir() / url_to_filename(PUBLISHED["xumxl"].url)
    folder.mkdir(parents=True)
    (folder / "model.pth").write_bytes(bytes(2_000_000))
    rows = {line.split()[0]: line for line in list_models().splitlines() if line}
    assert " 2 MB " in rows["xumxl"] and " yes " in rows["xumxl"] and " no " in rows["xumx"]


@pytest.mark.parametrize("name", ["xumxl", "r-sawata/XUMXL_MUSDB18_music_separation"])
def test_one_name_shows_licence_page_scores_and_checksum(name):
    text = list_models([name])
    assert "not stated here, see https://zenodo.org/records/7128659" in text
    assert "vocals 7.565 dB" in text and "recorded on first use" in text
    assert "sha1:ada6858b" in list_models(["d3net"]) and "h5py" in list_models(["d3net"])


def test_json_has_the_same_content():
    (model,) = json.loads(list_models(["xumx"], as_json=True))
    assert model["scores"]["vocals"] == 6.612 and model["cached"] is False
    assert [each["name"] for each in json.loads(list_models(as_json=True))] == list(PUBLISHED)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(
        CheckpointError, match="no published weights 'umx'. Known: small, xumx, xumxhq"
    ):
        list_models(["umx"])


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_official_file_is_converted(golden, tmp_path, suffix):
    target = tmp_path / f"xumx{suffix}"
    assert xscheme.main(["convert", str(golden / "xumx_nnabla.h5"), str(target)]) == 0
    expected = load_package(golden / "xumx_nnabla.h5")
    assert load_package(target)["model_args"] == expected["model_args"]
    assert load_package(target)["state_dict"].keys() == expected["state_dict"].keys()


def test_conversion_replaces_files_only_on_request(golden, tmp_path, capsys):
    target = tmp_path / "xumx.pth"
    target.write_bytes(b"precious")
    words = ["convert", str(golden / "xumx_nnabla.h5"), str(target)]
    assert xscheme.main(words) == 1
    assert "xumx.pth already exists. Choose another name or add" in capsys.readouterr().err
    assert target.read_bytes() == b"precious"
    assert xscheme.main([*words, "--overwrite"]) == 0
    assert load_package(target)["model_name"] == "XUMX"


def test_conversion_to_another_format_is_refused_before_anything_is_read(tmp_path, capsys):
    assert xscheme.main(["convert", "nothing", str(tmp_path / "xumx.onnx")]) == 1
    assert "its name must end in .safetensors or .pth" in capsys.readouterr().err


def test_command_prints_the_table_and_converts_to_safetensors(
    golden, tmp_path, capsys, monkeypatch
):
    assert xscheme.main(["models"]) == 0
    assert capsys.readouterr().out.startswith("name ")
    monkeypatch.chdir(tmp_path)
    assert xscheme.main(["convert", str(golden / "xumx_nnabla.h5")]) == 0
    assert capsys.readouterr().out == "Wrote xumx_nnabla.safetensors\n"
    assert load_package("xumx_nnabla.safetensors")["model_name"] == "XUMX"


def test_command_reports_an_error_in_one_line_and_fails(tmp_path, capsys):
    (tmp_path / "song.h5").write_bytes(b"<html>")
    assert xscheme.main(["convert", str(tmp_path / "song.h5"), str(tmp_path / "a.pth")]) == 1
    message = capsys.readouterr().err
    assert message.startswith("xscheme: ") and "song.h5" in message and message.count("\n") == 1
