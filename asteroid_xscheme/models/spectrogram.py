"""Bridged models of spectrograms: magnitudes in and out, and the phase of the mixture."""

from abc import abstractmethod
from typing import Optional, Tuple

import torch
import torch.nn.functional as F

from ..dsp.stft import magnitude, stft
from .bridged_models import BridgedModel, Outputs, as_batch
from .inference import Estimates, Inference
from .synthesis import synthesize

_BYTES_PER_VALUE = 40  # of an estimated magnitude: itself and what the decoder holds beside it
_POWER_FLOOR = 1e-12  # below it |S|^p has no usable gradient of its p-th root


class SpectrogramModel(BridgedModel):
    """Abstract bridged model of magnitudes: estimates take the phase of the mixture.

    Subclasses provide `window`, `n_fft`, `hop`, `spec_power` and implement `estimate_magnitudes`.
    """

    domain = "spectrogram"
    return_time_signals: bool = True

    @property
    def inference(self) -> Inference:
        """How to separate songs; by default in chunks of 15 s, then one step of a Wiener filter.

        Chunks overlap by a tenth; they are cross-faded in the middle half of it.
        """
        n_values = len(self.sources) * self.nb_channels * (self.n_fft // 2 + 1)
        return Inference(
            steps_per_second=self.sample_rate / self.hop,
            bytes_per_step=n_values * _BYTES_PER_VALUE,
            chunk_seconds=15.0,
            overlap=0.1,
            fade=0.5,
            steps_on_cpu=2000,
            wiener_iterations=1,
        )

    def compute_for_loss(self, spectrograms: bool, waveforms: bool) -> None:
        """Skip the inverse STFT if the loss only uses spectrograms."""
        self.return_time_signals = waveforms

    @abstractmethod
    def estimate_magnitudes(self, magnitudes: torch.Tensor) -> torch.Tensor:
        """The networks alone: magnitudes (N, B, C, F) -> magnitudes of the sources (J, N, B, C, F).

        With `spec_power` p both are |X|^p.
        """

    def estimate_by_frames(self, magnitudes: torch.Tensor) -> Estimates:
        """Estimate as :meth:`estimate_magnitudes`, as far as frames depend on one another.

        Args:
            magnitudes: (N, B, C, F).

        Returns:
            A function of frames and items of the batch that computes their estimates.
        """
        estimates = self.estimate_magnitudes(magnitudes)
        return lambda frames, items: estimates[:, frames, items]

    @property
    def tail(self) -> int:
        """Samples of silence to append to a waveform so that its last samples can be recovered.

        They may lie almost a hop after the centre of the last frame. If frames overlap by less than
        3/4, the window is close to 0 there, and dividing by it amplifies errors of the estimates;
        one more frame avoids this.
        """
        return self.hop if self.window.numel() < 4 * self.hop else 0

    def analyze(self, wav: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        """Complex spectrogram (B, C, F, N) and magnitudes |X|^p (N, B, C, F) of a mixture.

        A mono model reads the mean over the channels: of the spectrograms, and of the magnitudes.
        """
        spectrogram = stft(wav, self.window, self.n_fft, self.hop)
        magnitudes = magnitude(spectrogram)
        if self.spec_power != 1:
            magnitudes = magnitudes**self.spec_power
        if self.nb_channels == 1:
            spectrogram, magnitudes = (x.mean(1, keepdim=True) for x in (spectrogram, magnitudes))
        return spectrogram, magnitudes.permute(3, 0, 1, 2)

    def synthesize(
        self, estimates: torch.Tensor, mixture: torch.Tensor, length: Optional[int]
    ) -> torch.Tensor:
        """Waveforms (J, B, C, length) of estimates (J, N, B, C, F) with the phase of the mixture.

        Args:
            estimates: Magnitudes |S|^p of the sources.
            mixture: Complex spectrogram (B, C, F, N).
            length: Samples to return (None: hop * (N - 1)).
        """
        if self.spec_power != 1:
            estimates = estimates.clamp_min(_POWER_FLOOR).pow(1 / self.spec_power)
        return synthesize(estimates, mixture, self.window, self.n_fft, self.hop, length)

    def forward(self, wav: torch.Tensor) -> Outputs:
        """Estimate spectrograms and, if `return_time_signals`, waveforms.

        Args:
            wav: The mixture, (B, C, T), (B, T) or (T,).

        Returns:
            spectrograms (J, N, B, C, F) and time signals (J, B, C, T') or None, where T' is the
            hop * (N - 1) samples that N frames determine (T if shorter than half a window).
        """
        wav = as_batch(wav, self.nb_channels)
        mixture, magnitudes = self.analyze(wav)
        estimates = self.estimate_magnitudes(magnitudes)
        if not self.return_time_signals:
            return estimates, None
        n_samples = wav.shape[-1]
        length = n_samples if n_samples <= self.n_fft // 2 else None
        return estimates, self.synthesize(estimates, mixture, length)

    def forward_wav(self, wav: torch.Tensor) -> torch.Tensor:
        """Waveforms (B, J, C, T) of the sources; see :meth:`BridgedModel.forward_wav`."""
        wav = as_batch(wav, self.nb_channels)
        mixture, magnitudes = self.analyze(F.pad(wav, (0, self.tail)))
        estimates = self.estimate_magnitudes(magnitudes)
        return self.synthesize(estimates, mixture, wav.shape[-1]).transpose(0, 1)
