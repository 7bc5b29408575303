"""Separate without a network, to put a network's scores into perspective.

Each baseline turns a mixture into an estimate of each source: the mixture itself (the score of
doing nothing), a static filter fitted on the training tracks (what a fixed equaliser achieves), and
ratio masks made from the true sources (about the best that spectrogram masks can achieve).
"""

from typing import Iterable, Tuple

import torch

from ..dsp.stft import istft, stft

N_FFT = 4096
HOP = 1024


def mixture_as_estimate(mixture: torch.Tensor, n_sources: int) -> torch.Tensor:
    """Use the mixture as the estimate of every source.

    Args:
        mixture: (C, T).
        n_sources: Number of sources J.

    Returns:
        Estimates (J, C, T).
    """
    return mixture.expand(n_sources, *mixture.shape).clone()


def ratio_mask_oracle(
    mixture: torch.Tensor, sources: torch.Tensor, n_fft: int = N_FFT, hop: int = HOP
) -> torch.Tensor:
    """Filter the mixture with masks made from the true sources: |S_j| / sum_i |S_i|.

    Args:
        mixture: (C, T).
        sources: (J, C, T).
        n_fft: Size of the STFT in samples.
        hop: Hop of the STFT in samples.

    Returns:
        Estimates (J, C, T), which add up to the mixture.
    """
    window = torch.hann_window(n_fft, dtype=mixture.dtype, device=mixture.device)
    magnitudes = stft(sources, window, n_fft, hop).abs()
    total = magnitudes.sum(dim=0)
    # Where all sources are silent, each gets an equal share of the mixture.
    masks = torch.where(total > 0, magnitudes / total, 1 / len(sources))
    masked = masks * stft(mixture, window, n_fft, hop)
    return istft(masked, window, n_fft, hop, length=mixture.shape[-1])


class StaticFilter:
    """One gain per source and frequency, the same at all times and in all channels.

    The gain is the least-squares solution E[Re S_j conj(X)] / E[|X|^2] over all frames of the
    training tracks: the long-term Wiener filter, without the assumption of independent sources.

    Args:
        n_fft: Size of the STFT in samples.
        hop: Hop of the STFT in samples.

    Attributes:
        gains: (J, F) after `fit`, empty before.
    """

    def __init__(self, n_fft: int = N_FFT, hop: int = HOP):
        self.n_fft = n_fft
        self.hop = hop
        self.gains = torch.empty(0)

    def fit(self, tracks: Iterable[Tuple[torch.Tensor, torch.Tensor]]) -> "StaticFilter":
        """Compute the gains.

        Args:
            tracks: Pairs of a mixture (C, T) and its sources (J, C, T): whole tracks or parts of
                them, read one after the other.

        Returns:
            This filter.

        Raises:
            ValueError: If there are no tracks.
        """
        shared, power = torch.tensor(0.0), torch.tensor(0.0)
        for mixture, sources in tracks:
            spectrogram = self._stft(mixture)
            shared = shared + torch.stack([self._shared(source, spectrogram) for source in sources])
            power = power + spectrogram.abs().double().square().sum(dim=(0, 2))
        if power.ndim == 0:
            raise ValueError("A static filter needs at least one track to fit, got none.")
        self.gains = torch.where(power > 0, shared / power, 1 / len(shared)).float()
        return self

    def apply(self, mixture: torch.Tensor) -> torch.Tensor:
        """Estimate the sources (J, C, T) of a mixture (C, T).

        Raises:
            RuntimeError: If `fit` has not been called.
        """
        if self.gains.numel() == 0:
            raise RuntimeError("The static filter has no gains yet; call fit(tracks) first.")
        filtered = self.gains.to(mixture.device)[:, None, :, None] * self._stft(mixture)
        window = torch.hann_window(self.n_fft, device=mixture.device)
        return istft(filtered, window, self.n_fft, self.hop, length=mixture.shape[-1])

    def _shared(self, source: torch.Tensor, mixture: torch.Tensor) -> torch.Tensor:
        """Sum over channels and frames of Re S conj(X), (F,), of one source to save memory."""
        product = self._stft(source) * mixture.conj()
        return product.real.double().sum(dim=(0, 2))

    def _stft(self, waveform: torch.Tensor) -> torch.Tensor:
        """Spectrogram (..., F, N) of a waveform (..., T)."""
        window = torch.hann_window(self.n_fft, device=waveform.device)
        return stft(waveform, window, self.n_fft, self.hop)
