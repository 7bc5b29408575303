"""Mean absolute error of the waveforms: the plain loss to compare others with.

It is what Demucs is trained with (A. Défossez et al., https://arxiv.org/abs/1911.13254) and reads
a model's (spectrograms, time_signals) as `MultiDomainLoss` does, so a recipe can take either.
"""

from typing import Dict, Optional, Tuple

import torch
from torch import nn
from torch.nn.functional import l1_loss

from .combination import CombinationLoss
from .multi_domain import align_waveforms, check_targets
from .precision import full_precision, working_dtype


class WaveformL1Loss(nn.Module):
    """Mean absolute error of a model's time signals; its spectrograms are ignored.

    Args:
        nb_channels: Channels of the model. A mono model (1) may get references with more channels:
            it is compared with the mean of their channels.
        loss_combine_sources: Average over all sums of 1 to J - 1 sources (combination loss, here
            at the cost of every sum), or over the sources alone.
    """

    def __init__(self, nb_channels: int = 2, loss_combine_sources: bool = False):
        super().__init__()
        self.nb_channels = nb_channels
        self.loss_combine_sources = loss_combine_sources

    def forward(
        self,
        est_targets: Tuple[Optional[torch.Tensor], torch.Tensor],
        targets: torch.Tensor,
        mixture: Optional[torch.Tensor] = None,
    ) -> torch.Tensor:
        """The loss, a scalar.

        Args:
            est_targets: The model's spectrograms, ignored, and time signals (J, B, C, T'), where
                T' may be shorter than T.
            targets: Waveforms (B, J, C, T) of the references; they get no gradient.
            mixture: Ignored; taken so that losses can be exchanged.

        Raises:
            ValueError: If shapes do not fit, or time signals are missing.
        """
        return self.combine(self.terms(est_targets, targets, mixture))

    def combine(self, terms: Dict[str, torch.Tensor]) -> torch.Tensor:
        """The loss made of the terms that :meth:`terms` returned."""
        return terms["time"]

    def terms(
        self,
        est_targets: Tuple[Optional[torch.Tensor], torch.Tensor],
        targets: torch.Tensor,
        mixture: Optional[torch.Tensor] = None,
    ) -> Dict[str, torch.Tensor]:
        """ "time", a scalar, and "time_per_source", (J,), of each source alone, detached."""
        time_signals = est_targets[1]
        if time_signals is None:
            raise ValueError(
                "Expected time signals for a waveform loss, got None: build the model with "
                "return_time_signals=True."
            )
        check_targets(targets, self.nb_channels)
        pair = align_waveforms(time_signals, targets.detach(), None, self.nb_channels)[:2]
        with full_precision(targets.device):
            dtype = working_dtype(*pair)
            estimates, references = (signals.to(dtype) for signals in pair)
            per_source = (estimates - references).abs().mean((0, 2, 3))
            if self.loss_combine_sources:
                mean = CombinationLoss(l1_loss)(estimates, references)
            else:
                mean = per_source.mean()
        return {"time": mean, "time_per_source": per_source.detach()}
