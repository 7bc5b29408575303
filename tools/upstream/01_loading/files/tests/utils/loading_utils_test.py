import pickle

import numpy as np
import pytest
import torch

from asteroid.models import ConvTasNet
from asteroid.utils.loading_utils import as_plain_number, load_package

safe_loading = pytest.mark.skipif(torch.__version__ < "2.6", reason="Files are not checked.")


class Stranger:
    """Something that a file must not be able to ask for."""


def small_model():
    return ConvTasNet(
        n_src=2, n_repeats=1, n_blocks=1, bn_chan=4, hid_chan=4, skip_chan=4, n_filters=8
    )


@pytest.mark.parametrize("number", (np.int64(1487), np.float32(0.5), np.bool_(True)))
def test_packages_with_numpy_scalars_load_as_plain_numbers(number, tmp_path):
    torch.save({"model_args": {"max_bin": number}}, tmp_path / "model.pth")
    loaded = load_package(tmp_path / "model.pth")["model_args"]["max_bin"]
    assert loaded == number
    if torch.__version__ >= "2.6":
        assert type(loaded) in (int, float, bool)


def test_packages_with_the_version_object_of_torch_load(tmp_path):
    torch.save({"version": torch.__version__, "weight": torch.ones(2)}, tmp_path / "model.pth")
    loaded = load_package(str(tmp_path / "model.pth"))
    assert loaded["version"] == torch.__version__
    assert torch.equal(loaded["weight"], torch.ones(2))


@safe_loading
def test_packages_with_anything_else_are_refused(tmp_path):
    torch.save({"infos": Stranger()}, tmp_path / "model.pth")
    with pytest.raises(pickle.UnpicklingError, match="Stranger"):
        load_package(tmp_path / "model.pth")


@safe_loading
def test_arrays_of_objects_are_refused(tmp_path):
    torch.save({"infos": np.dtype("O")}, tmp_path / "model.pth")
    with pytest.raises(pickle.UnpicklingError, match="not the type of a number"):
        load_package(tmp_path / "model.pth")


def test_numpy_scalars_become_plain_numbers_and_the_rest_stays():
    assert type(as_plain_number(np.int64(3))) is int
    names = ["vocals"]
    assert as_plain_number(names) is names


@pytest.mark.parametrize("as_type", (str, lambda path: path))
def test_saved_models_load_from_a_path(as_type, tmp_path):
    model = small_model()
    torch.save(model.serialize(), tmp_path / "model.pth")
    loaded = ConvTasNet.from_pretrained(as_type(tmp_path / "model.pth"))
    wav = torch.rand(1, 800)
    torch.testing.assert_close(loaded(wav), model(wav))


def test_serialized_models_hold_plain_types_alone(tmp_path):
    torch.save(small_model().serialize(), tmp_path / "model.pth")
    package = torch.load(tmp_path / "model.pth", weights_only=True)
    assert {type(v) for v in package["infos"]["software_versions"].values()} == {str}


def test_from_pretrained_leaves_its_package_as_it_was():
    package = small_model().serialize()
    before = dict(package["model_args"])
    model = ConvTasNet.from_pretrained(package, sample_rate=16000)
    assert model.sample_rate == 16000
    assert package["model_args"] == before
