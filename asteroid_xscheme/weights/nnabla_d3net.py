"""Convert the parameters of official NNabla D3Nets for music to one package for XD3Net.

There may be one network or several, each under its source's name ("vocals/in_offset", ...): the
first release has four networks in one file, the second a zip with one file per network. The
configuration follows from names and shapes, except for the band splits and the patch length; these
are the published ones of each source.

Source of the layout: sony/ai-research-code, d3net/music-source-separation.
"""

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import torch

from .diagnosis import CheckpointError

Parameters = Mapping[str, np.ndarray]
Entries = Dict[str, torch.Tensor]
Splits = Mapping[str, Sequence[int]]

SAMPLE_RATE = 44100  # Hz; true of all official networks but not stored in their files
HOPS_PER_WINDOW = 4  # likewise
_VALID_BINS = 1600  # of the official networks, to which these splits and patches belong:
_SPLITS = {"bass": (192,), "drums": (128,), "other": (256,), "vocals": (256,)}
_PATCHES = {"bass": (384, 192)}  # frames and shift
_PATCH = (256, 128)  # of every other source
_NORM_ENTRIES = (
    ("weight", "gamma"),
    ("bias", "beta"),
    ("running_mean", "mean"),
    ("running_var", "var"),
)


def convert_d3net(
    parameters: Parameters,
    splits: Optional[Splits] = None,
    patch: Optional[Tuple[int, int]] = None,
) -> Dict[str, Any]:
    """Convert one or more D3Nets to one package without bridges.

    Above the valid bins, the networks copy the mixture, as the official ones do.

    Args:
        parameters: Array by path; the path begins with the source's name.
        splits: For each source, the bins at which a new band begins; by default the official ones.
        patch: Frames and shift of the patches of all sources; by default the official ones.

    Returns:
        The package.

    Raises:
        CheckpointError: If there is no network, if networks differ in channels or STFT, or if
            the splits are unknown.
        KeyError: If a parameter is missing.
    """
    suffix = "/in_offset"
    sources = [path.removesuffix(suffix) for path in parameters if path.endswith(suffix)]
    if not sources:
        raise CheckpointError("Expected parameters of a D3Net, such as vocals/in_offset.")
    networks = [_Network(parameters, f"{source}/") for source in sources]
    configs = [
        network.config(_splits_of(source, network, splits), patch or _PATCHES.get(source, _PATCH))
        for source, network in zip(sources, networks)
    ]
    state_dict = {
        f"networks.{j}.{name}": value
        for j, network in enumerate(networks)
        for name, value in network.state_dict().items()
    }
    model_args = {"sources": sources, "network": configs, **_common_args(sources, networks)}
    return {"model_name": "XD3Net", "model_args": model_args, "state_dict": state_dict}


def _common_args(sources: Sequence[str], networks: Sequence["_Network"]) -> Dict[str, Any]:
    """The arguments of XD3Net other than sources and networks."""
    forms = sorted({(network.n_bins, network.n_channels) for network in networks})
    if len(forms) > 1:
        raise CheckpointError(
            f"The networks of {', '.join(sources)} differ in (bins, channels): {forms}. "
            "Convert them separately."
        )
    n_bins, n_channels = forms[0]
    n_fft = 2 * (n_bins - 1)
    return {
        "window_length": n_fft,
        "in_chan": n_fft,
        "n_hop": max(1, n_fft // HOPS_PER_WINDOW),
        "nb_channels": n_channels,
        "sample_rate": SAMPLE_RATE,
        "input_mean": None,
        "input_scale": None,
        "above_valid": "mixture",
        "recompute": False,
        "return_time_signals": True,
        "bridge": False,
    }


def _splits_of(source: str, network: "_Network", splits: Optional[Splits]) -> Sequence[int]:
    """The bins at which the bands of a source begin, which do not follow from the file."""
    if splits is not None and source in splits:
        return splits[source]
    if network.n_bands == 1:
        return ()
    if splits is None and source in _SPLITS and network.n_valid == _VALID_BINS:
        return _SPLITS[source]
    raise CheckpointError(
        f"The file does not say at which bins the bands of {source!r} are split; this is only "
        f"known for the official networks of {', '.join(_SPLITS)} with {_VALID_BINS} valid bins. "
        f"Pass them as convert_d3net(parameters, splits={{{source!r}: [...]}})."
    )


class _Network:
    """The parameters of one source, found under `scope`."""

    def __init__(self, parameters: Parameters, scope: str):
        self.parameters = {
            path.removeprefix(scope): array
            for path, array in parameters.items()
            if path.startswith(scope)
        }
        self.n_bins = self.parameters["in_offset"].size
        self.n_valid = self.parameters["decode_scale"].size
        self.n_channels = self.parameters["features_init_full/conv/W"].shape[1]
        self.n_bands = self._count("features_init/{}/conv/W", 0)

    def _count(self, pattern: str, first: int) -> int:
        """Count the parameters pattern.format(first), pattern.format(first + 1), ..."""
        index = first
        while pattern.format(index) in self.parameters:
            index += 1
        return index - first

    # ---- configuration

    def config(self, splits: Sequence[int], patch: Tuple[int, int]) -> Dict[str, Any]:
        """The fields of a `D3NetConfig`."""
        growth, n_layers = self._d2_sizes("final_dense", n_parts=1)
        return {
            "valid_bins": self.n_valid,
            "splits": list(splits),
            "bands": [
                self._path_config(f"features_init/{band}", f"dense_band/{band}")
                for band in range(self.n_bands)
            ],
            "full": self._path_config("features_init_full", "dense_full"),
            "final_growth": growth,
            "final_layers": n_layers,
            "patch_frames": patch[0],
            "patch_shift": patch[1],
        }

    def _path_config(self, init: str, path: str) -> Dict[str, Any]:
        """The fields of a `PathConfig`."""
        growth, layers, blocks = zip(*(self._d3_sizes(block) for block in self._d3_paths(path)))
        return {
            "init_channels": len(self.parameters[f"{init}/conv/W"]),
            "growth": list(growth),
            "layers": list(layers),
            "blocks": list(blocks),
        }

    def _d3_paths(self, path: str) -> List[str]:
        """The D3 blocks of a path, in the order of the forward pass."""
        depth = self._count(path + "/us_layers/upsample{}/upsample/transconv/deconv/W", 0)
        return [
            *(f"{path}/ds_layers/dense_block{i}" for i in range(depth)),
            f"{path}/bottleneck_block",
            *(f"{path}/us_layers/dense_block{depth + 1 + i}" for i in range(depth)),
        ]

    def _d3_sizes(self, path: str) -> Tuple[int, int, int]:
        """Growth rate, layers per D2 block and number of D2 blocks of a D3 block."""
        n_blocks = 1 + self._count(
            path + "/layers/layer{}/initial_layer/bottleneck/conv1/conv/W", 1
        )
        growth, n_layers = self._d2_sizes(f"{path}/initial_block", n_blocks)
        return growth, n_layers, n_blocks

    def _d2_sizes(self, path: str, n_parts: int) -> Tuple[int, int]:
        """Growth rate per part of a D2 block with `n_parts` parts, and its number of layers."""
        n_layers = 1 + self._count(path + "/layers/layer{}/bottleneck/conv1/conv/W", 1)
        n_outputs = len(self.parameters[f"{path}/initial_layer/bottleneck/conv1/conv/W"])
        return n_outputs // (n_layers * n_parts), n_layers

    # ---- state dict

    def state_dict(self) -> Dict[str, torch.Tensor]:
        """Tensors by their names in :class:`D3Net`."""
        entries = {
            ours: to_tensor(self.parameters[theirs].ravel())
            for ours, theirs in (
                ("in_offset", "in_offset"),
                ("in_scale", "in_scale"),
                ("out_scale", "decode_scale"),
                ("out_offset", "decode_bias"),
            )
        }
        for band in range(self.n_bands):
            self._add_path(entries, f"bands.{band}", f"features_init/{band}", f"dense_band/{band}")
            match = f"match_fm_conv/{band}"
            if f"{match}/conv/conv/W" in self.parameters:
                self._add_norm(entries, f"bands.{band}.match.0", f"{match}/norm/bn")
                self._add_conv(entries, f"bands.{band}.match.1", f"{match}/conv/conv")
        self._add_path(entries, "full", "features_init_full", "dense_full")
        self._add_d2(entries, "final_block", "final_dense")
        self._add_norm(entries, "output_gate.norm", "out_gate/bn/bn")
        self._add_conv(entries, "output_gate.gate", "out_gate/conv_gate/conv/conv")
        self._add_conv(entries, "output_gate.linear", "out_gate/conv_filt/conv/conv")
        return entries

    def _add_path(self, entries: Entries, ours: str, init: str, path: str) -> None:
        self._add_conv(entries, f"{ours}.init", f"{init}/conv")
        blocks = self._d3_paths(path)
        for i, block in enumerate(blocks):
            self._add_d3(entries, f"{ours}.blocks.{i}", block)
        for i in range(len(blocks) // 2):
            upsampling = f"{path}/us_layers/upsample{i}/upsample"
            self._add_norm(entries, f"{ours}.upsamplings.{i}.norm", f"{upsampling}/norm/bn")
            self._add_conv(
                entries, f"{ours}.upsamplings.{i}.conv", f"{upsampling}/transconv/deconv"
            )

    def _add_d3(self, entries: Entries, ours: str, path: str) -> None:
        n_blocks = self._d3_sizes(path)[2]
        self._add_d2(entries, f"{ours}.links.0", f"{path}/initial_block")
        for m in range(1, n_blocks):
            self._add_d2(entries, f"{ours}.links.{m}", f"{path}/layers/layer{m}")

    def _add_d2(self, entries: Entries, ours: str, path: str) -> None:
        n_layers = self._d2_sizes(path, n_parts=1)[1]
        units = [f"{path}/initial_layer", *(f"{path}/layers/layer{i}" for i in range(1, n_layers))]
        for i, unit in enumerate(units):
            self._add_norm(entries, f"{ours}.links.{i}.norm", f"{unit}/bottleneck/norm1/bn")
            self._add_conv(entries, f"{ours}.links.{i}.conv", f"{unit}/bottleneck/conv1/conv")

    def _add_conv(self, entries: Entries, ours: str, path: str) -> None:
        for name, parameter in (("weight", "W"), ("bias", "b")):
            entries[f"{ours}.{name}"] = to_tensor(self.parameters[f"{path}/{parameter}"])

    def _add_norm(self, entries: Entries, ours: str, path: str) -> None:
        for name, parameter in _NORM_ENTRIES:
            entries[f"{ours}.{name}"] = to_tensor(self.parameters[f"{path}/{parameter}"].ravel())
        entries[f"{ours}.num_batches_tracked"] = torch.tensor(0)


def to_tensor(array: np.ndarray) -> torch.Tensor:
    """Copy an array of parameters to a float32 tensor of the same shape."""
    return torch.from_numpy(np.array(array, dtype=np.float32, order="C"))
