"""Separate many songs with one model and the same options."""

import math
import sys
import time
import traceback
from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Callable, Dict, Generator, List, Optional, Sequence, Tuple

import torch
from tqdm import tqdm

from asteroid_xscheme.audio import AudioError, Tags, falls_short, read_tags
from asteroid_xscheme.errors import is_mistake, request_report
from asteroid_xscheme.listening import check_page, write_page
from asteroid_xscheme.models import BridgedModel
from asteroid_xscheme.separation import Separator, Song, song_of_file
from asteroid_xscheme.separation.songs import begun
from asteroid_xscheme.separation.stem_files import StemFiles, StemFormat
from asteroid_xscheme.separation.stems import (
    Stem,
    choose_stem_mp4,
    choose_stems,
    mix_stems,
    stem_path,
    stem_paths,
)
from .at_once import in_order
from .messages import message_of, printable
from .songs import Job

_OUT_OF_MEMORY = (MemoryError, torch.OutOfMemoryError)


@dataclass(frozen=True)
class Batch:
    """How to separate songs, and what to write.

    Attributes:
        separator: The loaded model.
        stems: The stems to write for each song.
        form: The file format of the stems.
        arguments: All options of the command line.
        n_at_once: Number of songs to separate at once.
        stop: Event that abandons the songs being separated.
    """

    separator: Separator
    stems: List[Stem]
    form: StemFormat
    arguments: Namespace
    n_at_once: int = 1
    stop: Event = field(default_factory=Event)

    @classmethod
    def of(cls, arguments: Namespace, n_at_once: int = 1) -> "Batch":
        """Load the model and choose the stems.

        Raises:
            CheckpointError: If the weights do not exist or cannot be loaded.
            SeparationError: If the model lacks a source, or two stems would get the same file.
        """
        separator = _separator(arguments, n_at_once)
        if arguments.precision == "auto":
            print("precision {}: {}".format(*separator.precision), file=sys.stderr)
        if arguments.stem:
            stems = choose_stem_mp4(separator.sources)
        else:
            wanted = arguments.targets, arguments.two_stems, arguments.residual
            stems = choose_stems(separator.sources, *wanted)
        batch = cls(separator, stems, _format(arguments, stems), arguments, n_at_once)
        batch.stem_paths("track", ".wav")  # fail now if this would fail for every song
        return batch

    def stem_paths(self, track: str, suffix: str) -> Dict[str, Path]:
        """The file of each stem of a track, by stem."""
        folder = Path(self.arguments.out) / model_folder(self.arguments.name)
        pattern, ext = self.arguments.filename, self.form.suffix[1:]
        if self.arguments.stem:
            pattern = pattern or "{track}.{ext}"
            return {"stem": stem_path(pattern, folder, track, suffix[1:], ext)}
        pattern = pattern or "{track}/{stem}.{ext}"
        return stem_paths(pattern, folder, track, suffix[1:], self.stems, ext)

    def page_path(self, track: str, suffix: str) -> Optional[Path]:
        """The file of a track's page, named like a stem called "listen"; None without --page."""
        if not self.arguments.page:
            return None
        folder = Path(self.arguments.out) / model_folder(self.arguments.name)
        pattern = self.arguments.filename or "{track}/{stem}.{ext}"
        page = [Stem("listen", ())]
        path = stem_paths(pattern, folder, track, suffix[1:], page, "html")["listen"]
        return path if path.suffix == ".html" else path.with_name(f"{path.name}.html")

    def run_all(self, jobs: Sequence[Job]) -> Generator[dict, None, None]:
        """Separate the songs and yield the summary entry of each, in the order of the jobs."""
        return in_order(self.run, self.open, jobs, self.n_at_once, self.stop)

    def open(self, job: Job) -> Optional[Song]:
        """The song of a job, with its first minute decoded; None if it need not be separated.

        Raises:
            AudioError: If the file is not an audio file.
            SeparationError: If the requested part of the song is empty.
        """
        if self._settled(job):
            return None
        return begun(song_of_file(job.path, self.arguments.start, self.arguments.duration))

    def run(self, job: Job, opened: Callable[[], Optional[Song]]) -> dict:
        """Separate a song unless it can be skipped, and return its summary entry.

        Args:
            job: What to write for the song.
            opened: Returns the song, or raises the error with which it could not be opened.
        """
        settled = self._settled(job)
        if settled:
            return settled
        try:
            song = opened() or self.open(job)
            assert song is not None
            return {**_entry(job), **self._separate(job, song)}
        except _Stopped:
            raise
        except Exception as error:
            return {"input": str(job.path), "error": _problem_of(error, job)}

    def _settled(self, job: Job) -> Optional[dict]:
        """The summary entry of a job for which nothing is left to do; None otherwise."""
        if job.problem:
            return {"input": str(job.path), "error": job.problem}
        existing = [path for path in job.files if path.is_file()]
        if len(existing) == len(job.files) and self.arguments.skip_existing:
            return {**_entry(job), "skipped": True}
        if existing and not (self.arguments.overwrite or self.arguments.skip_existing):
            problem = f"{existing[0]} already exists; add --overwrite or --skip-existing"
            return {"input": str(job.path), "error": problem}
        return None

    def _separate(self, job: Job, song: Song) -> dict:
        """Separate a song and return its length, run time, gain, and any warning or note."""
        begin = time.perf_counter()
        if job.page:
            check_page(job.page)
        tags, notes = self._tags_of(job)
        with StemFiles(list(job.stems.values()), song, self.form, tags) as files:
            n_samples = self._write(song, files)
        if job.page:
            stems = {name: song_of_file(path) for name, path in job.stems.items()}
            write_page(job.page, Path(song.name).stem, stems, song, files.gain)
        result: Dict[str, Any] = {
            "seconds": n_samples / song.sample_rate,
            "elapsed": time.perf_counter() - begin,
            "gain": files.gain,
        }
        if falls_short(n_samples, song.n_samples, song.sample_rate):
            promised = f"its header says {song.seconds:.1f} s"
            result["warning"] = f"contains only {result['seconds']:.1f} s; {promised}"
        elif song.is_cut:
            result["warning"] = f"is truncated: it ends after {result['seconds']:.1f} s"
        if files.gain < 1:
            notes.append(_note_of(files.gain))
        return {**result, "note": "; ".join(notes)} if notes else result

    def _tags_of(self, job: Job) -> Tuple[List[Tags], List[str]]:
        """The tags of each output file of a song, and notes about them."""
        try:
            tags = read_tags(job.path)
        except AudioError as error:
            return [Tags() for _ in job.stems], [str(error).removeprefix(f"{job.path}: ")]
        notes = [tags.note] if tags.note else []
        if self.arguments.stem:
            return [tags], notes
        track = job.path.name.removesuffix(job.path.suffix)
        return [tags.of_stem(stem, track) for stem in job.stems], notes

    def _write(self, song: Song, files: StemFiles) -> int:
        """Write the stems of a song and return their length in samples."""
        n_samples = 0
        bar = tqdm(
            total=round(song.seconds, 1) or None,
            desc=printable(Path(song.name).name),
            unit="s",
            bar_format="{l_bar}{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}]",
            disable=True if self.arguments.quiet else None,
        )
        with bar:
            for block in mix_stems(self.separator.stream(song), self.stems, song):
                if self.stop.is_set():
                    raise _Stopped
                files.write(block)
                n_samples += block.shape[-1]
                bar.update(block.shape[-1] / song.sample_rate)
        return n_samples


def _entry(job: Job) -> dict:
    """What the summary says about a job that names its files."""
    entry: Dict[str, Any] = {"input": str(job.path)}
    entry["stems"] = {name: str(path) for name, path in job.stems.items()}
    return {**entry, "page": str(job.page)} if job.page else entry


class _Stopped(Exception):
    """The run was stopped while this song was being separated."""


def _problem_of(error: Exception, job: Job) -> str:
    """Why a song was not separated; the traceback of a bug is printed, as the others go on."""
    if is_mistake(error) or isinstance(error, _OUT_OF_MEMORY):
        return message_of(error).removeprefix(f"{job.path}: ")
    tqdm.write("".join(traceback.format_exception(error)), file=sys.stderr)
    return request_report(error)


def _separator(arguments: Namespace, n_at_once: int) -> Separator:
    return Separator(
        BridgedModel.from_pretrained(arguments.name, offline=arguments.offline),
        arguments.device,
        chunk_seconds=arguments.segment,
        overlap=arguments.overlap,
        wiener_iterations=arguments.niter,
        wiener_window=arguments.wiener_win_len or None,
        softmask=arguments.softmask,
        wiener=arguments.wiener,
        flip_channels=arguments.flip_channels,
        shifts=arguments.shifts,
        normalize=arguments.normalize,
        precision=arguments.precision,
        batch_size=arguments.batch_size,
        songs_at_once=n_at_once,
    )


def _format(arguments: Namespace, stems: Sequence[Stem]) -> StemFormat:
    if arguments.stem:
        names = tuple(stem.name for stem in stems[1:])
        return StemFormat(".stem.mp4", clip_mode=arguments.clip_mode, names=names)
    suffix = ".mp3" if arguments.mp3 else ".flac" if arguments.flac else ".wav"
    subtype = "FLOAT" if arguments.float32 else "PCM_24" if arguments.int24 else "PCM_16"
    bitrate = arguments.mp3_bitrate if arguments.mp3 else None
    return StemFormat(suffix, subtype, bitrate, arguments.clip_mode)


def model_folder(name: str) -> str:
    """A folder name made from the last part of a model's name, path or URL.

    The result is a single folder name, never a path that leads out of the output folder.
    """
    if Path(name).is_dir():
        name = Path(name).resolve().name
    last = name.rstrip("/").replace("\\", "/").rsplit("/", 1)[-1]
    stem = last.split("?")[0]
    for suffix in (".pth", ".pt", ".h5", ".zip", ".safetensors"):
        stem = stem.removesuffix(suffix)
    return stem if stem.strip(".") else "model"


def _note_of(gain: float) -> str:
    return (
        f"all stems are {-20 * math.log10(gain):.1f} dB quieter so that the loudest does not "
        "clip; --float32 keeps the level"
    )
