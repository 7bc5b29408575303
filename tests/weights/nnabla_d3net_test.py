"""Official NNabla D3Nets: converted networks give the official outputs, at any official size."""

import h5py
import numpy as np
import pytest
import torch

from asteroid_xscheme.weights import CheckpointError, load_package
from asteroid_xscheme.weights.nnabla import read_parameters
from asteroid_xscheme.weights.nnabla_d3net import convert_d3net
from asteroid_xscheme.models import XD3Net
from asteroid_xscheme.models.d3net_config import OFFICIAL

SMALL = dict(splits={"vocals": [8]}, patch=(16, 8))


def build(package):
    model = XD3Net(**package["model_args"])
    model.load_state_dict(package["state_dict"])
    return model


def convert_small(golden, name="d3net_small.h5"):
    return build(convert_d3net(read_parameters(golden / name), **SMALL))


def frames_first(array):
    return torch.from_numpy(array).transpose(0, 1)


def relative_error(estimate, expected):
    return (estimate - expected).abs().max() / expected.abs().max()


@pytest.mark.parametrize("folded", (False, True))
def test_converted_network_gives_the_official_output(golden, folded):
    reference, model = np.load(golden / "d3net_small.npz"), convert_small(golden).eval()
    model = model.fold() if folded else model
    with torch.no_grad():
        estimate = model.estimate_magnitudes(frames_first(reference["x"]))
    assert relative_error(estimate[0], frames_first(reference["y"])) < 1e-5


def test_training_mode_and_its_statistics_equal_the_official_ones(golden):
    reference, model = np.load(golden / "d3net_small.npz"), convert_small(golden).train()
    with torch.no_grad():
        estimate = model.estimate_magnitudes(frames_first(reference["x"]))
    assert relative_error(estimate[0], frames_first(reference["y_train"])) < 1e-4
    moved = convert_small(golden, "d3net_small_after_train_forward.h5").state_dict()
    for name, value in model.state_dict().items():
        if "running" in name:
            assert relative_error(value, moved[name]) < 1e-4, name


@pytest.mark.parametrize("flip", (0, 1))
@pytest.mark.parametrize("n_frames", (32, 37))
def test_overlapping_patches_equal_the_official_inference(golden, n_frames, flip):
    reference, model = np.load(golden / "d3net_small_overlap_add.npz"), convert_small(golden).eval()
    magnitudes = torch.from_numpy(reference[f"x{n_frames}"])[:, None]
    with torch.no_grad():
        estimate = model.estimate_patches(magnitudes, flip_channels=bool(flip))
    expected = torch.from_numpy(reference[f"y{n_frames}_flip{flip}"])
    assert relative_error(estimate[0, :, 0], expected) < 1e-5


def conv(path, n_out, n_in, size):
    return {f"{path}/W": (n_out, n_in, size, size), f"{path}/b": (n_out,)}


def norm(path, n_channels):
    return {f"{path}/{name}": (1, n_channels, 1, 1) for name in ("beta", "gamma", "mean", "var")}


def unit(path, n_in, n_out):
    path = f"{path}/bottleneck"
    return {**norm(f"{path}/norm1/bn", n_in), **conv(f"{path}/conv1/conv", n_out, n_in, 3)}


def d2(path, n_in, growth, n_layers):
    shapes = unit(f"{path}/initial_layer", n_in, growth * n_layers)
    for layer in range(1, n_layers):
        shapes |= unit(f"{path}/layers/layer{layer}", growth, growth * (n_layers - layer))
    return shapes


def d3(path, n_in, growth, n_layers, n_blocks):
    shapes = d2(f"{path}/initial_block", n_in, growth * n_blocks, n_layers)
    for block in range(1, n_blocks):
        shapes |= d2(f"{path}/layers/layer{block}", growth, growth * (n_blocks - block), n_layers)
    return shapes


def path_shapes(path, config):
    depth, growth, n_in, shapes = config.depth, config.growth, config.init_channels, {}
    for i in range(2 * depth + 1):
        name = "bottleneck_block" if i == depth else f"ds_layers/dense_block{i}"
        if i > depth:
            upsample = f"{path}/us_layers/upsample{i - depth - 1}/upsample"
            shapes |= norm(f"{upsample}/norm/bn", n_in)
            shapes |= conv(f"{upsample}/transconv/deconv", n_in, n_in, 2)
            name, n_in = f"us_layers/dense_block{i}", n_in + growth[2 * depth - i]
        shapes |= d3(f"{path}/{name}", n_in, growth[i], config.layers[i], config.blocks[i])
        n_in = growth[i]
    return shapes


def official_parameters(source, n_bins=2049):
    """Zeros under the names and in the shapes of the official network of a source."""
    config = OFFICIAL[source]
    shapes = {name: (1, 1, 1, n_bins) for name in ("in_offset", "in_scale")}
    shapes |= {name: (1, 1, 1, config.valid_bins) for name in ("decode_scale", "decode_bias")}
    for band, path in enumerate(config.bands):
        shapes |= conv(f"features_init/{band}/conv", path.init_channels, 2, 3)
        shapes |= path_shapes(f"dense_band/{band}", path)
        if path.growth[-1] != config.band_channels:
            shapes |= norm(f"match_fm_conv/{band}/norm/bn", path.growth[-1])
            shapes |= conv(
                f"match_fm_conv/{band}/conv/conv", config.band_channels, path.growth[-1], 1
            )
    shapes |= conv("features_init_full/conv", config.full.init_channels, 2, 3)
    shapes |= path_shapes("dense_full", config.full)
    joined = config.band_channels + config.full.growth[-1]
    shapes |= d2("final_dense", joined, config.final_growth, config.final_layers)
    shapes |= norm("out_gate/bn/bn", config.final_growth)
    shapes |= conv("out_gate/conv_gate/conv/conv", 2, config.final_growth, 1)
    shapes |= conv("out_gate/conv_filt/conv/conv", 2, config.final_growth, 1)
    zero = np.zeros((), np.float32)
    return {f"{source}/{name}": np.broadcast_to(zero, shape) for name, shape in shapes.items()}


def test_official_configurations_are_inferred_from_the_shapes():
    parameters = {}
    for source in OFFICIAL:
        parameters |= official_parameters(source)
    package = convert_d3net(parameters)
    assert package["model_args"]["sources"] == list(OFFICIAL)
    assert package["model_args"]["network"] == [config.to_dict() for config in OFFICIAL.values()]
    assert package["model_args"]["in_chan"] == 4096 and package["model_args"]["n_hop"] == 1024
    assert package["model_args"]["above_valid"] == "mixture"
    build(package)


@pytest.mark.parametrize("source, n_datasets", (("bass", 1128), ("drums", 1098), ("other", 1098)))
def test_number_of_parameters_equals_that_of_the_official_files(source, n_datasets):
    assert len(official_parameters(source)) == n_datasets


def write_h5(file, parameters):
    with h5py.File(file, "w") as root:
        for index, (name, array) in enumerate(parameters.items()):
            root[name] = array
            root[name].attrs["index"] = index
    return file


def test_file_of_one_official_source_gives_a_model_of_that_source(tmp_path):
    with h5py.File(tmp_path / "vocals.h5", "w") as root:
        for index, (name, array) in enumerate(official_parameters("vocals").items()):
            root[name] = array
            root[name].attrs["index"] = index
    package = load_package(tmp_path / "vocals.h5")
    assert package["model_args"]["sources"] == ["vocals"]
    assert sum(v.numel() for k, v in package["state_dict"].items() if "num" not in k) == 2_975_489


def test_unknown_splits_are_an_error_with_a_remedy(golden):
    with pytest.raises(CheckpointError, match=r"'vocals' are split.*splits=\{'vocals': \[...\]\}"):
        convert_d3net(read_parameters(golden / "d3net_small.h5"))


def test_networks_of_different_spectrograms_are_refused():
    parameters = official_parameters("vocals") | official_parameters("other", n_bins=1025)
    with pytest.raises(CheckpointError, match=r"\(bins, channels\): \[\(1025, 2\), \(2049, 2\)\]"):
        convert_d3net(parameters)


def test_file_without_network_is_an_error():
    with pytest.raises(CheckpointError, match="Expected parameters of a D3Net"):
        convert_d3net({"fc1_bass/affine/W": np.zeros(1)})
