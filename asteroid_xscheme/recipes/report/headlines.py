"""Records of runs -> what a page says first: how good each is, between filter and oracle."""

from dataclasses import dataclass
from statistics import mean, median
from typing import Dict, List, Mapping, Optional, Sequence

from .records import Record, Subset
from .tables import run_names

STATIC_FILTER, ORACLE = "static filter", "ratio-mask oracle"  # as stage 2 names them


@dataclass(frozen=True)
class Distance:
    """From one system up to another in dB: of the averages, and of the extreme songs.

    Songs and systems are averaged over the sources that have a figure in both.
    """

    average: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Headline:
    """How good a run is on a subset; a distance is None where the baseline was not scored."""

    run: str
    data: str
    date: str
    average: Optional[float]
    above_filter: Optional[Distance]
    below_oracle: Optional[Distance]


def headlines(records: Sequence[Record]) -> List[Headline]:
    """One for each run and subset."""
    names = run_names(records)
    return [
        Headline(
            run=names[record.folder],
            data=subset.title,
            date=record.information.get("evaluated", ""),
            average=_average(subset, record),
            above_filter=_distance(subset, STATIC_FILTER, record.name),
            below_oracle=_distance(subset, record.name, ORACLE),
        )
        for record in records
        for subset in record.subsets.values()
    ]


def _average(subset: Subset, record: Record) -> Optional[float]:
    figures = subset.systems[record.name].figures
    values = [figures[source]["SDR"] for source in record.sources]
    defined = [value for value in values if value is not None]
    return mean(defined) if len(defined) == len(values) else None


def _distance(subset: Subset, lower: str, upper: str) -> Optional[Distance]:
    if not {lower, upper} <= subset.systems.keys():
        return None
    low, high = subset.systems[lower], subset.systems[upper]
    average = _mean_difference(
        {source: figures["SDR"] for source, figures in low.figures.items()},
        {source: figures["SDR"] for source, figures in high.figures.items()},
    )
    by_song = [
        _mean_difference(_medians(low.frames[track.name]), _medians(high.frames[track.name]))
        for track in subset.tracks
    ]
    defined = [value for value in by_song if value is not None]
    if average is None or not defined:
        return None
    return Distance(average, min(defined), max(defined))


def _medians(frames: Mapping[str, List[Optional[float]]]) -> Dict[str, Optional[float]]:
    """By source, the median over the seconds that were scored."""
    defined = {source: [v for v in of if v is not None] for source, of in frames.items()}
    return {source: median(values) if values else None for source, values in defined.items()}


def _mean_difference(
    low: Dict[str, Optional[float]], high: Dict[str, Optional[float]]
) -> Optional[float]:
    """Over the sources that both have."""
    pairs = ((low[source], high.get(source)) for source in low)
    differences = [b - a for a, b in pairs if a is not None and b is not None]
    return mean(differences) if differences else None
