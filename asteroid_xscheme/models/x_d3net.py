"""X-D3Net: magnitudes of a mixture in, magnitudes of its sources out, by bridged D3Nets."""

from functools import partial
from itertools import groupby
from typing import Any, Callable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..bridge import BridgeChoice
from .checks import check_sizes
from .d3net import POINTS, D3Net, estimate_together
from .d3net_blocks import D3Block
from .d3net_config import D3NetConfig, configuration
from .spectrogram import SpectrogramModel

Estimator = Callable[[torch.Tensor], torch.Tensor]
NetworkChoice = Union[str, Mapping[str, Any]]
Statistic = Optional[Union[np.ndarray, torch.Tensor]]

ABOVE_VALID = ("share", "mixture")


class XD3Net(SpectrogramModel):
    """X-D3Net [1]; with `bridge=False` one independent D3Net [2] per source.

    The paper [1] shows no code or figure of X-D3Net's bridges that we know of. We place them as
    X-UMX does: one behind what reads the mixture, one before what makes the output.

    - "first_block" (default): the output of the first D3 block of every path. Each source keeps its
      own for the way up of its path; the mean goes down.
    - "concat" (default): all features before the final D2 block; the same as "bands" and "full".
    - "init": the convolutions before the first D3 block; linear, so their mean is one convolution.
    - "bands": the bands' features, joined; "full": the features of the path of all bins.
    - "final": the final D2 block, before the gates.

    Args:
        sources: Names of the sources.
        network: What each source's network is built from: "vocals" (the published network of
            that source, scaled to `in_chan`), "bass", "drums", "other", "small" (for trials on a
            CPU), the dictionary of a `D3NetConfig`, or a list of these with one for each source.
        window_length: Samples of the Hann window, at most `in_chan`.
        in_chan: Size of the Fourier transform in samples; it has F = in_chan // 2 + 1 bins.
        n_hop: Samples between two frames.
        nb_channels: Channels C of the mixture; 1 reads the mean of the channels it is given.
        sample_rate: Rate of the waveforms in Hz.
        input_mean: Mean magnitude of each bin over the training mixtures, (F,) array or tensor;
            it starts the input normalisation of every source, which is then trained.
        input_scale: Standard deviation of each bin, likewise, all positive. With both, what every
            source begins with is its share 1/J of such a mixture instead of a magnitude of 1.
        above_valid: What the estimates are in the bins above those that the networks estimate.
            "share", for networks trained together: the mixture divided by J, so that estimates can
            add up to the mixture and no source is charged with more than its part. "mixture", as
            in the published networks, which know of no other source: the whole mixture.
        recompute: Whether training computes the inside of each D3 block anew for the backward
            pass: far less memory, about a third more time.
        return_time_signals: Whether `forward` also returns waveforms.
        bridge: True for "first_block" and "concat", False for none, or names of points, see above.

    Raises:
        ValueError: If the networks' features have different shapes at an open bridge.

    References
        [1] R. Sawata, N. Takahashi, S. Uhlich, S. Takahashi and Y. Mitsufuji, "The whole is
        greater than the sum of its parts: improving music source separation by bridging networks",
        EURASIP Journal on Audio, Speech, and Music Processing 2024:39,
        https://arxiv.org/abs/2305.07855.
        [2] N. Takahashi and Y. Mitsufuji, "D3Net: Densely connected multidilated DenseNet for music
        source separation", https://arxiv.org/abs/2010.01733.
    """

    bridge_points = POINTS
    default_bridge_points = ("first_block", "concat")

    def __init__(
        self,
        sources: Sequence[str],
        network: Union[NetworkChoice, Sequence[NetworkChoice]] = "vocals",
        window_length: int = 4096,
        in_chan: int = 4096,
        n_hop: int = 1024,
        nb_channels: int = 2,
        sample_rate: float = 44100,
        input_mean: Statistic = None,
        input_scale: Statistic = None,
        above_valid: str = "share",
        recompute: bool = False,
        return_time_signals: bool = True,
        bridge: BridgeChoice = True,
    ):
        super().__init__(sources, sample_rate, nb_channels, bridge)
        check_sizes(window_length=window_length, in_chan=in_chan, n_hop=n_hop)
        if window_length > in_chan:
            raise ValueError(f"Expected a window_length of at most {in_chan}, got {window_length}.")
        if above_valid not in ABOVE_VALID:
            raise ValueError(f"above_valid must be one of {ABOVE_VALID}, got {above_valid!r}.")
        self.window_length = window_length
        self.in_chan = self.n_fft = in_chan
        self.n_hop = self.hop = n_hop
        self.above_valid = above_valid
        self.recompute = recompute
        self.return_time_signals = return_time_signals
        configs = _configurations(network, len(self.sources), in_chan)
        _check_bridges(configs, self.bridges.open)
        self.register_buffer("window", torch.hann_window(window_length), persistent=False)
        n_bins = in_chan // 2 + 1
        networks = [D3Net(config, n_bins, nb_channels) for config in configs]
        self.networks = cast(Sequence[D3Net], nn.ModuleList(networks))
        self._start(input_mean, input_scale)
        for module in self.modules():
            if isinstance(module, D3Block):
                module.recompute = recompute

    def _start(self, input_mean: Statistic, input_scale: Statistic) -> None:
        _start_normalisation(self.networks, "in_offset", input_mean)
        _start_normalisation(self.networks, "in_scale", input_scale)
        if input_mean is not None and input_scale is not None:
            _start_outputs(self.networks)

    def estimate_magnitudes(self, magnitudes: torch.Tensor) -> torch.Tensor:
        """Magnitudes (N, B, C, F) of the mixture -> (J, N, B, C, F) of the sources.

        Takes all frames at once, filled up to a number that the networks can halve. Songs are
        better given to :meth:`estimate_song`.
        """
        return self._estimate(self.networks, magnitudes)

    def estimate_song(self, magnitudes: torch.Tensor) -> torch.Tensor:
        """The same as :meth:`estimate_magnitudes` for a song: the mean of overlapping patches.

        This is the published inference of D3Net, whose estimates depend on the length of the
        patches: networks see their ends.
        """
        estimates = [
            overlap_add_patches(partial(self._estimate, networks), magnitudes, *patch)
            for networks, patch in self._networks_by_patch()
        ]
        return torch.cat(estimates)

    def _networks_by_patch(self) -> Iterator[Tuple[List[D3Net], Tuple[int, int]]]:
        """Networks of all sources in their order, and the (frames, shift) of their patches.

        Bridged networks take the same, of the most frames that one of them wants; of independent
        ones each takes its own.
        """

        def patch(network: D3Net) -> Tuple[int, int]:
            return network.config.patch_frames, network.config.patch_shift

        if self.bridges.open:
            yield list(self.networks), max(map(patch, self.networks))
            return
        for frames_and_shift, networks in groupby(self.networks, patch):
            yield list(networks), frames_and_shift

    def _estimate(self, networks: Sequence[D3Net], magnitudes: torch.Tensor) -> torch.Tensor:
        """Magnitudes of the sources that `networks` are for."""
        mixture = magnitudes.permute(1, 2, 0, 3)
        valid = estimate_together(networks, mixture, self.bridges)
        estimates = torch.stack([self._with_bins_above(x, mixture) for x in valid])
        return estimates.permute(0, 3, 1, 2, 4)

    def _with_bins_above(self, estimate: torch.Tensor, mixture: torch.Tensor) -> torch.Tensor:
        """An estimate (B, C, N, valid) with the bins above, (B, C, N, F)."""
        above = mixture[..., estimate.shape[-1] :]
        if self.above_valid == "share":
            above = above / len(self.sources)
        return torch.cat([estimate, above.to(estimate.dtype)], dim=-1)

    @property
    def configs(self) -> List[D3NetConfig]:
        """What the networks are built from, in the order of the sources."""
        return [network.config for network in self.networks]

    def get_model_args(self) -> dict:
        """Arguments that rebuild the model, in plain types."""
        networks = [config.to_dict() for config in self.configs]
        common = all(config == self.configs[0] for config in self.configs)
        return {
            "network": networks[0] if common else networks,
            "window_length": self.window_length,
            "in_chan": self.in_chan,
            "n_hop": self.n_hop,
            "input_mean": None,  # the state dict holds them, as trained
            "input_scale": None,
            "above_valid": self.above_valid,
            "recompute": self.recompute,
            "return_time_signals": self.return_time_signals,
            **super().get_model_args(),
        }


def _configurations(network: Any, n_sources: int, n_fft: int) -> List[D3NetConfig]:
    """One configuration for each source."""
    if isinstance(network, (str, Mapping)):
        network = [network] * n_sources
    if len(network) != n_sources:
        raise ValueError(
            f"Expected one network for all sources or one for each of the {n_sources}, got a list "
            f"of {len(network)}."
        )
    return [configuration(choice, n_fft) for choice in network]


def _check_bridges(configs: Sequence[D3NetConfig], points: Sequence[str]) -> None:
    """Refuse a bridge at which the networks' features cannot be averaged."""
    for point in points:
        first = configs[0].feature_shapes(point)
        for other in (config.feature_shapes(point) for config in configs[1:]):
            if other != first:
                raise ValueError(
                    f"The networks cannot be bridged at {point!r}: their features there have the "
                    f"shapes (channels, bins) {list(first)} and {list(other)}. Give all sources "
                    "the same network, or leave this point out of `bridge`."
                )


def _start_normalisation(networks: Sequence[D3Net], name: str, values: Statistic) -> None:
    """Set the first values of the networks' parameters `name`, where there are some."""
    if values is None:
        return
    start = torch.as_tensor(values, dtype=torch.float32).detach()
    parameters = [getattr(network, name) for network in networks]
    if start.shape != parameters[0].shape:
        raise ValueError(
            f"Expected one initial value for each of the {len(parameters[0])} bins of "
            f"{name}, got shape {tuple(start.shape)}."
        )
    if name == "in_scale" and not bool((start > 0).all()):
        raise ValueError(
            "Expected positive values in input_scale; replace those of silent bins by a small "
            "value."
        )
    for parameter in parameters:
        parameter.data.copy_(start)


def _start_outputs(networks: Sequence[D3Net]) -> None:
    """Let every network begin with its share of the mixtures that its input is normalised by.

    Published networks begin with 1 in all bins. Most bins are far quieter: the first steps pull
    them down, and with a large step a source falls to 0, where its ReLU has no gradient.
    """
    for network in networks:
        valid = network.config.valid_bins
        network.out_offset.data.copy_(network.in_offset.data[:valid] / len(networks))
        network.out_scale.data.copy_(network.in_scale.data[:valid] / len(networks))


def overlap_add_patches(
    estimate: Estimator, magnitudes: torch.Tensor, patch_frames: int, patch_shift: int
) -> torch.Tensor:
    """Mean of the estimates of all patches that hold a frame, for every frame.

    Patches that reach beyond the song are filled up with silence.

    Args:
        estimate: (patch_frames, B, C, F) -> (J, patch_frames, B, C, F).
        magnitudes: (N, B, C, F), any number of frames N >= 1.
        patch_frames: Frames of a patch, a multiple of `patch_shift`.
        patch_shift: Frames from one patch to the next.

    Returns:
        (J, N, B, C, F)
    """
    n_frames, before = len(magnitudes), patch_frames - patch_shift
    after = before + -n_frames % patch_shift
    padded = F.pad(magnitudes, (*[0] * 6, before, after))
    total: Any = None
    for start in range(0, before + n_frames, patch_shift):
        patch = estimate(padded[start : start + patch_frames])
        total = patch.new_zeros(len(patch), *padded.shape) if total is None else total
        total[:, start : start + patch_frames] += patch
    return total[:, before : before + n_frames] / (patch_frames // patch_shift)
