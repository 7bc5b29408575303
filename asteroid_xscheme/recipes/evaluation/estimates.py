"""Write and find estimates: SUBSET/TRACK/SOURCE.wav, the layout of SiSEC, musdb and open-unmix.

A record beside the estimates of each track reveals estimates that are out of date, were changed or
are incomplete. Estimates of other programs may also have the layout of demucs, TRACK/SOURCE.wav.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

import torch

from ...audio import write_audio
from ..data import Track
from ..identity import Comparison, compare, file_hashes, read_record, write_record
from .errors import ScoringError
from .waveforms import track_of_files

ACCOMPANIMENT = "accompaniment"
_SUFFIXES = (".wav", ".flac")


def estimate_folder(folder: Path, track: Track) -> Path:
    """The folder of the estimates of a track."""
    return folder / track.subset / track.name


def audio_files(folder: Path) -> Dict[str, Path]:
    """The audio files in a folder by name; empty if there is no such folder."""
    if not folder.is_dir():
        return {}
    files = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    return {path.stem: path for path in files if path.suffix.lower() in _SUFFIXES}


def write_estimates(
    folder: Path, track: Track, estimates: Mapping[str, torch.Tensor], sample_rate: int
) -> None:
    """Write the estimates of a track, replacing existing ones.

    Args:
        folder: Folder of all estimates.
        track: The track.
        estimates: Waveforms (C, T) by source.
        sample_rate: In Hz.

    Raises:
        ScoringError: If an estimate is not finite; then none is written.
    """
    for source, estimate in estimates.items():
        if not estimate.isfinite().all():
            raise ScoringError(
                f"{track.folder}: the model's estimate of {source} contains samples that are not "
                "finite. The weights are damaged, or the precision is too low."
            )
    where = estimate_folder(folder, track)
    if where.is_dir():
        shutil.rmtree(where)
    where.mkdir(parents=True)
    for source, estimate in estimates.items():
        write_audio(where / f"{source}.wav", estimate, sample_rate, "FLOAT")


def hash_estimates(files: Mapping[str, Path]) -> Dict[str, str]:
    """The hash of each file, by source."""
    hashes = file_hashes(files.values())
    return {source: hashes[path] for source, path in files.items()}


def keep_estimates(folder: Path, track: Track, made_of: Mapping[str, Any]) -> None:
    """Write the record of the estimates of a track beside them."""
    where = estimate_folder(folder, track)
    write_record(where, {**made_of, "files": hash_estimates(audio_files(where))})


def compare_estimates(
    folder: Path, track: Track, made_of: Mapping[str, Any]
) -> Optional[Comparison]:
    """Compare existing estimates of a track with the record that they should have.

    Returns:
        The comparison, which is the same only if the files are complete and unchanged; None if
        there are no estimates.
    """
    where = estimate_folder(folder, track)
    files, record = audio_files(where), read_record(where) if where.is_dir() else None
    if not files and record is None:
        return None
    return compare(record, {**made_of, "files": hash_estimates(files)})


def find_estimates(folder: Path, track: Track, sources: Sequence[str]) -> Track:
    """Find estimates of a track that any program wrote.

    Args:
        folder: Folder with SUBSET/TRACK/SOURCE.wav or TRACK/SOURCE.wav (or .flac).
        track: The track.
        sources: Names of the sources to find. A missing "accompaniment" is the sum of all other
            sources but the vocals.

    Returns:
        The estimates as a track.

    Raises:
        ScoringError: If an estimate is missing or has another sample rate than the track.
    """
    places = (estimate_folder(folder, track), folder / track.name)
    files = next((found for found in map(audio_files, places) if found), None)
    if files is None:
        raise ScoringError(
            f"{folder} has no estimates of {track.name}: expected "
            f"{' or '.join(str(place / 'SOURCE.wav') for place in places)}."
        )
    named = with_accompaniment({s: (files[s],) for s in files if s != "mixture"})
    missing = [s for s in sources if s not in named]
    if missing:
        raise ScoringError(
            f"{next(iter(files.values())).parent} has no estimate of {', '.join(missing)}; its "
            f"files are {', '.join(sorted(files))}. Name the ones to score with --targets."
        )
    estimates = track_of_files({source: named[source] for source in sources})
    if estimates.sample_rate != track.sample_rate:
        raise ScoringError(
            f"The estimates of {track.name} in {folder} have {estimates.sample_rate} Hz, but the "
            f"track has {track.sample_rate} Hz."
        )
    return estimates


def with_accompaniment(files: Mapping[str, Tuple[Path, ...]]) -> Dict[str, Tuple[Path, ...]]:
    """Files by source; all but the vocals are added as the accompaniment if that is missing."""
    if ACCOMPANIMENT in files:
        return dict(files)
    others = tuple(path for source, paths in files.items() if source != "vocals" for path in paths)
    return {**files, ACCOMPANIMENT: others} if others else dict(files)


def accompanied(track: Track) -> Track:
    """A track with its accompaniment as an additional source."""
    return replace(track, source_files=with_accompaniment(track.source_files))
