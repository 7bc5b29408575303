import torch
from torch.nn import functional as F

from ..dsp.stft import istft, magnitude, stft
from .bridged_models import BridgedModel, as_batch


class SpectrogramModel(BridgedModel):
    """Base class for bridged models of magnitudes; estimates take the phase of the mixture.

    Subclasses provide `window`, `n_fft` and `hop` and overwrite `estimate_magnitudes`, and
    `estimate_song` if songs are not to be given to it at once.

    Args:
        sources (list of str): Names of the sources.
        sample_rate (float): Sampling rate of the waveforms.
        nb_channels (int): Number of channels of the waveforms.
        bridge (bool, str or list of str): See :class:`BridgedModel`.
    """

    return_time_signals = True

    def estimate_magnitudes(self, magnitudes):
        """The networks alone.

        Args:
            magnitudes (torch.Tensor): Mixture of shape $(frames, batch_size, channels, bins)$.

        Returns:
            torch.Tensor, of shape $(sources, frames, batch_size, channels, bins)$.
        """
        raise NotImplementedError

    def estimate_song(self, magnitudes):
        """The same as `estimate_magnitudes` for any number of frames, as `forward_wav` uses it."""
        return self.estimate_magnitudes(magnitudes)

    def forward(self, wav):
        """Model forward

        Args:
            wav (torch.Tensor): waveform tensor. 1D, 2D or 3D tensor, time last.

        Returns:
            spectrograms (torch.Tensor): of shape $(sources, frames, batch_size, channels, bins)$.
            time_signals (torch.Tensor): of shape $(sources, batch_size, channels, time)$, or None
                without `return_time_signals`; as long as the frames determine.
        """
        mixture, magnitudes = self._analyze(as_batch(wav, self.nb_channels))
        estimates = self.estimate_magnitudes(magnitudes)
        if not self.return_time_signals:
            return estimates, None
        n_samples = wav.shape[-1]
        length = n_samples if n_samples <= self.n_fft // 2 else None
        return estimates, self._synthesize(estimates, mixture, length)

    def forward_wav(self, wav):
        """Separate waveforms.

        Args:
            wav (torch.Tensor): waveform tensor. 1D, 2D or 3D tensor, time last.

        Returns:
            torch.Tensor, of shape $(batch_size, sources, channels, time)$, as long as `wav`.
        """
        wav = as_batch(wav, self.nb_channels)
        # the last samples may lie almost a hop after the centre of the last frame
        tail = self.hop if self.window.numel() < 4 * self.hop else 0
        mixture, magnitudes = self._analyze(F.pad(wav, (0, tail)))
        estimates = self.estimate_song(magnitudes)
        return self._synthesize(estimates, mixture, wav.shape[-1]).transpose(0, 1)

    def _analyze(self, wav):
        spectrogram = stft(wav, self.window, self.n_fft, self.hop)
        magnitudes = magnitude(spectrogram)
        if self.nb_channels == 1:
            spectrogram, magnitudes = (x.mean(1, keepdim=True) for x in (spectrogram, magnitudes))
        return spectrogram, magnitudes.permute(3, 0, 1, 2)

    def _synthesize(self, estimates, mixture, length):
        spectrograms = estimates.permute(0, 2, 3, 4, 1) * torch.sgn(mixture)
        return istft(spectrograms, self.window, self.n_fft, self.hop, length)
