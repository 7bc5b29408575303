"""Convert official NNabla files (.h5) to packages: X-UMX here, D3Net in `nnabla_d3net`.

A file has one float32 dataset per parameter, `scope/.../name`, with its order of creation in the
attribute `index`. Neither sizes nor settings are stored; they follow from the shapes. This needs
h5py, but not NNabla.

Source of the layouts: sony/ai-research-code, x-umx and d3net.
"""

import io
from pathlib import Path
from typing import Any, BinaryIO, Dict, List, Mapping, Union

import numpy as np
import torch

from .archives import open_archive
from .diagnosis import CheckpointError, told_as_damage
from .extent import check_size
from .nnabla_d3net import HOPS_PER_WINDOW, SAMPLE_RATE, convert_d3net, to_tensor

Parameters = Dict[str, np.ndarray]


def read_parameters(file: Union[Path, BinaryIO], name: str = "") -> Parameters:
    """Read all parameters of an .h5 file.

    Args:
        file: Path or binary file object.
        name: Name for messages; by default the path.

    Returns:
        Array by path, in the order in which the network created the parameters.

    HDF5 checks the checksums of a file (fletcher32) where it has any. NNabla writes none, so a
    changed weight is only noticed in a published file, whose own checksum is known.

    Raises:
        CheckpointError: If h5py is not installed, or the file claims more than its size allows.
        DamagedFileError: If the file is truncated or damaged.
    """
    h5py, origin = _import_h5py(), name or str(file)
    with told_as_damage(origin, OSError), h5py.File(file, "r") as root:
        found: Dict[str, Any] = {}
        root.visititems(lambda path, node: found.update({path: node}))
        datasets = {path: node for path, node in found.items() if isinstance(node, h5py.Dataset)}
        _check_datasets(datasets, origin, root.id.get_filesize())
        order = {path: _index(node, i) for i, (path, node) in enumerate(datasets.items())}
        return {path: np.asarray(datasets[path]) for path in sorted(order, key=order.__getitem__)}


def _check_datasets(datasets: Mapping[str, Any], origin: str, n_bytes: int) -> None:
    """Refuse datasets that are not arrays of numbers stored in this file, before reading any."""
    check_size(origin, sum(dataset.nbytes for dataset in datasets.values()), n_bytes)
    for path, dataset in datasets.items():
        if dataset.dtype.kind not in "fiu" or dataset.external or dataset.is_virtual:
            raise CheckpointError(
                f"{origin}: {path} is not an array of numbers, as NNabla writes it."
            )


def _index(dataset: Any, default: int) -> int:
    """The position of a parameter in the order of creation."""
    if "index" not in dataset.attrs or dataset.attrs.get_id("index").shape not in ((), (1,)):
        return default
    return int(np.asarray(dataset.attrs["index"]).item())


def read_zip(path: Path) -> Parameters:
    """Read the parameters of all .h5 files in a zip, such as the official D3Net's.

    Raises:
        CheckpointError: As :func:`read_parameters`, or if the zip would unpack to far more than
            its size.
    """
    parameters: Parameters = {}
    with open_archive(path) as archive:
        for member in sorted(archive.namelist()):
            if member.endswith(".h5") and "__MACOSX" not in member:
                data = io.BytesIO(archive.read(member))
                parameters.update(read_parameters(data, f"{path} ({member})"))
    return parameters


def read_folder(path: Path) -> Parameters:
    """Read the parameters of all .h5 files in a folder, such as an unpacked zip.

    Raises:
        CheckpointError: As :func:`read_parameters`.
    """
    parameters: Parameters = {}
    for file in sorted(path.glob("*.h5")):
        parameters.update(read_parameters(file))
    return parameters


def convert(parameters: Parameters, origin: str) -> Dict[str, Any]:
    """Convert an official X-UMX or D3Net to a package.

    Args:
        parameters: From `read_parameters`, `read_zip` or `read_folder`.
        origin: Name of the file, for messages.

    Returns:
        The package.

    Raises:
        CheckpointError: If the network is neither X-UMX nor D3Net for music, or a parameter is
            missing.
    """
    try:
        if any(path.startswith("fc1_") for path in parameters):
            return convert_xumx(parameters)
        if any(path.endswith("/in_offset") for path in parameters):
            return convert_d3net(parameters)
    except CheckpointError as error:
        raise type(error)(f"{origin}: {error}") from error
    except KeyError as error:
        raise CheckpointError(f"{origin} lacks the parameter {error}.") from error
    except (ArithmeticError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{origin}: its parameters do not have the shapes of the official networks ({error})."
        ) from error
    raise CheckpointError(
        f"{origin} is not a known network: expected the official X-UMX (fc1_bass/...) or D3Net "
        f"for music (vocals/in_offset, ...), found {', '.join(list(parameters)[:4]) or 'nothing'}."
    )


def convert_xumx(parameters: Parameters) -> Dict[str, Any]:
    """Convert an X-UMX with the layout of the official `x-umx.h5`, of any size.

    The normalization is stored as in asteroid: `input_mean` is minus the mean, `input_scale` is one
    over the standard deviation. The hop is a quarter of the window and the rate 44.1 kHz.

    Args:
        parameters: From :func:`read_parameters`.

    Returns:
        The package.

    Raises:
        KeyError: If a parameter is missing.
    """
    sources = _sources_of(parameters)
    first = sources[0]
    n_bins, max_bin = (len(parameters[f"{name}_mean_{first}"]) for name in ("output", "input"))
    n_layers, n_directions = parameters[f"lstm_{first}/lstm/bias"].shape[:2]
    n_inputs, hidden_size = parameters[f"fc1_{first}/affine/W"].shape
    n_fft = 2 * (n_bins - 1)
    model_args = {
        "sources": sources,
        "window_length": n_fft,
        "in_chan": n_fft,
        "n_hop": n_fft // HOPS_PER_WINDOW,
        "hidden_size": hidden_size,
        "nb_channels": n_inputs // max_bin,
        "sample_rate": SAMPLE_RATE,
        "nb_layers": n_layers,
        "input_mean": None,
        "input_scale": None,
        "max_bin": max_bin,
        "bidirectional": n_directions == 2,
        "spec_power": 1,
        "return_time_signals": False,
    }
    window = torch.hann_window(n_fft)
    state_dict = {"encoder.0.window": window}
    for source in sources:
        state_dict.update(_convert_source(parameters, source))
    state_dict["decoder.window"] = window.clone()
    return {"model_name": "XUMX", "model_args": model_args, "state_dict": state_dict}


def _sources_of(parameters: Parameters) -> List[str]:
    prefix = "input_mean_"
    sources = [path.removeprefix(prefix) for path in parameters if path.startswith(prefix)]
    if not sources:
        raise KeyError(f"{prefix}...")
    return sources


def _convert_source(parameters: Parameters, source: str) -> Dict[str, torch.Tensor]:
    """Tensors of one source's network, by asteroid's names and in its layouts."""
    layers = {
        f"layer_enc.{source}.enc": ((0, 1, "fc1"),),
        f"layer_dec.{source}.dec": ((0, 1, "fc2"), (3, 4, "fc3")),
    }
    converted = {}
    for prefix, pairs in layers.items():
        for linear, norm, name in pairs:
            weight = parameters[f"{name}_{source}/affine/W"]  # (in, out)
            converted[f"{prefix}.{linear}.weight"] = to_tensor(weight.T)
            norms = _convert_norm(parameters, f"{name}_{source}/bn")
            converted.update({f"{prefix}.{norm}.{key}": value for key, value in norms.items()})
    for key, value in _convert_lstm(parameters, f"lstm_{source}/lstm").items():
        converted[f"layer_lstm.{source}.{key}"] = value
    for key in ("input_mean", "input_scale", "output_mean", "output_scale"):
        converted[f"mean_scale.{key}_{source}"] = to_tensor(parameters[f"{key}_{source}"])
    return converted


def _convert_norm(parameters: Parameters, path: str) -> Dict[str, torch.Tensor]:
    """Convert batch normalization from (1, 1, C) to torch's entries (C,)."""
    names = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}
    entries = {
        ours: to_tensor(parameters[f"{path}/{theirs}"].ravel()) for ours, theirs in names.items()
    }
    return {**entries, "num_batches_tracked": torch.tensor(0)}


def _convert_lstm(parameters: Parameters, path: str) -> Dict[str, torch.Tensor]:
    """Convert an LSTM with D directions: weights (L, D, 4, H, inputs + H), biases (L, D, 4, H).

    The gates are in torch's order i, f, g, o. NNabla has one bias per gate and torch adds two, so
    the second becomes 0. The first layer has its own array, because its input size differs.
    """
    biases = parameters[f"{path}/bias"]
    weights = [parameters[f"{path}/weight_l0"]]
    if len(biases) > 1:
        weights.extend(parameters[f"{path}/weight"])
    converted = {}
    for layer, (weight, bias) in enumerate(zip(weights, biases)):
        for direction, suffix in enumerate(("", "_reverse")[: len(bias)]):
            hidden = bias.shape[-1]
            gates = weight[direction].reshape(4 * hidden, -1)
            name = f"l{layer}{suffix}"
            converted[f"weight_ih_{name}"] = to_tensor(gates[:, :-hidden])
            converted[f"weight_hh_{name}"] = to_tensor(gates[:, -hidden:])
            converted[f"bias_ih_{name}"] = to_tensor(bias[direction].ravel())
            converted[f"bias_hh_{name}"] = torch.zeros(4 * hidden)
    return converted


def _import_h5py():
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise CheckpointError(
            "Official NNabla files (.h5) need the package h5py: python -m pip install h5py"
        ) from error
    return h5py
