"""STFT and inverse STFT of streams: `stft` and `istft` for songs of any length.

The results equal those of :mod:`asteroid_xscheme.dsp.stft` for the whole song. Frames
come before bins: a block of a spectrogram is (C, N, F).
"""

from typing import Iterable, Iterator, Optional

import torch
import torch.nn.functional as F

from ..dsp.stft import stft

_SMALLEST_ENVELOPE = 1e-11
FRAMES_AT_ONCE = 64  # what belongs to them fits into the processor's cache


def analyze_stream(
    blocks: Iterable[torch.Tensor], window: torch.Tensor, n_fft: int, hop: int
) -> Iterator[torch.Tensor]:
    """Compute the complex spectrogram of a song block by block.

    Args:
        blocks: Samples (C, T) of any T.
        window, n_fft, hop: As for :func:`asteroid_xscheme.dsp.stft.stft`.

    Yields:
        (C, N, F) blocks, together the 1 + T // hop frames of all T samples.
    """
    half = n_fft // 2
    held, n_samples, n_frames, has_border = torch.empty(0), 0, 0, False
    for block in blocks:
        held = torch.cat([held, block], -1) if n_samples else block
        n_samples += block.shape[-1]
        if not has_border and held.shape[-1] > half:
            held = torch.cat([held[:, 1 : half + 1].flip(-1), held], -1)
            has_border = True
        n_ready = (held.shape[-1] - half - 1 - n_fft) // hop + 1  # the rest may be reflected
        if has_border and n_ready > 0:
            yield _transform(held, window, n_fft, hop, n_ready)
            n_frames += n_ready
            held = held[:, n_ready * hop :]
    if n_samples and not has_border:
        yield stft(held, window, n_fft, hop).transpose(1, 2)
    elif n_samples:
        held = torch.cat([held, held[:, -half - 1 : -1].flip(-1)], -1)
        yield _transform(held, window, n_fft, hop, 1 + n_samples // hop - n_frames)


def _transform(
    samples: torch.Tensor, window: torch.Tensor, n_fft: int, hop: int, n_frames: int
) -> torch.Tensor:
    """The first frames (C, N, F) of samples (C, T), without padding at the start."""
    spectrogram = torch.stft(
        samples[:, : (n_frames - 1) * hop + n_fft],
        n_fft,
        hop,
        win_length=window.numel(),
        window=window,
        center=False,
        return_complex=True,
    )
    return spectrogram.transpose(1, 2)


def synthesize_stream(
    blocks: Iterable[torch.Tensor], window: torch.Tensor, n_fft: int, hop: int
) -> Iterator[torch.Tensor]:
    """Compute the waveforms of complex spectrograms block by block.

    Args:
        blocks: (J, C, N, F) blocks of frames.
        window, n_fft, hop: As for :func:`asteroid_xscheme.dsp.stft.stft`.

    Yields:
        (J, C, T) blocks. They end n_fft // 2 samples after the centre of the last frame, at or
        after the end of the song.
    """
    left = (n_fft - window.numel()) // 2
    window = F.pad(window, (left, n_fft - window.numel() - left))
    signal: Optional[torch.Tensor] = None
    envelope = window.new_zeros(n_fft - hop)
    n_before = n_fft // 2
    for block in (piece for block in blocks for piece in block.split(FRAMES_AT_ONCE, -2)):
        frames = torch.fft.irfft(block, n_fft).mul_(window)
        squares = window.square().expand(frames.shape[-2], n_fft)
        signal, envelope = _overlap_add(frames, hop, signal), _overlap_add(squares, hop, envelope)
        n_ready = block.shape[-2] * hop
        ready = signal[..., :n_ready] / envelope[:n_ready].clamp_min(_SMALLEST_ENVELOPE)
        signal, envelope = signal[..., n_ready:], envelope[n_ready:]
        yield ready[..., n_before:]
        n_before = max(0, n_before - n_ready)
    if signal is not None:
        yield (signal / envelope.clamp_min(_SMALLEST_ENVELOPE))[..., n_before:]


def _overlap_add(frames: torch.Tensor, hop: int, start: Optional[torch.Tensor]) -> torch.Tensor:
    """Add up frames (..., N, n_fft), `hop` apart, on top of `start`, n_fft - hop samples."""
    *leading, n_frames, n_fft = frames.shape
    n_slots = n_frames + -(-n_fft // hop) - 1
    signal = frames.new_zeros(*leading, n_slots, hop)
    for slot, piece in enumerate(frames.split(hop, -1)):
        signal[..., slot : slot + n_frames, : piece.shape[-1]] += piece
    signal = signal.flatten(-2)[..., : (n_frames - 1) * hop + n_fft]
    if start is not None:
        signal[..., : n_fft - hop] += start
    return signal
