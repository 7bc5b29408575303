"""Files with false sizes or damage are refused in one line, without using memory or time."""

import json
import struct
import zipfile

import h5py
import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

import xscheme
from asteroid_xscheme.models import BridgedModel
from asteroid_xscheme.weights import DamagedFileError

from .conftest import WEIGHT, assert_refused


def write_safetensors(path, package, metadata):
    state_dict = {name: value.clone() for name, value in package["state_dict"].items()}
    save_file(state_dict, path, metadata={"package": metadata})


# Sizes that are claimed


def _nested(levels, make):
    value = 0
    for _ in range(levels):
        value = make(value)
    return value


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("make", [lambda x: [x, x], lambda x: (x, x), lambda x: {"a": x, "b": x}])
def test_sixty_levels_of_shared_values_are_refused_at_once(model_package, path, make, protocol):
    model_package["infos"]["shared"] = _nested(60, make)
    torch.save(model_package, path, pickle_protocol=protocol)
    assert_refused(path, r"is refused: it has \d+ bytes but claims to contain \d\.\d+e\+18")


def test_endlessly_nested_values_are_refused(path):
    program = b"\x80\x02" + 100_000 * b"]" + 99_999 * b"a" + b"."
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bad/data.pkl", program)
    assert_refused(path, "its values are nested more than 64 levels deep", DamagedFileError)


def test_list_that_contains_itself_is_refused(model_package, path):
    model_package["infos"]["loop"] = loop = []
    loop.append(loop)
    torch.save(model_package, path)
    assert_refused(path, "contains a list or dictionary that contains itself", DamagedFileError)


def test_one_number_expanded_to_a_matrix_of_terabytes_is_refused(model_package, path):
    model_package["state_dict"]["big"] = torch.zeros(1).expand(10**6, 10**6)
    torch.save(model_package, path)
    assert_refused(path, r"claims to contain 4e\+12")


def test_zip_whose_directory_claims_gigabytes_is_refused(model_package, path):
    torch.save(model_package, path)
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.rindex(b"PK\x01\x02") + 24, 0xFFFFFFF0)
    path.write_bytes(content)
    assert_refused(path, r"is refused: it has \d+ bytes but claims to contain 4\.29e\+09")


def test_zip_that_unpacks_to_many_times_its_size_is_refused(model_package, path):
    torch.save(model_package, path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bad/data/more", bytes(1 << 24))
    assert_refused(path, r"claims to contain 1\.\d+e\+07. Weights do not compress that well")


# Bytes that are broken


def _flip(path, record, offset):
    """Change one bit in the data of a record of a zip."""
    with zipfile.ZipFile(path) as archive:
        header = archive.getinfo(record).header_offset
    content = bytearray(path.read_bytes())
    name, extra = struct.unpack_from("<HH", content, header + 26)
    content[header + 30 + name + extra + offset] ^= 1
    path.write_bytes(content)


def test_flipped_bit_in_a_tensor_is_noticed(model_package, path):
    torch.save(model_package, path)
    BridgedModel.from_pretrained(path)
    with zipfile.ZipFile(path) as archive:
        tensors = [info for info in archive.infolist() if "/data/" in info.filename]
    largest = max(tensors, key=lambda info: info.file_size)
    _flip(path, largest.filename, largest.file_size // 2)
    assert_refused(path, f"is damaged.*CRC-32 for file '{largest.filename}'", DamagedFileError)


def test_zip_with_an_unsupported_method_is_refused_with_a_remedy(model_package, path):
    torch.save(model_package, path.with_name("made.pth"))
    with zipfile.ZipFile(path.with_name("made.pth")) as made:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
            for info in made.infolist():
                archive.writestr(info.filename, made.read(info))
    assert_refused(path, "compressed with a method that torch cannot read.*as an ordinary zip")


def test_zip_of_a_later_version_of_zip_is_refused(model_package, path):
    torch.save(model_package, path)
    content = bytearray(path.read_bytes())
    struct.pack_into("<H", content, content.index(b"PK\x01\x02") + 6, 0xFFFF)
    path.write_bytes(content)
    assert_refused(path, "is damaged or truncated", DamagedFileError)


@pytest.mark.parametrize(
    "metadata", ["{not json", "[" * 100_000, '{"a": ' * 100_000, '{"a": ' + "9" * 5000 + "}", "[1]"]
)
def test_safetensors_with_broken_metadata_is_reported_as_damaged(model_package, path, metadata):
    write_safetensors(path, model_package, metadata)
    assert_refused(path, "is damaged or truncated", DamagedFileError)


@pytest.mark.parametrize("header", [b"{" + b"x" * 50, b'{"a":' * 20_000, b"{" + b"\xff" * 50])
def test_safetensors_with_a_broken_header_is_reported_as_damaged(path, header):
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(100))
    assert_refused(path, "is damaged or truncated", DamagedFileError)


def test_safetensors_whose_rate_is_not_a_number_is_refused(model_package, path):
    model_package["model_args"]["sample_rate"] = float("nan")
    rest = {key: value for key, value in model_package.items() if key != "state_dict"}
    write_safetensors(path, model_package, json.dumps(rest))
    assert_refused(path, "Expected sample_rate to be a finite number, got nan")


# HDF5


@pytest.fixture
def h5(golden, tmp_path):
    path = tmp_path / "bad.h5"
    path.write_bytes((golden / "xumx_nnabla.h5").read_bytes())
    return path


def test_unmodified_h5_of_this_module_loads(h5):
    BridgedModel.from_pretrained(h5)


def _replace(path, prefix, **dataset):
    """Replace the first dataset whose name starts like this."""
    with h5py.File(path, "r+") as root:
        name = next(name for name in root if name.startswith(prefix))
        del root[name]
        root.create_dataset(name, **dataset)


@pytest.mark.parametrize("packing", [{}, {"compression": "gzip"}])
def test_h5_that_claims_93_gib_is_refused(h5, packing):
    size = dict(shape=(250_000, 100_000), dtype="f4", chunks=(1000, 1000))
    _replace(h5, "input_mean_", **size, **packing)
    assert_refused(h5, r"is refused: it has \d+ bytes but claims to contain 1e\+11")


def test_h5_that_links_to_another_file_does_not_read_it(h5):
    other = h5.with_name("secret")
    other.write_bytes(np.ones(8, "f4"))
    _replace(h5, "input_mean_", shape=(8,), dtype="f4", external=[(str(other), 0, 32)])
    assert_refused(h5, "input_mean_.* is not an array of numbers")


@pytest.mark.parametrize("data", ["text", np.zeros(8, "c8"), np.array(["a"], "S1")])
def test_h5_with_values_that_are_not_numbers_is_refused_by_name(h5, data):
    _replace(h5, "input_mean_", data=data)
    assert_refused(h5, "input_mean_.* is not an array of numbers")


@pytest.mark.parametrize("data", [np.float32(3), np.zeros(0, "f4"), np.zeros((2, 3, 4), "f4")])
def test_h5_with_other_shapes_is_refused(h5, data):
    _replace(h5, "input_mean_", data=data)
    assert_refused(h5, "do not fit|do not build|do not have the shapes")


def test_h5_with_a_nan_is_refused_by_name(h5):
    _replace(h5, "input_mean_", data=np.full(8, np.nan, "f4"))
    assert_refused(h5, "weights are not finite: mean_scale.input_mean_")


# From the command line


def _misfit(model_package, path):
    model_package["state_dict"][WEIGHT] = model_package["state_dict"][WEIGHT].long()
    torch.save(model_package, path)


def _no_rate(model_package, path):
    model_package["model_args"]["sample_rate"] = None
    torch.save(model_package, path)


def _not_finite(model_package, path):
    model_package["state_dict"][WEIGHT][0, 0] = float("nan")
    torch.save(model_package, path)


def _too_large(model_package, path):
    model_package["infos"]["shared"] = _nested(60, lambda x: [x, x])
    torch.save(model_package, path)


def _deep_json(model_package, path):
    write_safetensors(path, model_package, "[" * 100_000)


def _flipped_bit(model_package, path):
    torch.save(model_package, path)
    _flip(path, "bad/data/0", 100)


def assert_fails_in_one_line(command, path, capsys):
    assert xscheme.main(command) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("xscheme: ") and str(path) in line


@pytest.mark.parametrize(
    "spoil", [_misfit, _no_rate, _not_finite, _too_large, _deep_json, _flipped_bit]
)
def test_separate_exits_with_1_and_one_line_that_names_the_file(model_package, path, capsys, spoil):
    song, out = path.with_name("song.wav"), path.with_name("out")
    soundfile.write(song, np.zeros((800, 2)), 8000)
    spoil(model_package, path)
    command = ["separate", str(song), "-n", str(path), "-o", str(out), "-d", "cpu"]
    assert_fails_in_one_line(command, path, capsys)
    assert not list(out.rglob("*.wav"))


@pytest.mark.parametrize("spoil", [_not_finite, _too_large, _deep_json, _flipped_bit])
def test_convert_exits_with_1_and_one_line_that_names_the_file(model_package, path, capsys, spoil):
    spoil(model_package, path)
    converted = path.with_name("new.pth")
    assert_fails_in_one_line(["convert", str(path), str(converted)], path, capsys)
    assert not converted.exists()
