"""Summarise each run for the top of the page: its SDR, compared with filter and oracle."""

from dataclasses import dataclass
from statistics import mean, median
from typing import Dict, List, Mapping, Optional, Sequence

from ..evaluation import ORACLE, STATIC_FILTER
from .records import Record, Subset
from .tables import run_names


@dataclass(frozen=True)
class Distance:
    """How much better one system is than another, in dB, over sources that both have figures of.

    Attributes:
        average: Difference of the averages.
        lowest, highest: Smallest and largest difference for a song.
    """

    average: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Headline:
    """How good a run is on a subset; a distance is None if its baseline was not scored."""

    run: str
    data: str
    date: str
    average: Optional[float]
    above_filter: Optional[Distance]
    below_oracle: Optional[Distance]


def headlines(records: Sequence[Record]) -> List[Headline]:
    """The headline of each run and subset."""
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
    """The median over the seconds that were scored, by source."""
    defined = {source: [v for v in of if v is not None] for source, of in frames.items()}
    return {source: median(values) if values else None for source, values in defined.items()}


def _mean_difference(
    low: Dict[str, Optional[float]], high: Dict[str, Optional[float]]
) -> Optional[float]:
    """The mean difference over the sources that both have."""
    pairs = ((low[source], high.get(source)) for source in low)
    differences = [b - a for a, b in pairs if a is not None and b is not None]
    return mean(differences) if differences else None
