"""Separate and score test tracks, and resume where a previous evaluation stopped.

This process separates one track after the other and writes the estimates; other processes score
them. The file of a track's scores records what they depend on: the contents of the track, the model
and its options, the files of the estimates, the metrics. A track whose record has not changed is
neither separated nor scored again. The baselines need no model; they are scored once and shared by
all runs in the same folder.
"""

import shutil
from pathlib import Path
from types import MappingProxyType
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, cast

import torch
from tqdm import tqdm

from ..baselines import StaticFilter, mixture_as_estimate, ratio_mask_oracle
from ..data import Track, track_contents
from ..identity import compare, digest
from .errors import ScoringError
from .estimates import (
    ACCOMPANIMENT,
    audio_files,
    compare_estimates,
    estimate_folder,
    find_estimates,
    hash_estimates,
    keep_estimates,
    with_accompaniment,
    write_estimates,
)
from .scores import TrackScores, find_scores
from .scoring import Scoring, scoring_pool
from .waveforms import Waveforms, read_mixture, track_of_files

#: (mixture (C, T), sources (J, C, T), static filter) -> estimates (J, C, T)
Baseline = Callable[[torch.Tensor, torch.Tensor, Optional[StaticFilter]], torch.Tensor]
#: mixture (C, T), sample rate -> by source (C, T)
Separate = Callable[[torch.Tensor, int], Mapping[str, torch.Tensor]]
Record = Mapping[str, Any]

STATIC_FILTER, ORACLE = "static filter", "ratio-mask oracle"


def evaluate_separation(
    separate: Separate,
    tracks: Sequence[Track],
    folder: Path,
    estimates: Path,
    scoring: Scoring,
    keep: bool = True,
    made_of: Record = MappingProxyType({}),
) -> List[TrackScores]:
    """Separate and score tracks.

    Args:
        separate: Function (mixture (C, T), sample rate) -> estimates (C, T) by source.
        tracks: The test tracks.
        folder: Folder that receives SUBSET/TRACK.json, the scores in museval's format.
        estimates: Folder that receives SUBSET/TRACK/SOURCE.wav.
        scoring: How to score.
        keep: Whether to keep the estimates.
        made_of: What the estimates depend on besides the track, such as the hash of the model.

    Returns:
        The scores of all tracks, in order.

    Raises:
        ScoringError: If an estimate is not finite, or a track cannot be scored.
    """
    contents, work = track_contents(tracks), _Work(folder, tracks)
    with scoring_pool(scoring.jobs) as pool:
        for track in tqdm(tracks, "separating", unit="track", disable=None):
            made = {**made_of, "track": contents[_key(track)]}
            there = compare_estimates(estimates, track, made)
            is_there = there is not None and there.is_same
            files = _files(estimates, track) if is_there else None
            is_scored = work.find(track, {**made, "scoring": scoring.record()}, files)
            if not is_there and (keep or there is not None or not is_scored):
                work.report(track, "estimates", there)
                separated = separate(read_mixture(track), track.sample_rate)
                write_estimates(estimates, track, separated, track.sample_rate)
            elif is_scored:
                continue
            args = (estimates, work.file(track), scoring, keep or is_there, made)
            pool.submit(_key(track), track, _score_files, *args)
    return work.results(pool.results)


def evaluate_estimates(
    estimates: Path, tracks: Sequence[Track], folder: Path, scoring: Scoring
) -> List[TrackScores]:
    """Score estimates that any program wrote.

    Args:
        estimates: Folder of the estimates, see `find_estimates`; it is not changed.
        tracks, folder, scoring: As for `evaluate_separation`.

    Returns:
        The scores of all tracks, in order.

    Raises:
        ScoringError: If estimates are missing or do not fit their track.
    """
    contents, work = track_contents(tracks), _Work(folder, tracks)
    found = {_key(track): find_estimates(estimates, track, scoring.scored) for track in tracks}
    with scoring_pool(scoring.jobs) as pool:
        for track in tracks:
            of_track = found[_key(track)]
            files = {p.name: p for paths in of_track.source_files.values() for p in paths}
            hashes = hash_estimates(files)
            made = {"track": contents[_key(track)], "scoring": scoring.record()}
            if not work.find(track, made, hashes):
                made = {**made, "files": hashes}
                pool.submit(
                    _key(track), track, _score_found, of_track, work.file(track), scoring, made
                )
    return work.results(pool.results)


def evaluate_baselines(
    tracks: Sequence[Track], train_tracks: Sequence[Track], folder: Path, scoring: Scoring
) -> Dict[str, List[TrackScores]]:
    """Score the baselines: the mixture, the static filter and the ratio-mask oracle.

    Args:
        tracks: The test tracks.
        train_tracks: Tracks to fit the static filter on; without any, the filter is left out.
        folder: Folder that receives NAME/SUBSET/TRACK.json; the estimates are not kept.
        scoring: How to score.

    Returns:
        The scores of all tracks, by baseline.

    Raises:
        ScoringError: If a track cannot be scored.
    """
    contents = track_contents(tracks)
    learnt_on = digest(track_contents(train_tracks))
    names = [name for name in BASELINES if train_tracks or name != STATIC_FILTER]
    work = {name: _Work(folder / name, tracks) for name in names}
    missing: List[Tuple[str, Track, Record]] = []
    for name in names:
        learnt = {"learnt on": learnt_on} if name == STATIC_FILTER else {}
        common = {"sources": sorted(scoring.sources), "scoring": scoring.record(), **learnt}
        for track in tracks:
            made: Record = {**common, "track": contents[_key(track)]}
            if not work[name].find(track, made):
                missing.append((name, track, made))
    needs_filter = any(name == STATIC_FILTER for name, _, _ in missing)
    pairs = _mixtures_and_sources(train_tracks, scoring.sources)
    static = StaticFilter().fit(pairs) if needs_filter else None
    with scoring_pool(scoring.jobs) as pool:
        for name, track, made in missing:
            args = (name, static, work[name].file(track), scoring, made)
            pool.submit((name, _key(track)), track, _score_baseline, *args)
    of = {name: {k[1]: v for k, v in pool.results.items() if k[0] == name} for name in names}
    return {name: work[name].results(of[name]) for name in names}


class _Work:
    """The scores of some tracks in a folder; scores of other tracks are removed from it.

    Otherwise museval, and other tools that read the folder, would count them too.
    """

    def __init__(self, folder: Path, tracks: Sequence[Track]):
        self.folder, self.tracks = folder, tracks
        self.found: Dict[str, TrackScores] = {}
        self.reported: set[str] = set()
        wanted = {self.file(track) for track in tracks}
        for subset in {track.subset for track in tracks}:
            for path in (folder / subset).glob("*.json"):
                if path not in wanted:
                    path.unlink()

    def file(self, track: Track) -> Path:
        return self.folder / track.subset / f"{track.name}.json"

    def find(self, track: Track, made_of: Record, files: Optional[Record] = None) -> bool:
        """Find scores of a track with this record; `files` None accepts any estimates."""
        scores = find_scores(self.file(track))
        if scores is None:
            return False
        before = scores.made_of
        if files is None and before is not None and "files" in before:
            files = before["files"]
        comparison = compare(before, made_of if files is None else {**made_of, "files": files})
        if comparison.is_same:
            self.found[_key(track)] = scores
        else:
            self.report(track, "scores", comparison)
        return comparison.is_same

    def report(self, track: Track, what: str, comparison: Optional[object]) -> None:
        """Print why something is computed again, once per reason."""
        reason = f"{what}: {comparison}"
        if comparison is not None and reason not in self.reported:
            self.reported.add(reason)
            print(
                f"{self.folder}, {track.name}: {reason}. These are computed again, as are all "
                "others for the same reason."
            )

    def results(self, new: Mapping[str, TrackScores]) -> List[TrackScores]:
        """The scores of all tracks, in order."""
        every = {**self.found, **new}
        return [every[_key(track)] for track in self.tracks]


def _mixture(
    mixture: torch.Tensor, sources: torch.Tensor, static: Optional[StaticFilter]
) -> torch.Tensor:
    return mixture_as_estimate(mixture, len(sources))


def _static(
    mixture: torch.Tensor, sources: torch.Tensor, static: Optional[StaticFilter]
) -> torch.Tensor:
    return cast(StaticFilter, static).apply(mixture)


def _oracle(
    mixture: torch.Tensor, sources: torch.Tensor, static: Optional[StaticFilter]
) -> torch.Tensor:
    return ratio_mask_oracle(mixture, sources)


BASELINES: Mapping[str, Baseline] = {
    "mixture": _mixture,
    STATIC_FILTER: _static,
    ORACLE: _oracle,
}


def _mixtures_and_sources(tracks: Sequence[Track], sources: Sequence[str]) -> Iterator:
    for track in tracks:
        waveforms = Waveforms.of_track(track, sources).read(0, track.n_samples)
        yield torch.from_numpy(waveforms.sum(0)), torch.from_numpy(waveforms)


def _score_files(
    track: Track, estimates: Path, path: Path, scoring: Scoring, keep: bool, made: Record
) -> TrackScores:
    """Score estimates that we wrote, unless the same files have been scored already."""
    if keep:
        keep_estimates(estimates, track, made)
    files = _files(estimates, track)
    made = {**made, "scoring": scoring.record(), "files": files}
    scores = find_scores(path)
    if scores is None or not compare(scores.made_of, made).is_same:
        named = {s: (p,) for s, p in audio_files(estimate_folder(estimates, track)).items()}
        found = track_of_files(with_accompaniment(named))
        missing = sorted(set(scoring.scored) - set(found.source_files))
        if missing:
            raise ScoringError(f"The model does not estimate {', '.join(missing)}.")
        scores = scoring.score(track, Waveforms.of_track(found, scoring.scored), made, path)
    if not keep:
        shutil.rmtree(estimate_folder(estimates, track))
    return scores


def _score_found(
    track: Track, estimates: Track, path: Path, scoring: Scoring, made: Record
) -> TrackScores:
    """Score estimates of another program; as in museval, samples after the reference are cut."""
    waveforms = Waveforms.of_track(estimates, scoring.scored).cut(track.n_samples)
    return scoring.score(track, waveforms, made, path)


def _score_baseline(
    track: Track,
    name: str,
    static: Optional[StaticFilter],
    path: Path,
    scoring: Scoring,
    made: Record,
) -> TrackScores:
    torch.set_num_threads(1)
    mixture = read_mixture(track)
    references = Waveforms.of_track(track, scoring.sources).read(0, track.n_samples)
    estimates = BASELINES[name](mixture, torch.from_numpy(references), static).numpy()
    by_source = {s: estimate.T for s, estimate in zip(scoring.sources, estimates)}
    others = [waveform for source, waveform in by_source.items() if source != "vocals"]
    by_source[ACCOMPANIMENT] = mixture.numpy().T if name == "mixture" else sum(others)
    waveforms = Waveforms.of_arrays({source: by_source[source] for source in scoring.scored})
    return scoring.score(track, waveforms, made, path)


def _files(estimates: Path, track: Track) -> Dict[str, str]:
    return hash_estimates(audio_files(estimate_folder(estimates, track)))


def _key(track: Track) -> str:
    return f"{track.subset}/{track.name}"
