"""Weights files with random changes load correctly or are refused in one line."""

import io
import random
import shutil

import h5py  # noqa: F401  the reader of .h5 files is loaded before its files are changed
import pytest
import torch

from asteroid_xscheme.models import XUMX, BridgedModel
from asteroid_xscheme.weights import CheckpointError, save_package

KINDS = ("zip", "old", "protocol 4", "safetensors")
FEW, MANY = 100, 2500  # mutations of each kind


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The bytes of one small model in each file format."""
    folder = tmp_path_factory.mktemp("files")
    sizes = dict(window_length=16, in_chan=16, n_hop=4, hidden_size=2, nb_layers=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        package = XUMX(["a", "b"], sample_rate=8000, **sizes).serialize()
    content = {}
    for kind, options in (
        ("zip", {}),
        ("old", {"_use_new_zipfile_serialization": False}),
        ("protocol 4", {"pickle_protocol": 4}),
    ):
        file = io.BytesIO()
        torch.save(package, file, **options)
        content[kind] = file.getvalue()
    path = save_package(package, folder / "model.safetensors")
    content["safetensors"] = path.read_bytes()
    shutil.rmtree(folder)
    return content


def mutate(content, generator):
    """A few bytes changed, removed, repeated or cut off."""
    changed = bytearray(content)
    for _ in range(generator.choice((1, 1, 2, 8))):
        at = generator.randrange(len(changed))
        length = generator.choice((1, 1, 1, 4, 64))
        way = generator.randrange(5)
        if way < 3:
            changed[at : at + 1] = bytes([generator.randrange(256)])
        elif way == 3:
            del changed[at : at + length]
        else:
            changed[at:at] = changed[at : at + length]
        changed = changed or bytearray(1)
    return bytes(changed)


def check_mutations(content, path, n_mutations, seed):
    generator, n_lines = random.Random(seed), 0
    for _ in range(n_mutations):
        path.write_bytes(mutate(content, generator))
        try:
            model = BridgedModel.from_pretrained(path)
        except CheckpointError as error:
            assert str(error) and "\n" not in str(error)
            n_lines += 1
        else:
            assert all(value.isfinite().all() for value in model.state_dict().values())
    assert n_lines


@pytest.mark.parametrize("kind", KINDS)
def test_changed_file_loads_or_is_refused_in_one_line(files, tmp_path, kind):
    check_mutations(files[kind], tmp_path / "model.pth", FEW, seed=0)


@pytest.mark.fuzz
@pytest.mark.parametrize("kind", KINDS)
def test_ten_thousand_changed_files_load_or_are_refused_in_one_line(files, tmp_path, kind):
    check_mutations(files[kind], tmp_path / "model.pth", MANY, seed=1)
