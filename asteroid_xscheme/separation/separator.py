"""A song of any length, rate and number of channels in, its sources out, in bounded memory."""

from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, Iterator, Optional, Union

import numpy as np
import torch

from ..dsp.wiener import WIENER_METHODS
from ..models import BridgedModel, Inference
from .errors import SeparationError
from .options import check_option
from .pipelines import (
    Chunking,
    Estimation,
    WienerOptions,
    separate_patches,
    separate_spectrogram,
    separate_waveform,
)
from .side_by_side import runner
from .songs import Song, song_of_file, song_of_waveform
from .streams import Counter, Stream, averaged, checked, finite, over_channels, resampled, trimmed

Progress = Callable[[float], None]

PRECISIONS = {"float32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
_PIPELINES = {"spectrogram": separate_spectrogram, "waveform": separate_waveform}
_GPU_SHARE = 0.5  # of the free memory that a batch may take
_GPU_LARGEST_BATCH = 64
_SHIFT_SECONDS = 0.5


class Separator:
    """Separates songs with a model.

    The model is folded and moved to the device once, in float32; your model is not changed. Options
    that you leave out are the model's (:class:`asteroid_xscheme.models.Inference`). Several threads
    can use one separator at the same time.

    A song is separated in groups of as many channels as the model has, in order. A mono song is
    fed to both channels of a stereo model, and the output is the mean of both. So stems always have
    the channels, rate and exact length of the song.

    Args:
        model: Any of the bridged models.
        device: "cpu", "cuda", "cuda:1", "mps"; None or "auto" for a GPU if there is one.
        chunk_seconds: Length of a chunk. None for the model's: 15 s for X-UMX, 8 s for
            X-Conv-TasNet.
        overlap: Fraction of a chunk that overlaps the next, 0 to 0.5. None for the model's: 0.1,
            0.25. If neither is given, D3Net averages overlapping patches as published.
        wiener: Multichannel Wiener filter, see :mod:`asteroid_xscheme.dsp.wiener`: "em", or
            "one_pass" as in D3Net's official code.
        wiener_iterations: Iterations of "em". None for the model's: 1 if it estimates magnitudes,
            0 if it estimates waveforms, which have their own phases.
        wiener_window: Frames to filter together; None for the whole song, which then has to fit
            into memory.
        softmask: Start "em" from a ratio mask.
        flip_channels: Average over both orders of the channels; doubles the time.
        shifts: Average over this many runs, each with the song shifted by up to half a second.
        normalize: Scale the song to a root mean square of 1 for the networks, and the sources
            back.
        precision: "float32", or "bf16" or "fp16" for the networks alone.
        batch_size: Chunks to process at once; None for as many as fit in memory.
        songs_at_once: How many songs will be separated at the same time, each in a thread of the
            caller's; there are workers and, on a GPU, memory for so many.

    Attributes:
        sources: Names of the sources, which are the keys of the result of :meth:`separate`.

    Raises:
        SeparationError: If an option is out of range or there is no such device.
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
        if precision not in PRECISIONS:
            raise SeparationError(
                f"Expected a precision from {list(PRECISIONS)}, got {precision!r}."
            )
        if wiener not in WIENER_METHODS:
            raise SeparationError(
                f"Expected a Wiener filter from {WIENER_METHODS}, got {wiener!r}."
            )
        self.device = find_device(device)
        autocast = PRECISIONS[precision]
        run_each = runner(len(model.sources), self.device, autocast, songs_at_once)
        self.model = _on_device(model, self.device).fold(run_each)
        self.sources = list(model.sources)
        self.sample_rate = int(model.sample_rate)
        self.options = WienerOptions(wiener_iterations, wiener_window, softmask, wiener)
        self.shifts, self.normalize = shifts, normalize
        self.estimation = Estimation(autocast, flip_channels)
        inference = self.model.inference
        self.by_patches = bool(inference.patches) and chunk_seconds is None and overlap is None
        self.chunking = _chunking(inference, chunk_seconds, overlap)
        if self.by_patches:
            n_steps = max(group.frames for group in inference.patches)
        else:
            n_steps = self.chunking.length
        self.batch_size = batch_size or _batch_size(inference, n_steps, self.device, songs_at_once)

    def separate(
        self,
        mixture: Union[torch.Tensor, np.ndarray, str, Path, BinaryIO],
        sample_rate: Optional[int] = None,
        progress: Optional[Progress] = None,
    ) -> Dict[str, torch.Tensor]:
        """The sources of a song.

        Args:
            mixture: Float waveform (C, T), a tensor or an array; or an audio file, as a path or a
                binary file object.
            sample_rate: Rate of a waveform in Hz (default: the model's); files have their own.
            progress: Called with the seconds of the song that are done.

        Returns:
            For each source (C, T) float32 on the CPU, with the song's rate and length.

        Raises:
            AudioError: If the file is no audio file, or damaged.
            SeparationError: If the waveform is no float array (C, T), or the song or an estimate of
                it holds nothing, or something that is no number.
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
        """Blocks (J, C, T) of the sources of a song, together of its length.

        Raises:
            SeparationError: Where the song or an estimate of it holds something that is no
                number; and at the end if the song held nothing.
        """
        level = _root_mean_square(song) if self.normalize else 1.0
        distance = round(_SHIFT_SECONDS * song.sample_rate)
        offsets = [k * distance // self.shifts for k in range(self.shifts)]
        runs = [self._run(song, offset, level) for offset in offsets]
        yield from finite(averaged(runs, song.sample_rate), song, self.sources)

    def _run(self, song: Song, offset: int, level: float) -> Stream:
        """The sources of a song that begins after `offset` samples of silence."""
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
        )
        if self.by_patches:
            return partial(separate_patches, groups=self.model.inference.patches, **settings)
        return partial(_PIPELINES[self.model.domain], chunking=self.chunking, **settings)


def _on_device(model: BridgedModel, device: torch.device) -> BridgedModel:
    """The model, or a copy if it is on another device or has another precision."""
    weight = next(model.parameters())
    if weight.device == device and weight.dtype == torch.float32:
        return model
    return deepcopy(model).to(device, torch.float32)


def find_device(name: Optional[str]) -> torch.device:
    """The device with a name; None and "auto" mean a GPU if there is one.

    Raises:
        SeparationError: If there is no such device.
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
    """Lengths in steps; the model's own by default."""
    seconds = inference.chunk_seconds if seconds is None else seconds
    length = max(2, round(inference.steps_per_second * seconds))
    shared = int(length * (inference.overlap if overlap is None else overlap))
    return Chunking(length, shared, int(shared * inference.fade))


def _batch_size(
    inference: Inference, n_steps: int, device: torch.device, songs_at_once: int
) -> int:
    """Chunks of so many steps that a device takes at once of each song."""
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
    """Of all samples of all channels; 1 for silence."""
    total, n_values = 0.0, 0
    for block in checked(song):
        total += float(block.double().square().sum())
        n_values += block.numel()
    return (total / n_values) ** 0.5 or 1.0
