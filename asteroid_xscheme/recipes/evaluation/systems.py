"""Evaluate systems on test tracks: score each, and write tables and records.

A system is a model, or estimates that any program wrote. Stage 2 of a recipe and `xscheme evaluate`
both use this module.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from ...atomic import alone, write_text
from ...separation import Separator
from ..data import Track
from .estimates import audio_files, estimate_folder, find_estimates
from .published import published_beside
from .record import Files, subset_record, write_record
from .run import evaluate_baselines, evaluate_estimates, evaluate_separation
from .scores import TrackScores
from .scoring import Scoring
from .table import results_text, write_csv


@dataclass(frozen=True)
class System:
    """A system to score.

    Attributes:
        name: Name in tables.
        score: Function that scores tracks.
        estimates: Function that returns the existing files of a track's estimates, by source.
        record: File that receives the record, for reports.
        conditions: Description of what the scores depend on besides the system.
        made_of: Record of what the scores depend on, for `identity.compare`.
        filter: How the estimates were filtered, as in `Published.filter`; empty if unknown.
    """

    name: str
    score: Callable[[Sequence[Track]], List[TrackScores]]
    estimates: Callable[[Track], Files]
    record: Path
    conditions: str
    made_of: Mapping[str, Any]
    filter: str = ""


@dataclass(frozen=True)
class TestData:
    """The data that systems are scored on.

    Attributes:
        name: Name of the data set.
        subsets: Tracks by subset, "test" first.
        train_tracks: Tracks to fit the static filter on; may be empty.
        baselines: Folder of the scores of the baselines; None leaves them out.
    """

    name: str
    subsets: Mapping[str, Sequence[Track]]
    train_tracks: Sequence[Track]
    baselines: Optional[Path]


@dataclass(frozen=True)
class Evaluation:
    """Scores by subset and system, and the tables that show them."""

    scores: Dict[str, Dict[str, List[TrackScores]]]
    text: str


def model_system(
    name: str,
    separator: Separator,
    made_of: Mapping[str, Any],
    scoring: Scoring,
    places: Tuple[Path, Path, Path],
    keep: bool,
    conditions: str,
) -> System:
    """Make a system of a model.

    Args:
        name: See `System`.
        separator: Separator with the model.
        made_of: Hash of the model, and the options of separation.
        scoring: How to score.
        places: Folder of the scores, folder of the estimates, and file of the record.
        keep: Whether to keep the estimates.
        conditions: See `System`.
    """
    scores, estimates, record = places

    def files(track: Track) -> Files:
        found = audio_files(estimate_folder(estimates, track))
        return {source: (path,) for source, path in found.items()}

    score = partial(
        evaluate_separation,
        separator.separate,
        folder=scores,
        estimates=estimates,
        scoring=scoring,
        keep=keep,
        made_of=made_of,
    )
    everything = {**made_of, "scoring": scoring.record()}
    return System(name, score, files, record, conditions, everything, _filter(separator))


def _filter(separator: Separator) -> str:
    """How a separator filters, in the format of `Published.filter`."""
    options, plain = separator.options, separator.options.method == "em"
    words = [f"em, iterations: {options.iterations}" if plain else options.method]
    words += ["softmask"] if plain and options.softmask else []
    words += ["flipped channels"] if separator.estimation.flip_channels else []
    return ", ".join(words)


def estimates_system(
    name: str, folder: Path, scoring: Scoring, places: Tuple[Path, Path], conditions: str
) -> System:
    """Make a system of estimates that any program wrote.

    Args:
        name, scoring, conditions: See `model_system`.
        folder: Folder of the estimates, see `find_estimates`.
        places: Folder of the scores, and file of the record.
    """
    scores, record = places
    return System(
        name,
        partial(evaluate_estimates, folder, folder=scores, scoring=scoring),
        lambda track: find_estimates(folder, track, scoring.scored).source_files,
        record,
        conditions,
        {"scoring": scoring.record()},
    )


def evaluate(systems: Iterable[System], data: TestData, scoring: Scoring, out: Path) -> Evaluation:
    """Score systems one after the other; write results.md, all_metrics.csv and records.

    Args:
        systems: The systems. If it is a generator, each is made only when the previous one is done.
        data: The data to score on.
        scoring: How to score the baselines.
        out: Folder that receives results.md, and all_metrics.csv of the first subset.

    Raises:
        ScoringError: If a track cannot be scored.
    """
    scores: Dict[str, Dict[str, List[TrackScores]]] = {subset: {} for subset in data.subsets}
    if data.baselines is not None:
        with alone(data.baselines, wait=True):  # evaluations that run at once may share the folder
            for subset, tracks in data.subsets.items():
                scores[subset] = evaluate_baselines(
                    tracks, data.train_tracks, data.baselines, scoring
                )
    baselines = {subset: dict(of) for subset, of in scores.items()}
    filters: Dict[str, str] = {}
    for system in systems:
        filters[system.name] = system.filter
        for subset, tracks in data.subsets.items():
            scores[subset][system.name] = system.score(tracks)
        own = {s: {**baselines[s], system.name: of[system.name]} for s, of in scores.items()}
        _write_record(system, data, own)
    text = "\n\n".join(_text(data, subset, of, filters) for subset, of in scores.items())
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "results.md", text + "\n")
    write_csv(next(iter(scores.values())), out / "all_metrics.csv")
    return Evaluation(scores, text)


def _text(
    data: TestData,
    subset: str,
    scores: Mapping[str, List[TrackScores]],
    filters: Mapping[str, str],
) -> str:
    tracks = data.subsets[subset]
    is_official = subset == "test" and all(track.sample_rate == 44100 for track in tracks)
    published = published_beside(filters, data.name, len(tracks)) if is_official else ()
    return results_text(_title(subset, len(tracks), data.name), scores, list(filters), published)


def _title(subset: str, n_tracks: int, dataset: str) -> str:
    """Description of a subset, such as "50 test tracks of musdb18"."""
    return f"{n_tracks} {subset} {'track' if n_tracks == 1 else 'tracks'} of {dataset}"


def _write_record(
    system: System, data: TestData, scores: Mapping[str, Mapping[str, List[TrackScores]]]
) -> None:
    """Write the record of a system, which includes the scores of the baselines."""
    subsets, sources = {}, []
    for subset, tracks in data.subsets.items():
        title = _title(subset, len(tracks), data.name)
        estimates = {track.name: system.estimates(track) for track in tracks}
        folder = system.record.parent
        subsets[subset] = subset_record(title, folder, tracks, estimates, scores[subset])
        sources += [s for track in scores[subset][system.name] for s in track.frames]
    write_record(
        system.record,
        system.name,
        data.name,
        list(dict.fromkeys(sources)),
        system.conditions,
        system.made_of,
        subsets,
    )
