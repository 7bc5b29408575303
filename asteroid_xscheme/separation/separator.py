"""Separate songs of any length, rate and number of channels in bounded memory."""

from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Callable, Collection, Dict, Iterator, Optional, Union

import numpy as np
import torch

from ..dsp.wiener import WIENER_METHODS
from ..models import BridgedModel, Inference
from .errors import SeparationError
from .filtering import WienerOptions
from .options import check_option
from .pipelines import (
    Chunking,
    Estimation,
    separate_patches,
    separate_spectrogram,
    separate_waveform,
)
from .precision import PRECISIONS, PrecisionChoice, choose_precision
from .side_by_side import runner
from .songs import Song, song_of_file, song_of_waveform
from .streams import Counter, Stream, averaged, checked, finite, over_channels, resampled, trimmed

Progress = Callable[[float], None]

_PIPELINES = {"spectrogram": separate_spectrogram, "waveform": separate_waveform}
_GPU_SHARE = 0.5  # of the free memory, for one batch
_GPU_LARGEST_BATCH = 64
_SHIFT_SECONDS = 0.5


class Separator:
    """Separates songs with a model.

    The separator uses a copy of the model, prepared for inference in float32 on the device; your
    model is not changed. Options that you leave out take the model's own values
    (:class:`asteroid_xscheme.models.Inference`). Several threads can use one separator at the same
    time.

    The stems have the channels, rate and exact length of the song. If the song has more channels
    than the model, they are separated in groups, in order. If a group has fewer, its last channel
    is repeated, and the output for that channel is the mean of the copies. So a stereo model gets a
    mono song in both channels.

    Args:
        model: Any bridged model.
        device: "cpu", "cuda", "cuda:1" or "mps"; None or "auto" for a GPU if there is one.
        chunk_seconds: Length of a chunk in seconds. None for the model's: 15 s for X-UMX, 8 s for
            X-Conv-TasNet.
        overlap: Fraction of a chunk that overlaps the next, 0 to 0.5. None for the model's: 0.1 for
            X-UMX, 0.25 for X-Conv-TasNet. If neither chunk_seconds nor overlap is given, D3Net
            averages overlapping patches as published.
        wiener_iterations: Iterations of "em". None for the model's: 1 for models of magnitudes, 0
            for models of waveforms, whose estimates have phases.
        wiener_window: Frames to filter together; None for the whole song, which then has to fit
            into memory.
        softmask: Start "em" from a ratio mask.
        shifts: Average over this many runs, each with the song shifted by up to half a second.
        normalize: Scale the song to a root mean square of 1 before the networks, and the sources
            back afterwards.
        precision: "float32"; "bf16" or "fp16" apply to the networks alone. "auto" takes bf16 if the
            device has it in hardware and it hardly changes what such models estimate.
        batch_size: Chunks to process at once; None for as many as fit into memory.
        wiener: Multichannel Wiener filter, see :mod:`asteroid_xscheme.dsp.wiener`: "em", or
            "one_pass" as in D3Net's official code.
        flip_channels: Average over both orders of the channels; doubles the time.
        songs_at_once: How many threads of the caller will separate songs at the same time; sets
            the number of worker threads and each song's share of GPU memory.

    Attributes:
        sources: Names of the sources, the keys of the result of :meth:`separate`.
        precision: The precision in use, and why "auto" chose it.

    Raises:
        SeparationError: If an option is out of range or the device does not exist.
    """

    def __init__(
        self,
        model: BridgedModel,
        device: Optional[str] = None,
        chunk_seconds: Optional[float] = None,
        overlap: Optional[float] = None,
        wiener_iterations: Optional[int] = None,
        wiener_window: Optional[int] = 300,
        softmask: bool = False,
        shifts: int = 1,
        normalize: bool = False,
        precision: str = "float32",
        batch_size: Optional[int] = None,
        wiener: str = "em",
        flip_channels: bool = False,
        songs_at_once: int = 1,
    ):
        if wiener_iterations is None:
            wiener_iterations = model.inference.wiener_iterations
        check_option("chunk_seconds", chunk_seconds)
        check_option("overlap", overlap)
        check_option("wiener_iterations", wiener_iterations)
        check_option("wiener_window", wiener_window)
        check_option("shifts", shifts)
        check_option("batch_size", batch_size)
        _check_choice("precision", precision, [*PRECISIONS, "auto"])
        _check_choice("Wiener filter", wiener, WIENER_METHODS)
        self.device = find_device(device)
        self.precision = (
            choose_precision(model.inference, self.device)
            if precision == "auto"
            else PrecisionChoice(precision, "as requested")
        )
        autocast = PRECISIONS[self.precision.name]
        self.run_each = runner(len(model.sources), self.device, songs_at_once)
        self.model = _on_device(model, self.device).fold(self.run_each)
        self.sources = list(model.sources)
        self.sample_rate = int(model.sample_rate)
        self.options = WienerOptions(wiener_iterations, wiener_window, softmask, wiener)
        self.shifts, self.normalize = shifts, normalize
        self.estimation = Estimation(autocast, flip_channels)
        inference = self.model.inference
        self.by_patches = bool(inference.patches) and chunk_seconds is None and overlap is None
        self.chunking = _chunking(inference, chunk_seconds, overlap)
        patch_lengths = [group.frames for group in inference.patches] if self.by_patches else []
        n_steps = max(patch_lengths, default=self.chunking.length)
        self.batch_size = batch_size or _batch_size(inference, n_steps, self.device, songs_at_once)

    def separate(
        self,
        mixture: Union[torch.Tensor, np.ndarray, str, Path, BinaryIO],
        sample_rate: Optional[int] = None,
        progress: Optional[Progress] = None,
    ) -> Dict[str, torch.Tensor]:
        """Separate a song in memory.

        Args:
            mixture: Float waveform (C, T), as a tensor or an array; or an audio file, as a path or
                a binary file object.
            sample_rate: Rate of a waveform in Hz (default: the model's); ignored for files.
            progress: Called with the seconds of the song that are done.

        Returns:
            Waveform of each source, (C, T) float32 on the CPU, with the song's rate and length.

        Raises:
            AudioError: If the file is not an audio file, or is damaged.
            SeparationError: If the waveform is not a float array (C, T), the song is empty, or the
                song or an estimate contains NaN or infinite samples.
        """
        if isinstance(mixture, (torch.Tensor, np.ndarray)):
            rate = self.sample_rate if sample_rate is None else sample_rate
            song = song_of_waveform(mixture, rate)
        else:
            song = song_of_file(mixture)
        blocks, n_done = [], 0
        for block in self.stream(song):
            blocks.append(block)
            n_done += block.shape[-1]
            if progress is not None:
                progress(n_done / song.sample_rate)
        return dict(zip(self.sources, torch.cat(blocks, -1)))

    @torch.no_grad()
    def stream(self, song: Song) -> Iterator[torch.Tensor]:
        """Separate a song block by block.

        Args:
            song: See :func:`song_of_file` and :func:`song_of_waveform`.

        Yields:
            Blocks (J, C, T) of the sources, together exactly as long as the song.

        Raises:
            SeparationError: At the first NaN or infinite sample of the song or an estimate, or at
                the end if the song was empty.
        """
        level = _root_mean_square(song) if self.normalize else 1.0
        distance = round(_SHIFT_SECONDS * song.sample_rate)
        offsets = [k * distance // self.shifts for k in range(self.shifts)]
        runs = [self._run(song, offset, level) for offset in offsets]
        yield from finite(averaged(runs, song.sample_rate), song, self.sources)

    def _run(self, song: Song, offset: int, level: float) -> Stream:
        """Separate a song with `offset` samples of silence in front, and remove them again."""
        counter = Counter()
        blocks = _delayed(counter(checked(song)), offset, song.n_channels)
        blocks = resampled(blocks, song.sample_rate, self.sample_rate)
        blocks = ((block / level).to(self.device) for block in blocks)
        sources = over_channels(blocks, self.model.nb_channels, self._pipeline())
        sources = ((block * level).cpu() for block in sources)
        sources = resampled(sources, self.sample_rate, song.sample_rate)
        return trimmed(sources, offset, counter)

    def _pipeline(self) -> Callable[[Stream], Stream]:
        settings: Dict[str, Any] = dict(
            model=self.model,
            batch=self.batch_size,
            estimation=self.estimation,
            options=self.options,
            run_each=self.run_each,
        )
        if self.by_patches:
            return partial(separate_patches, groups=self.model.inference.patches, **settings)
        return partial(_PIPELINES[self.model.domain], chunking=self.chunking, **settings)


def _check_choice(option: str, value: str, choices: Collection[str]) -> None:
    if value not in choices:
        raise SeparationError(f"Expected a {option} from {list(choices)}, got {value!r}.")


def _on_device(model: BridgedModel, device: torch.device) -> BridgedModel:
    """The model in float32 on a device; a copy if that changes anything."""
    weight = next(model.parameters())
    if weight.device == device and weight.dtype == torch.float32:
        return model
    return deepcopy(model).to(device, torch.float32)


def find_device(name: Optional[str]) -> torch.device:
    """Find a device by name; None and "auto" mean a GPU if there is one.

    Raises:
        SeparationError: If the device does not exist.
    """
    if name is None or name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()  # "meta" has no numbers to return
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise SeparationError(f"This machine has no device {name!r} ({reason}).") from None
    return device


def _chunking(inference: Inference, seconds: Optional[float], overlap: Optional[float]) -> Chunking:
    """Lengths in steps (frames or samples); by default the model's own."""
    seconds = inference.chunk_seconds if seconds is None else seconds
    length = max(2, round(inference.steps_per_second * seconds))
    shared = int(length * (inference.overlap if overlap is None else overlap))
    return Chunking(length, shared, int(shared * inference.fade))


def _batch_size(
    inference: Inference, n_steps: int, device: torch.device, songs_at_once: int
) -> int:
    """Chunks of `n_steps` to process at once for each song."""
    if device.type != "cuda":
        return max(1, inference.steps_on_cpu // n_steps)
    free, _ = torch.cuda.mem_get_info(device)
    fitting = int(_GPU_SHARE * free) // (n_steps * inference.bytes_per_step * songs_at_once)
    return max(1, min(_GPU_LARGEST_BATCH, fitting))


def _delayed(blocks: Stream, offset: int, n_channels: int) -> Stream:
    if offset:
        yield torch.zeros(n_channels, offset, device="cpu")
    yield from blocks


def _root_mean_square(song: Song) -> float:
    """Root mean square over all samples and channels; 1 for silence."""
    total, n_values = 0.0, 0
    for block in checked(song):
        total += float(block.double().square().sum())
        n_values += block.numel()
    return (total / n_values) ** 0.5 or 1.0
