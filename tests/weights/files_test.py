"""Weights files: good, old, malicious, broken, and of another kind."""

import json
import os
import pickle
import wave
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.torch_version import TorchVersion

from asteroid_xscheme.weights import (
    CheckpointError,
    DamagedFileError,
    read_package,
    save_package,
)
from asteroid_xscheme.models.x_umx import XUMX


def write(folder, content, name="model.pth"):
    path = folder / name
    path.write_bytes(content)
    return path


def assert_same(package, other):
    rest = [{k: v for k, v in each.items() if k != "state_dict"} for each in (package, other)]
    assert rest[0] == rest[1]
    assert package["state_dict"].keys() == other["state_dict"].keys()
    for name, tensor in package["state_dict"].items():
        torch.testing.assert_close(other["state_dict"][name], tensor, rtol=0, atol=0)


def test_asteroids_checkpoint_gives_asteroids_output(golden):
    package = read_package(golden / "xumx_asteroid_checkpoint.pth")
    model = XUMX(**package["model_args"])
    model.load_state_dict(package["state_dict"])
    reference = np.load(golden / "xumx_asteroid_io.npz")
    with torch.no_grad():
        spectrograms, _ = model.eval()(torch.from_numpy(reference["mixture"]))
    np.testing.assert_allclose(spectrograms.numpy(), reference["masked_spec"], atol=1e-5)


@pytest.mark.parametrize("name", ["model.pth", "model.safetensors", "no suffix"])
def test_saved_package_reads_back_unchanged(package, tmp_path, name):
    path = save_package(package, tmp_path / "new folder" / name)
    assert_same(package, read_package(path))
    assert [each.name for each in path.parent.iterdir()] == [name]
    (path.parent / "plain").touch()
    assert path.stat().st_mode == (path.parent / "plain").stat().st_mode  # for whom others are


def test_file_before_torch_1_6_is_read(package, tmp_path):
    torch.save(package, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert_same(package, read_package(tmp_path / "old.pth"))


def test_torch_version_and_numpy_scalar_become_plain(package, tmp_path):
    package["infos"]["software_versions"]["torch_version"] = TorchVersion("2.11")
    package["model_args"]["max_bin"] = np.int64(5)
    package["infos"]["final_metrics"] = {"sdr": np.float32(6.5)}
    torch.save(package, tmp_path / "model.pth")
    read = read_package(tmp_path / "model.pth")
    assert type(read["infos"]["software_versions"]["torch_version"]) is str
    assert type(read["model_args"]["max_bin"]) is int
    assert type(read["infos"]["final_metrics"]["sdr"]) is float


@pytest.mark.parametrize("spelling", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_numpy_scalar_is_read_under_its_name_in_any_numpy(package, tmp_path, spelling):
    package["model_args"]["max_bin"] = np.int64(5)
    torch.save(package, tmp_path / "made.pth", _use_new_zipfile_serialization=False)
    content = (tmp_path / "made.pth").read_bytes()
    present = np.float64(0).__reduce__()[0].__module__.encode()
    assert present in content
    path = write(tmp_path, content.replace(present, spelling), "other.pth")
    assert read_package(path)["model_args"]["max_bin"] == 5


@pytest.mark.parametrize(
    "number",
    [np.bool_(True), np.int8(-3), np.uint16(7), np.float16(0.5), np.array(2.5, ">f8")[()]],
)
def test_numpy_scalar_of_any_type_keeps_its_value(package, tmp_path, number):
    package["infos"]["number"] = number
    torch.save(package, tmp_path / "model.pth")
    assert read_package(tmp_path / "model.pth")["infos"]["number"] == number.item()


def test_numpy_type_that_is_not_a_number_is_refused(package, tmp_path):
    package["infos"]["type"] = np.dtype("O")
    torch.save(package, tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match=r"asks to run numpy.dtype\('O8'\)"):
        read_package(tmp_path / "model.pth")


def test_numpy_array_is_refused_by_name(package, tmp_path):
    package["infos"]["array"] = np.zeros(3)
    torch.save(package, tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match="asks to run numpy.*reconstruct"):
        read_package(tmp_path / "model.pth")


class _Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("new_format", [True, False])
def test_pickle_that_runs_code_is_refused_by_name_and_nothing_runs(package, tmp_path, new_format):
    package["infos"]["gift"] = _Touch(tmp_path / "touched")
    path = tmp_path / "model.pth"
    torch.save(package, path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(CheckpointError, match=r"model\.pth is refused.*posix\.mkdir|nt\.mkdir"):
        read_package(path)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_bare_pickle_of_any_protocol_is_refused_by_name_and_nothing_runs(tmp_path, protocol):
    path = write(tmp_path, pickle.dumps(_Touch(tmp_path / "touched"), protocol))
    reason = "unknown|text" if protocol == 0 else "mkdir"
    with pytest.raises(CheckpointError, match=reason):
        read_package(path)
    assert not (tmp_path / "touched").exists()


def test_pickle_of_protocol_4_in_a_torch_zip_is_refused_by_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.pth", "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps(_Touch(tmp_path / "touched"), 4))
        archive.writestr("a/version", "3")
    with pytest.raises(CheckpointError, match="mkdir"):
        read_package(tmp_path / "model.pth")
    assert not (tmp_path / "touched").exists()


def test_whole_model_instead_of_its_weights_is_refused_by_its_class(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match=r"asks to run torch\.nn\.modules\.linear\.Linear"):
        read_package(tmp_path / "model.pth")


def wav_bytes(folder):
    with wave.open(str(folder / "made.wav"), "wb") as file:
        file.setparams((1, 2, 44100, 0, "NONE", ""))
        file.writeframes(bytes(200))
    return (folder / "made.wav").read_bytes()


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "an empty file"),
        (b"\n <!DOCTYPE html><html>Sign in</html>", "a web page"),
        ("naïve text, not weights\nsecond".encode(), "text that begins with 'naïve text"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"),
        (b"\x1f\x8b\x08rest", "a gzip archive"),
        (b"fLaC\x00rest", r"audio \(FLAC\)"),
        (b"\x00\x01\x02\xff", "unknown data that begins with 00 01 02 ff"),
        (b"  \n ", "blank space"),
        (("é" * 600).encode()[:-1], "text that begins"),
    ],
)
def test_file_of_another_kind_is_named_with_its_apparent_type(tmp_path, content, words):
    with pytest.raises(DamagedFileError, match=f"model.pth contains no weights.*{words}"):
        read_package(write(tmp_path, content))


def test_song_instead_of_weights_is_recognised(tmp_path):
    with pytest.raises(DamagedFileError, match=r"looks like audio \(WAV\)"):
        read_package(write(tmp_path, wav_bytes(tmp_path)))


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_truncated_file_is_reported(weights, tmp_path, kept):
    path = write(tmp_path, weights[: int(len(weights) * kept)])
    with pytest.raises(DamagedFileError, match="model.pth is truncated|damaged"):
        read_package(path)


def test_truncated_old_file_is_reported(package, tmp_path):
    torch.save(package, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for length in (20, 400, -100):
        path = write(tmp_path, (tmp_path / "old.pth").read_bytes()[:length], "cut.pth")
        with pytest.raises(DamagedFileError, match="cut.pth is damaged or"):
            read_package(path)


def test_file_with_overwritten_bytes_is_reported_as_damaged(weights, tmp_path):
    damaged = weights[:60] + bytes(100) + weights[160:]
    with pytest.raises(DamagedFileError, match="model.pth"):
        read_package(write(tmp_path, damaged))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_changed_bytes_are_read_or_refused_in_one_line(package, tmp_path):
    package["model_args"]["max_bin"] = np.int64(5)
    package["infos"]["software_versions"]["torch_version"] = TorchVersion("2.11")
    torch.save(package, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    content = (tmp_path / "old.pth").read_bytes()
    rng = np.random.default_rng(0)
    outcomes = set()
    for position, value in rng.integers((100, 0), (1400, 256), size=(200, 2)):
        path = write(tmp_path, content[:position] + bytes([value]) + content[position + 1 :])
        try:
            read_package(path)
            outcomes.add("read")
        except CheckpointError as error:
            assert str(path) in str(error)
            outcomes.add(type(error))
    assert outcomes == {"read", CheckpointError, DamagedFileError}


def test_truncated_safetensors_is_reported(package, tmp_path):
    content = save_package(package, tmp_path / "made.safetensors").read_bytes()
    with pytest.raises(DamagedFileError, match="cut.safetensors is damaged or truncated"):
        read_package(write(tmp_path, content[:-10], "cut.safetensors"))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_plain_state_dict_is_explained(package, tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(package["state_dict"], path)
    else:
        save_file(package["state_dict"], path)
    with pytest.raises(CheckpointError, match="is a plain state dict of 2 tensors.*save_package"):
        read_package(path)


def test_lightning_checkpoint_is_explained(package, tmp_path):
    training = {"pytorch-lightning_version": "2.6", "state_dict": package["state_dict"]}
    torch.save(training, tmp_path / "last.ckpt")
    with pytest.raises(CheckpointError, match="is a Lightning checkpoint.*best_model.pth"):
        read_package(tmp_path / "last.ckpt")


@pytest.mark.parametrize(
    "content, words",
    [
        ([1, 2], "contains a list, not a package"),
        ({}, "lacks model_name, model_args, state_dict.*found nothing"),
        ({"state_dict": {}, "epoch": 3}, "lacks model_name, model_args.*found state_dict, epoch"),
        ({"model_name": "A", "model_args": 1, "state_dict": {}}, "model_args is not a dictionary"),
        ({"model_name": "A", "model_args": {}, "state_dict": {"a": 1}}, "state_dict is no"),
    ],
)
def test_file_that_is_not_a_package_is_refused_with_what_it_lacks(tmp_path, content, words):
    torch.save(content, tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match=words):
        read_package(tmp_path / "model.pth")


def test_zip_of_something_else_is_recognised(tmp_path):
    with zipfile.ZipFile(tmp_path / "songs.zip", "w") as archive:
        archive.writestr("song.wav", b"")
    with pytest.raises(DamagedFileError, match="neither .* it contains song.wav"):
        read_package(tmp_path / "songs.zip")


def test_torchscript_program_is_recognised(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("model/constants.pkl", b"")
        archive.writestr("model/data.pkl", b"")
    with pytest.raises(DamagedFileError, match="TorchScript program"):
        read_package(tmp_path / "model.pt")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="gone.pth does not exist"):
        read_package(tmp_path / "gone.pth")


def test_published_folder_is_read(package, tmp_path):
    save_package(package, tmp_path / "publish_dir" / "model.pth")
    assert_same(package, read_package(tmp_path / "publish_dir"))


def test_folder_without_weights_is_reported(tmp_path):
    with pytest.raises(CheckpointError, match="contains no weights.*pytorch_model.bin"):
        read_package(tmp_path)


def test_failed_save_changes_neither_package_nor_older_file(package, tmp_path):
    path = save_package(package, tmp_path / "model.pth")
    before = path.read_bytes()
    package["infos"]["date"] = np.zeros(2)
    with pytest.raises(CheckpointError, match="infos.date is a ndarray.*convert it"):
        save_package(package, path)
    assert path.read_bytes() == before and isinstance(package["infos"]["date"], np.ndarray)


@pytest.mark.parametrize("name", ["model.pth", "model.safetensors"])
def test_killed_write_leaves_the_older_file(package, tmp_path, monkeypatch, name):
    path = save_package(package, tmp_path / name)
    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        save_package(package, path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == [name]


def test_saved_file_loads_with_torchs_default_allowlist(package, tmp_path):
    package["model_args"]["max_bin"] = np.int64(5)
    package["infos"]["software_versions"]["torch_version"] = torch.__version__
    save_package(package, tmp_path / "model.pth")
    read = torch.load(tmp_path / "model.pth", weights_only=True)
    assert read["model_args"]["max_bin"] == 5
    assert json.loads(json.dumps(read["infos"])) == read["infos"]


def test_view_of_a_large_tensor_takes_only_its_own_bytes(package, tmp_path):
    package["state_dict"] = {"a": torch.zeros(1_000_000)[:10]}
    assert save_package(package, tmp_path / "model.pth").stat().st_size < 10_000


def test_sources_that_share_memory_are_saved_in_both_formats(package, tmp_path):
    window = torch.hann_window(8)
    package["state_dict"] = {"encoder.window": window, "decoder.window": window}
    for name in ("model.pth", "model.safetensors"):
        assert_same(package, read_package(save_package(package, tmp_path / name)))


def test_safetensors_from_others_are_read_with_the_configuration_beside_them(package, tmp_path):
    folder = tmp_path / "of the mixin"
    folder.mkdir()
    save_file(package["state_dict"], folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="is a plain state dict"):
        read_package(folder)
    (folder / "config.json").write_text(json.dumps(package["model_args"]))
    with pytest.raises(CheckpointError, match="config.json does not say which model"):
        read_package(folder)
    config = {"model_name": "XUMX", **package["model_args"]}
    (folder / "config.json").write_text(json.dumps(config))
    del package["infos"]
    assert_same(package, read_package(folder))
    (folder / "config.json").write_text(json.dumps(config)[:-9])
    with pytest.raises(DamagedFileError, match="config.json is damaged"):
        read_package(folder)


def test_single_weights_file_of_a_folder_is_read_and_several_are_named(package, tmp_path):
    save_package(package, tmp_path / "net.ckpt")
    (tmp_path / "README.md").write_text("My network")
    assert_same(package, read_package(tmp_path))
    (tmp_path / "z.th").write_bytes(b"")
    with pytest.raises(CheckpointError, match="several weights files: net.ckpt, z.th. Name"):
        read_package(tmp_path)
