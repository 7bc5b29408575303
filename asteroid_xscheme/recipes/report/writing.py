"""Write the folder of a report: report.html, its media, and the scores as Markdown and CSV.

The page works offline: it contains its styles and scripts, and its media are beside it.
"""

from pathlib import Path
from typing import Dict, List, Mapping, Sequence, Tuple

from ...atomic import alone, write_text
from ...listening import script, style
from ..evaluation import PUBLISHED
from .drawings import box_plot, common_limits, curve_plot
from .headlines import headlines
from .records import Record, find_runs, read_record
from .songs import song_views
from .tables import decibels, markdown, published_rows, run_names, score_rows, write_csv

_MOST_WORST = 12  # worst seconds to list


def write_report(run_folders: Sequence[Path], folder: Path) -> Path:
    """Write a report of one run, or of several runs side by side.

    Args:
        run_folders: Folders of evaluated runs, or of `xscheme evaluate`.
        folder: Folder that receives report.html, media/, scores.md and scores.csv.

    Returns:
        Path of report.html.

    Raises:
        ReportError: If a run has not been evaluated, or its model has changed since.
    """
    records = [read_record(run_folder) for run_folder in find_runs(run_folders)]
    folder = Path(folder)
    with alone(folder, wait=True):
        return _write(records, folder)


def _write(records: Sequence[Record], folder: Path) -> Path:
    """The part of `write_report` that runs while the folder is locked."""
    from jinja2 import Environment, PackageLoader

    path = folder / "report.html"
    path.unlink(missing_ok=True)  # a page never shows media of another report
    sources = list(dict.fromkeys(s for record in records for s in record.sources))
    subsets = list(dict.fromkeys(name for record in records for name in record.subsets))
    rows = {name: score_rows(records, name) for name in subsets}
    published = published_rows(sources)
    every = [row for of_subset in rows.values() for row in of_subset]
    write_text(folder / "scores.md", markdown([*every, *published]) + "\n")
    write_csv([*every, *published], folder / "scores.csv")
    loader = PackageLoader(__name__.rpartition(".")[0], ".")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True)
    environment.filters["decibels"] = decibels
    songs = list(song_views(records, folder))
    page = environment.get_template("report.html").render(
        names=run_names(records),
        headlines=headlines(records),
        is_published_data=_is_published_data(records),
        records=records,
        rows=rows,
        published=published,
        boxes={name: _boxes(records, name) for name in subsets},
        curves=_curves(records),
        songs=songs,
        worst=sorted((w for song in songs for w in song.worst), key=lambda w: w.sdr)[:_MOST_WORST],
        style=loader.get_source(environment, "report.css")[0] + style(),
        script=script() + loader.get_source(environment, "report.js")[0],
    )
    write_text(path, page)
    return path


def _is_published_data(records: Sequence[Record]) -> bool:
    """Whether a run was scored on a data set for which there are published scores."""
    data = {system.tested_on.replace("-", "").lower() for system in PUBLISHED}
    return any(record.dataset in data for record in records)


def _boxes(records: Sequence[Record], subset: str) -> List[Tuple[str, List[str]]]:
    """Box plots of frame SDR by source: over all songs, then song by song for each run."""
    names, systems = run_names(records), {}
    for record in records:
        if subset in record.subsets:
            for name, system in record.subsets[subset].systems.items():
                systems[names[record.folder] if name == record.name else name] = system.frames
    sources = list(dict.fromkeys(s for record in records for s in record.sources))
    pooled = {
        source: {
            name: [v for of_track in frames.values() for v in of_track.get(source, [])]
            for name, frames in systems.items()
        }
        for source in sources
    }
    limits = common_limits([v for by in pooled.values() for values in by.values() for v in values])
    plots = [("All songs", [box_plot(s, by_name, limits) for s, by_name in pooled.items()])]
    for name in (n for n in systems if n in names.values()):
        by_song = [
            box_plot(s, {t: of.get(s, []) for t, of in systems[name].items()}, limits, True)
            for s in sources
        ]
        plots.append((f"{name}, song by song", by_song))
    return plots


def _curves(records: Sequence[Record]) -> List[str]:
    """Loss curves of all runs: the total, then every logged term."""
    names = run_names(records)
    panels: Dict[str, Dict[str, Mapping[int, float]]] = {}
    for record in records:
        for title, curves in {"loss": ("loss_epoch", "val_loss"), **_terms(record.losses)}.items():
            for kind, curve in zip(("training", "validation"), curves):
                if curve in record.losses:
                    label = f"{names[record.folder]}, {kind}"
                    panels.setdefault(title, {})[label] = _from_one(record.losses[curve])
    return [curve_plot(f"{title}, by epoch", curves) for title, curves in panels.items()]


def _from_one(curve: Mapping[int, float]) -> Mapping[int, float]:
    """A curve with epochs counted from 1, as on the console."""
    return {epoch + 1: value for epoch, value in curve.items()}


def _terms(losses: Mapping[str, object]) -> Dict[str, Tuple[str, str]]:
    """Terms of a loss that were logged as val/TERM, without those of single sources."""
    names = (name.split("/") for name in losses)
    terms = sorted(name[1] for name in names if len(name) == 2 and name[0] == "val")
    return {f"{term} term of the loss": (f"train/{term}", f"val/{term}") for term in terms}
