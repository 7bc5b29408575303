"""Our reader of torch.save's files against torch's own, bit for bit."""

import pickletools
import zipfile

import pytest
import torch

from asteroid_xscheme.weights.torch_files import read_torch_file

DTYPES = [
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64),
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
]
NEW_DTYPES = [torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2]


def _bits(tensor):
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8)


def assert_equal(ours, theirs):
    """Assert equal values in equal containers, and tensors of equal type, shape and bits."""
    if isinstance(theirs, torch.Tensor):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        assert torch.equal(_bits(ours), _bits(theirs))
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key, value in theirs.items():
            assert_equal(ours[key], value)
    elif isinstance(theirs, (list, tuple)):
        assert type(ours) is type(theirs) and len(ours) == len(theirs)
        for mine, other in zip(ours, theirs):
            assert_equal(mine, other)
    else:
        assert ours == theirs


@pytest.fixture
def content(model_package):
    """A package, and tensors of every type and layout."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (3, 5, 16), dtype=torch.uint8, generator=generator)
    tensors = {str(dtype): noise.clone().view(dtype) for dtype in DTYPES if dtype != torch.bool}
    tensors["torch.bool"] = noise > 127
    base = torch.arange(24.0)
    views = {"base": base, "slice": base[5:20:3], "turned": base.view(4, 6).T}
    others = {
        **{"scalar": torch.tensor(3), "empty": torch.zeros(0, 3), "wide": torch.ones(1).expand(9)},
        **{"parameter": torch.nn.Parameter(torch.ones(2)), "nan": torch.tensor([-0.0, torch.nan])},
    }
    plain = [None, True, -1, 2**40, 2**70, 1.5, "naïve", "", b"\0\xff", (1,), (1, 2, 3, 4), {}]
    return {"package": model_package, "tensors": {**tensors, **views, **others}, "plain": plain}


@pytest.mark.parametrize("new_format", [True, False])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_is_read_like_torch(content, path, protocol, new_format):
    torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=new_format)
    # torch's own reader of plain values knows protocol 2 and calls 3 new
    assert_equal(read_torch_file(path), torch.load(path, weights_only=protocol == 2))


@pytest.mark.parametrize("protocol", [2, 4])
def test_types_of_later_torch_are_read_like_torch(path, protocol):
    tensors = [torch.arange(48, dtype=torch.uint8).view(dtype) for dtype in NEW_DTYPES]
    torch.save(tensors, path, pickle_protocol=protocol)
    assert_equal(read_torch_file(path), torch.load(path, weights_only=protocol == 2))


@pytest.mark.parametrize("name", ["xumx_asteroid_checkpoint.pth", "openunmix_small_state_dict.pth"])
def test_files_of_other_projects_are_read_like_torch(golden, name):
    theirs = torch.load(golden / name, weights_only=False)
    assert_equal(read_torch_file(golden / name), theirs)


def test_views_of_one_storage_share_their_memory(content, path):
    torch.save(content, path)
    tensors = read_torch_file(path)["tensors"]
    starts = {tensors[name].untyped_storage().data_ptr() for name in ("base", "slice", "turned")}
    assert len(starts) == 1


def test_repacked_zip_is_read(content, path):
    torch.save(content, path)
    with (
        zipfile.ZipFile(path) as made,
        zipfile.ZipFile(path.with_name("packed.pth"), "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for info in made.infolist():
            packed.writestr(info.filename, made.read(info))
    assert_equal(read_torch_file(path.with_name("packed.pth")), read_torch_file(path))


def test_protocols_of_this_module_differ(content, path):
    names = {}
    for protocol in (2, 4):
        torch.save(content, path, pickle_protocol=protocol)
        with zipfile.ZipFile(path) as archive:
            program = archive.read(f"{path.stem}/data.pkl")
        names[protocol] = {opcode.name for opcode, *_ in pickletools.genops(program)}
    assert names[4] - names[2] >= {"STACK_GLOBAL", "MEMOIZE", "FRAME"}
