import torch

from ..dsp.stft import magnitude, stft
from .bridged_models import BridgedModel

_FLOOR = 1e-6  # below it |S|^p has no usable gradient


class WaveformModel(BridgedModel):
    """Base class for bridged models whose networks map waveforms to waveforms.

    Subclasses overwrite `forward_wav`. `forward` adds the spectrograms that
    :class:`~asteroid.losses.MultiDomainLoss` compares.

    Args:
        sources (list of str): Names of the sources.
        sample_rate (float): Sampling rate of the waveforms.
        nb_channels (int): Number of channels of the waveforms.
        bridge (bool, str or list of str): See :class:`BridgedModel`.
        window_length (int): Length in samples of the window of the STFT.
        in_chan (int): Size of the STFT in samples.
        n_hop (int): Hop of the STFT in samples.
        spec_power (float): Exponent of the spectrograms.
    """

    return_spectrograms = True
    return_time_signals = True

    def __init__(
        self,
        sources,
        sample_rate,
        nb_channels,
        bridge,
        window_length,
        in_chan,
        n_hop,
        spec_power,
    ):
        super().__init__(sources, sample_rate, nb_channels, bridge)
        self.in_chan = in_chan
        self.n_hop = n_hop
        self.spec_power = spec_power
        self.register_buffer("window", torch.hann_window(window_length), persistent=False)

    def forward(self, wav):
        """Model forward

        Args:
            wav (torch.Tensor): waveform tensor. 1D, 2D or 3D tensor, time last.

        Returns:
            spectrograms (torch.Tensor): of shape $(sources, frames, batch_size, channels, bins)$,
                or None without `return_spectrograms`.
            time_signals (torch.Tensor): of shape $(sources, batch_size, channels, time)$, or None
                without `return_time_signals`.
        """
        time_signals = self.forward_wav(wav).transpose(0, 1)
        return (
            self._spectrograms(time_signals) if self.return_spectrograms else None,
            time_signals if self.return_time_signals else None,
        )

    def _spectrograms(self, waveforms):
        magnitudes = magnitude(stft(waveforms, self.window, self.in_chan, self.n_hop))
        if self.spec_power != 1:
            magnitudes = magnitudes.clamp_min(_FLOOR).pow(self.spec_power)
        return magnitudes.permute(0, 4, 1, 2, 3)

    def get_model_args(self):
        """Arguments needed to re-instantiate the model."""
        return {
            **super().get_model_args(),
            "window_length": self.window.numel(),
            "in_chan": self.in_chan,
            "n_hop": self.n_hop,
            "spec_power": self.spec_power,
        }
