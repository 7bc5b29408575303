"""X-D3Net as this package runs it: the plain model, and how songs go through it fast.

Parameters and values are those of :mod:`.x_d3net`.
"""

from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Callable, List, Optional, Sequence

import torch
from torch import nn

from . import x_d3net
from .bridged_models import Statistics
from .d3net import D3Net
from .d3net_folding import fold_networks
from .inference import Inference, Map, PatchGroup, RoundingEffect
from .patches import averaged_over_flip


class XD3Net(x_d3net.XD3Net):
    __doc__ = x_d3net.XD3Net.__doc__

    title = "X-D3Net"
    folded = False  # whether it is a copy for inference

    def start_normalisation(self, measure: Callable[[], Statistics]) -> None:
        """Begin with the statistics as `input_mean` and `input_scale`."""
        self._start(*measure())

    @property
    def inference(self) -> Inference:
        """How songs are separated: in overlapping patches, one at a time on a CPU.

        Feature maps are many times as large as estimates.
        """
        return replace(
            super().inference,
            steps_on_cpu=0,
            patches=tuple(self.patch_groups),
            bfloat16=RoundingEffect(deviation_db=-35),
        )

    @property
    def patch_groups(self) -> List[PatchGroup]:
        """Who takes which patches of a song: networks of all sources in their order."""
        return [
            PatchGroup(partial(self._estimate, networks), *patch)
            for networks, patch in self._networks_by_patch()
        ]

    def estimate_patches(
        self, magnitudes: torch.Tensor, flip_channels: bool = False
    ) -> torch.Tensor:
        """The same as :meth:`estimate_song`, as published also with the channels in both orders.

        Args:
            magnitudes: (N, B, C, F), any number of frames.
            flip_channels: Whether to average over the channels in both orders, as published; twice
                the work.
        """
        estimate = averaged_over_flip(self.estimate_song) if flip_channels else self.estimate_song
        return estimate(magnitudes)

    def fit_segments(self, n_samples: int) -> None:
        """Take songs in patches as long as training segments from now on."""
        self.separate_in_patches(1 + n_samples // self.hop)

    def separate_in_patches(self, n_frames: int) -> None:
        """Take songs in patches of so many frames from now on, those of a training segment.

        Networks see the ends of a patch; they estimate badly in patches far longer than those that
        they were trained on.
        """
        for network in self.networks:
            network.config = network.config.with_patches(n_frames)

    def fold(self, run_each: Map = map) -> "XD3Net":
        """A copy for inference, about twice as fast on a CPU; it separates, but cannot be saved.

        Normalisations are put into convolutions; see `d3net_folding` and `d3net_split`.
        """
        if self.folded:
            return super().fold()
        networks = nn.ModuleList(fold_networks(self.networks))
        folded = deepcopy(self, {id(self.networks): networks})  # copies all but the networks
        folded.folded = True
        return folded.eval()

    def _estimate(self, networks: Sequence[D3Net], magnitudes: torch.Tensor) -> torch.Tensor:
        """Magnitudes of the sources that `networks` are for.

        Convolutions keep the layout of their input. With the channels last a training step of the
        official size takes three quarters of the time on a CPU.
        """
        channels_last = magnitudes.permute(1, 0, 3, 2).contiguous().permute(1, 0, 3, 2)
        return super()._estimate(networks, channels_last)

    def weights_by_source(self) -> dict[Optional[str], dict[str, torch.Tensor]]:
        """By source, the tensors of its D3Net; see :meth:`BridgedModel.weights_by_source`."""
        return {s: network.state_dict() for s, network in zip(self.sources, self.networks)}
