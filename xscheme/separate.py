"""`xscheme separate`: songs in, files of their sources out; one model for all songs.

A song that fails is reported in one line on the error stream and the others are done.
"""

import json
import signal
import sys
import threading
import time
from argparse import Namespace
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, List, Sequence

import torch
from tqdm import tqdm

from asteroid_xscheme.models import BridgedModel
from asteroid_xscheme.separation import Separator, SeparationError, find_device, song_of_file
from asteroid_xscheme.separation.stems import (
    Stem,
    StemFiles,
    StemFormat,
    choose_stems,
    mix_stems,
    stem_paths,
)
from .songs import Job, find_songs, plan_jobs, take_shard


def separate(arguments: Namespace) -> int:
    """Run the command; 0 if every song was separated, else 1."""
    if arguments.jobs is not None:
        if arguments.jobs < 1:
            raise SeparationError(f"Expected 1 job or more, got {arguments.jobs}.")
        torch.set_num_threads(arguments.jobs)
    find_device(arguments.device)  # before weights are fetched
    form = _format(arguments)
    found, problems = find_songs(arguments.input, Path(arguments.out))
    separator = _separator(arguments)
    stems = choose_stems(
        separator.sources, arguments.targets, arguments.two_stems, arguments.residual
    )
    folder = Path(arguments.out) / _model_folder(arguments.name)
    jobs = plan_jobs(
        found, lambda track, suffix: _paths(arguments, folder, track, suffix, stems, form)
    )
    jobs = take_shard(jobs, arguments.shard)
    results = [_report({"input": name, "error": error}) for name, error in problems]
    with _stopped_by_signals():
        results += [_run_job(job, separator, stems, form, arguments) for job in jobs]
    _write_summary(arguments, results)
    return 1 if any("error" in result for result in results) else 0


def _separator(arguments: Namespace) -> Separator:
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
    )


def _format(arguments: Namespace) -> StemFormat:
    suffix = ".mp3" if arguments.mp3 else ".flac" if arguments.flac else ".wav"
    subtype = "FLOAT" if arguments.float32 else "PCM_24" if arguments.int24 else "PCM_16"
    bitrate = arguments.mp3_bitrate if arguments.mp3 else None
    return StemFormat(suffix, subtype, bitrate, arguments.clip_mode)


def _model_folder(name: str) -> str:
    """The last part of a model's name, path or address, fit for a folder."""
    last = name.rstrip("/").replace("\\", "/").rsplit("/", 1)[-1]
    stem = last.split("?")[0]
    for suffix in (".pth", ".pt", ".h5", ".zip", ".safetensors"):
        stem = stem.removesuffix(suffix)
    return stem or "model"


def _paths(
    arguments: Namespace,
    folder: Path,
    track: str,
    suffix: str,
    stems: Sequence[Stem],
    form: StemFormat,
) -> Dict[str, Path]:
    ext = form.suffix[1:]
    return stem_paths(arguments.filename, folder, track, suffix[1:], stems, ext)


def _run_job(
    job: Job,
    separator: Separator,
    stems: Sequence[Stem],
    form: StemFormat,
    arguments: Namespace,
) -> dict:
    """Separate one song; what became of it."""
    result = {"input": str(job.path), "stems": {n: str(path) for n, path in job.stems.items()}}
    existing = [path for path in job.stems.values() if path.exists()]
    if job.problem:
        return _report({"input": str(job.path), "error": job.problem})
    if len(existing) == len(job.stems) and arguments.skip_existing:
        return {**result, "skipped": True}
    if existing and not (arguments.overwrite or arguments.skip_existing):
        problem = f"{existing[0]} exists; add --overwrite or --skip-existing"
        return _report({"input": str(job.path), "error": problem})
    begin = time.perf_counter()
    try:
        song = song_of_file(job.path, arguments.start, arguments.duration)
        with StemFiles(list(job.stems.values()), song, form) as files:
            seconds = _separate_song(separator, song, stems, files, arguments.quiet)
    except (ValueError, OSError, torch.OutOfMemoryError) as error:
        return _report({"input": str(job.path), "error": _one_line(error, job.path)})
    result.update(seconds=seconds, elapsed=time.perf_counter() - begin, gain=files.gain)
    if seconds < 0.99 * song.seconds:
        result["warning"] = f"holds {seconds:.1f} s; its header promises {song.seconds:.1f} s"
    return _report(result)


def _separate_song(
    separator: Separator, song, stems: Sequence[Stem], files: StemFiles, quiet: bool
) -> float:
    """Write a song's stems; the seconds of audio done."""
    n_samples = 0
    bar = tqdm(
        total=round(song.seconds, 1) or None,
        desc=Path(song.name).name,
        unit="s",
        bar_format="{l_bar}{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}]",
        disable=True if quiet else None,
    )
    with bar:
        for block in mix_stems(separator.stream(song), stems, song):
            files.write(block)
            n_samples += block.shape[-1]
            bar.update(block.shape[-1] / song.sample_rate)
    return n_samples / song.sample_rate


def _one_line(error: Exception, path: Path) -> str:
    """An error's first line, without the name of the song that every report begins with."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error).splitlines()[0].removeprefix(f"{path}: ")


def _report(result: dict) -> dict:
    for kind in ("error", "warning"):
        if kind in result:
            print(f"{result['input']}: {result[kind]}", file=sys.stderr)
    return result


def _write_summary(arguments: Namespace, results: List[dict]) -> None:
    if arguments.json is None:
        return
    summary = json.dumps({"model": arguments.name, "songs": results}, indent=2, ensure_ascii=False)
    if arguments.json == "-":
        print(summary)
    else:
        Path(arguments.json).write_text(summary + "\n", encoding="utf-8")


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Within, the polite kill signal stops the program as Ctrl-C does, so that it tidies up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
