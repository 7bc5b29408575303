"""Models and estimates of any program, test tracks -> scores of all, their tables and records.

This is what stage 2 of a recipe and `xscheme evaluate` have in common.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

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
    """Something that is scored.

    Attributes:
        name: What it is called in tables.
        score: Tracks -> their scores.
        estimates: Track -> the files of its estimates that are there.
        record: File that receives its record, for reports.
        conditions: What its scores depend on beside it, in words.
        made_of: The same for `identity.compare`.
        filter: How its estimates were filtered, as `Published.filter`; empty where nobody knows.
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
    """What systems are scored on.

    Attributes:
        name: Of the data set.
        subsets: By name, tracks; "test" comes first.
        train_tracks: What the static filter is learnt on, as far as there are any.
        baselines: Folder of the baselines' scores; None leaves them out.
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
    """A model to score.

    Args:
        name: See `System`.
        separator: The separator of the model.
        made_of: The model's hash and the options of separation.
        scoring: How to score.
        places: Folders of scores and of estimates, and the file of the record.
        keep: Whether the estimates stay there.
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
    """How a separator filters, in the words of `Published.filter`."""
    options, plain = separator.options, separator.options.method == "em"
    words = [f"em, iterations: {options.iterations}" if plain else options.method]
    words += ["softmask"] if plain and options.softmask else []
    words += ["flipped channels"] if separator.estimation.flip_channels else []
    return ", ".join(words)


def estimates_system(
    name: str, folder: Path, scoring: Scoring, places: Tuple[Path, Path], conditions: str
) -> System:
    """Estimates of any program to score.

    Args:
        name, scoring, conditions: See `model_system`.
        folder: Where they lie, see `find_estimates`.
        places: Folder of the scores, file of the record.
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
    """Score systems, one after the other, and write results.md, all_metrics.csv and records.

    Args:
        systems: What to score; a generator's next system is made when the one before is done.
        data: What to score on.
        scoring: How the baselines are scored.
        out: Receives results.md and all_metrics.csv (of the subset "test", or else the first).
    """
    scores: Dict[str, Dict[str, List[TrackScores]]] = {subset: {} for subset in data.subsets}
    if data.baselines is not None:
        for subset, tracks in data.subsets.items():
            scores[subset] = evaluate_baselines(tracks, data.train_tracks, data.baselines, scoring)
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
    (out / "results.md").write_text(text + "\n", encoding="utf-8")
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
    """What was scored, such as "50 test tracks of musdb18"."""
    return f"{n_tracks} {subset} {'track' if n_tracks == 1 else 'tracks'} of {dataset}"


def _write_record(
    system: System, data: TestData, scores: Mapping[str, Mapping[str, List[TrackScores]]]
) -> None:
    """The record of a system beside the baselines."""
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
