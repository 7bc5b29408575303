"""Bridged models of waveforms; what losses read beside the waveforms are spectrograms of them."""

from typing import Sequence

import torch

from ..bridge import BridgeChoice
from ..dsp.stft import magnitude, stft
from .bridged_models import BridgedModel, Outputs
from .checks import check_power, check_sizes

_FLOOR = 1e-6  # below it |S|^p has no usable gradient


class WaveformModel(BridgedModel):
    """Abstract bridged model whose networks map waveforms to waveforms.

    Args:
        sources: Names of the sources.
        sample_rate: Rate of the waveforms in Hz.
        nb_channels: Channels C of the waveforms.
        bridge: True, False, or names of bridging points.
        window_length: Samples of the Hann window of the spectrograms that `forward` returns.
        in_chan: Size of their transform in samples (asteroid's name in X-UMX).
        n_hop: Samples between two of their frames.
        spec_power: Their exponent p of |S|^p.

    Subclasses implement `forward_wav` and `get_model_args`.
    """

    return_spectrograms: bool = True
    return_time_signals: bool = True

    def __init__(
        self,
        sources: Sequence[str],
        sample_rate: float,
        nb_channels: int,
        bridge: BridgeChoice,
        window_length: int,
        in_chan: int,
        n_hop: int,
        spec_power: float,
    ):
        check_sizes(window_length=window_length, in_chan=in_chan, n_hop=n_hop)
        check_power(spec_power)
        if window_length > in_chan:
            raise ValueError(f"Expected a window_length of at most {in_chan}, got {window_length}.")
        super().__init__(sources, sample_rate, nb_channels, bridge)
        self.in_chan = self.n_fft = in_chan
        self.n_hop = self.hop = n_hop
        self.spec_power = spec_power
        self.register_buffer("window", torch.hann_window(window_length), persistent=False)

    def compute_for_loss(self, spectrograms: bool, waveforms: bool) -> None:
        """Leave out the STFT for a loss of waveforms alone."""
        self.return_spectrograms = spectrograms

    def forward(self, wav: torch.Tensor) -> Outputs:
        """Estimate waveforms and their spectrograms, each where the model is to return them.

        Args:
            wav: The mixture, (B, C, T), (B, T) or (T,).

        Returns:
            spectrograms |S|^p (J, N, B, C, F) or None, and time signals (J, B, C, T) or None.
        """
        time_signals = self.forward_wav(wav).transpose(0, 1)
        return (
            self._spectrograms(time_signals) if self.return_spectrograms else None,
            time_signals if self.return_time_signals else None,
        )

    def _spectrograms(self, waveforms: torch.Tensor) -> torch.Tensor:
        """|S|^p (J, N, B, C, F) of waveforms (J, B, C, T)."""
        magnitudes = magnitude(stft(waveforms, self.window, self.in_chan, self.n_hop))
        if self.spec_power != 1:
            magnitudes = magnitudes.clamp_min(_FLOOR).pow(self.spec_power)
        return magnitudes.permute(0, 4, 1, 2, 3)

    def get_model_args(self) -> dict:
        """Arguments that rebuild the model."""
        return {
            **super().get_model_args(),
            "window_length": self.window.numel(),
            "in_chan": self.in_chan,
            "n_hop": self.n_hop,
            "spec_power": self.spec_power,
        }
