"""Multi-domain loss of the X-scheme: magnitudes of the estimates and their waveforms together.

    L = L_freq + mix_coef * L_time

L_freq is the mean squared error of magnitude spectrograms, L_time the weighted SDR; with the
combination loss both are averages over all sums of sources. It takes a model's (spectrograms,
time_signals) and the waveforms of the references, and returns a scalar.
"""

from functools import partial
from typing import Dict, Optional, Tuple

import torch
from torch import nn

from .spectral_error import magnitude_spectrogram, spectral_errors
from .subsets import subset_sizes
from .sums import combined_squared_error
from .weighted_sdr import subset_weighted_sdr

Estimates = Tuple[torch.Tensor, Optional[torch.Tensor]]
Waveforms = Tuple[torch.Tensor, torch.Tensor, Optional[torch.Tensor]]


class MultiDomainLoss(nn.Module):
    """The loss of X-UMX, with the arguments and values of the class in asteroid's recipe.

    Args:
        window_length: Length of the (Hann) window of the STFT in samples.
        in_chan: Size of the STFT in samples.
        n_hop: Hop of the STFT in samples.
        spec_power: Exponent of the model's spectrograms.
        nb_channels: Channels of the model. A mono model (1) may meet references of more channels:
            it is compared with the mean of their magnitudes and of their waveforms.
        loss_combine_sources: Average over all sums of 1 to J - 1 sources (combination loss), or
            over the sources alone.
        loss_use_multidomain: Add the waveform loss; otherwise use the spectrogram loss alone.
        mix_coef: Weight of the waveform loss (alpha in [1]).

    References
        [1] R. Sawata, N. Takahashi, S. Uhlich, S. Takahashi and Y. Mitsufuji, "The whole is
        greater than the sum of its parts: improving music source separation by bridging networks",
        EURASIP Journal on Audio, Speech, and Music Processing 2024:39,
        https://arxiv.org/abs/2305.07855, section 3.
    """

    def __init__(
        self,
        window_length: int,
        in_chan: int,
        n_hop: int,
        spec_power: float,
        nb_channels: int,
        loss_combine_sources: bool,
        loss_use_multidomain: bool,
        mix_coef: float,
    ):
        super().__init__()
        self.register_buffer("window", torch.hann_window(window_length), persistent=False)
        self.in_chan = in_chan
        self.n_hop = n_hop
        self.spec_power = spec_power
        self.nb_channels = nb_channels
        self.loss_combine_sources = loss_combine_sources
        self.loss_use_multidomain = loss_use_multidomain
        self.mix_coef = float(mix_coef)

    def forward(
        self,
        est_targets: Estimates,
        targets: torch.Tensor,
        mixture: Optional[torch.Tensor] = None,
    ) -> torch.Tensor:
        """The loss, a scalar.

        Args:
            est_targets: The model's spectrograms (J, N, B, C, F) and time signals (J, B, C, T'),
                which may be None without the multi-domain loss and T' shorter than T.
            targets: Waveforms (B, J, C, T) of the references; they get no gradient.
            mixture: Waveform (B, C, T) of the mixture; None for the sum of `targets`. Pass it if
                the model estimates only some of the sources.

        Raises:
            ValueError: If shapes do not fit, or required time signals are missing.
        """
        return self.combine(self.terms(est_targets, targets, mixture))

    def combine(self, terms: Dict[str, torch.Tensor]) -> torch.Tensor:
        """The loss made of the terms that :meth:`terms` returned."""
        if self.loss_use_multidomain:
            return terms["frequency"] + self.mix_coef * terms["time"]
        return terms["frequency"]

    def terms(
        self,
        est_targets: Estimates,
        targets: torch.Tensor,
        mixture: Optional[torch.Tensor] = None,
    ) -> Dict[str, torch.Tensor]:
        """The parts of the loss, from the same single pass as the loss itself.

        Args:
            est_targets, targets, mixture: As for :meth:`forward`.

        Returns:
            "frequency" and, with the multi-domain loss, "time": scalars before `mix_coef`;
            "frequency_per_source" and "time_per_source": (J,), of each source alone, detached.
        """
        spectrograms, time_signals = est_targets
        check_targets(targets, self.nb_channels)
        sizes = subset_sizes(targets.shape[1], None if self.loss_combine_sources else (1,))
        terms = self._frequency_terms(spectrograms, targets, sizes)
        if self.loss_use_multidomain:
            terms.update(self._time_terms(time_signals, targets, mixture, sizes))
        return terms

    def _frequency_terms(self, spectrograms, targets, sizes) -> Dict[str, torch.Tensor]:
        n_batch, n_sources, _, n_samples = targets.shape
        n_frames, n_freq = 1 + n_samples // self.n_hop, self.in_chan // 2 + 1
        expected = (n_sources, n_frames, n_batch, self.nb_channels, n_freq)
        shape = None if spectrograms is None else tuple(spectrograms.shape)
        if shape != expected:
            raise ValueError(
                f"Expected spectrograms (source, frame, batch, channel, freq) of shape {expected} "
                f"for references of shape {tuple(targets.shape)} and an STFT of size "
                f"{self.in_chan} and hop {self.n_hop}, got {shape}: model and loss must use the "
                "same sources, channels and STFT."
            )
        magnitudes = partial(
            magnitude_spectrogram,
            window=self.get_buffer("window"),
            n_fft=self.in_chan,
            hop=self.n_hop,
            power=self.spec_power,
            downmix=self.nb_channels == 1,
        )
        errors = spectral_errors(spectrograms, targets, magnitudes)
        mean, per_source = combined_squared_error(errors, sizes)
        return {"frequency": mean, "frequency_per_source": per_source}

    def _time_terms(self, time_signals, targets, mixture, sizes) -> Dict[str, torch.Tensor]:
        if time_signals is None:
            raise ValueError(
                "Expected time signals for the multi-domain loss, got None: build the model with "
                "return_time_signals=True, or the loss with loss_use_multidomain=False."
            )
        targets = targets.detach()
        estimates, references, mixture = align_waveforms(
            time_signals, targets, mixture, self.nb_channels
        )
        losses, per_source = subset_weighted_sdr(estimates, references, mixture, sizes)
        return {"time": losses.mean(), "time_per_source": per_source.mean((0, 1))}


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
