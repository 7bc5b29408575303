"""Make rows of scores from records, and write them as Markdown and CSV."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Dict, List, Optional, Sequence

from ...atomic import replacing
from ..evaluation import METRICS, PUBLISHED
from ..markdown import markdown_table
from .records import Figures, Record


@dataclass(frozen=True)
class Row:
    """Scores of one system on one subset.

    Attributes:
        system: Name of the system.
        kind: "ours", "baseline" or "published".
        subset: Title of the subset; for published systems, the test data.
        values: Scores in dB by metric and source; None if undefined.
        conditions: Description of what the scores depend on besides the system.
    """

    system: str
    kind: str
    subset: str
    values: Dict[str, Dict[str, Optional[float]]]
    conditions: str

    def average(self, metric: str = "SDR") -> Optional[float]:
        """The mean over sources; None if any is undefined."""
        values = self.values.get(metric, {}).values()
        defined = [value for value in values if value is not None]
        return mean(defined) if defined and len(defined) == len(values) else None

    @property
    def scored(self) -> List[str]:
        """The metrics that have a score, those of whole songs last."""
        return [m for m, of in self.values.items() if any(v is not None for v in of.values())]

    @property
    def of_songs(self) -> List[str]:
        """The metrics of whole songs that have a score."""
        return [metric for metric in self.scored if metric not in METRICS]


def score_rows(records: Sequence[Record], subset: str) -> List[Row]:
    """The rows of a subset: each baseline once, then the model of every run."""
    names = run_names(records)
    baselines: Dict[str, Row] = {}
    ours: List[Row] = []
    for record in records:
        if subset not in record.subsets:
            continue
        of_subset = record.subsets[subset]
        for name, system in of_subset.systems.items():
            values = _by_metric(system.figures, record.sources)
            if name == record.name:
                label = names[record.folder]
                ours.append(Row(label, "ours", of_subset.title, values, record.conditions))
            else:
                baselines.setdefault(name, Row(name, "baseline", of_subset.title, values, ""))
    return [*baselines.values(), *ours]


def published_rows(sources: Sequence[str]) -> List[Row]:
    """The published systems that have a score for at least one of the sources."""
    rows = []
    for system in PUBLISHED:
        values = {s: _defined(system.sdr(s)) for s in sources}
        if any(value is not None for value in values.values()):
            conditions = f"trained on {system.trained_on}; {system.stated_in}"
            title = f"50 test songs of {system.tested_on}"
            rows.append(Row(system.name, "published", title, {"SDR": values}, conditions))
    return rows


def run_names(records: Sequence[Record]) -> Dict[Path, str]:
    """The name of each run by folder: its model, plus the folder's name if models share a name."""
    names = [record.name for record in records]
    return {
        record.folder: (
            record.name
            if names.count(record.name) == 1
            else f"{record.name} ({record.folder.resolve().name})"
        )
        for record in records
    }


def markdown(rows: Sequence[Row]) -> str:
    """Markdown tables of SDR and of each metric of whole songs, if they were scored."""
    has_frames = any("SDR" in row.scored for row in rows if row.kind != "published")
    metrics = [*(["SDR"] if has_frames else []), *_of_songs(rows)]
    return "\n\n".join(_table(rows, metric) for metric in metrics)


def _table(rows: Sequence[Row], metric: str) -> str:
    """Markdown table of a metric by source, with the rows that have it."""
    sources = list(rows[0].values["SDR"])
    header = [f"{metric} in dB", *sources, "average", "songs", "conditions"]
    lines = []
    for row in (row for row in rows if metric in row.values):
        values = [*(row.values[metric].get(s) for s in sources), row.average(metric)]
        lines.append([row.system, *map(decibels, values), row.subset, row.conditions])
    return markdown_table(header, lines, text=(0, len(header) - 2, len(header) - 1))


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Write a CSV file: a line per row and source, a column per metric, undefined values empty."""
    metrics = [*METRICS, *_of_songs(rows)]
    with replacing(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["system", "kind", "songs", "conditions", "source", *metrics])
        for row in rows:
            for source in row.values["SDR"]:
                values = [row.values.get(metric, {}).get(source) for metric in metrics]
                cells = ["" if value is None else f"{value:.4f}" for value in values]
                writer.writerow([row.system, row.kind, row.subset, row.conditions, source, *cells])


def _of_songs(rows: Sequence[Row]) -> List[str]:
    return list(dict.fromkeys(metric for row in rows for metric in row.of_songs))


def _by_metric(figures: Figures, sources: Sequence[str]) -> Dict[str, Dict[str, Optional[float]]]:
    """Figures by metric, then source: BSSEval's, then those of whole songs."""
    metrics = dict.fromkeys([*METRICS, *(m for source in sources for m in figures[source])])
    return {m: {s: figures[s].get(m) for s in sources} for m in metrics}


def decibels(value: Optional[float]) -> str:
    """A value with two decimals; a dash if it is undefined."""
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def _defined(value: float) -> Optional[float]:
    return None if math.isnan(value) else value
