"""A model's time signals and the references as waveforms that can be compared sample by sample."""

from typing import Optional, Tuple

import torch

Waveforms = Tuple[torch.Tensor, torch.Tensor, Optional[torch.Tensor]]


def align_waveforms(
    time_signals: torch.Tensor,
    targets: torch.Tensor,
    mixture: Optional[torch.Tensor],
    nb_channels: int,
) -> Waveforms:
    """Waveforms with equal channels, cut to the shorter of estimates and references.

    A mono model is compared with the mean over the channels of the references and the mixture.

    Args:
        time_signals: (J, B, C, T') estimates.
        targets: (B, J, C', T) references.
        mixture: (B, C', T), or None.
        nb_channels: Channels C of the model; C' may differ only if C is 1.

    Returns:
        Estimates and references (B, J, C, min(T', T)) and the mixture (B, C, min(T', T)) or None.

    Raises:
        ValueError: If the shapes do not fit each other.
    """
    if mixture is not None and mixture.shape != targets[:, 0].shape:
        raise ValueError(
            f"Expected a mixture of shape {tuple(targets[:, 0].shape)}, the shape of one "
            f"reference, got {tuple(mixture.shape)}."
        )
    if nb_channels == 1 and targets.shape[2] > 1:
        targets = targets.mean(2, keepdim=True)
        mixture = None if mixture is None else mixture.mean(1, keepdim=True)
    n_batch, n_sources, n_channels, _ = targets.shape
    if time_signals.shape[:3] != (n_sources, n_batch, n_channels):
        raise ValueError(
            "Expected time signals (source, batch, channel, time) of shape "
            f"{(n_sources, n_batch, n_channels)} + (time,) for references of shape "
            f"{tuple(targets.shape)}, got {tuple(time_signals.shape)}."
        )
    shortest = min(targets.shape[-1], time_signals.shape[-1])
    mixture = None if mixture is None else mixture[..., :shortest]
    return time_signals[..., :shortest].transpose(0, 1), targets[..., :shortest], mixture


def check_targets(targets: torch.Tensor, nb_channels: int) -> None:
    """Raise ValueError unless references (B, J, C', T) suit a model of `nb_channels` channels."""
    if targets.ndim != 4:
        raise ValueError(
            f"Expected references (batch, source, channel, time), got {tuple(targets.shape)}."
        )
    if nb_channels != 1 and targets.shape[2] != nb_channels:
        raise ValueError(
            f"Expected references of nb_channels={nb_channels} channels, got {targets.shape[2]}; "
            "only a mono loss (nb_channels=1) mixes channels down."
        )
