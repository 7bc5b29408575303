"""Draw the rows of a benchmark as SVG: time against the size of the task.

Each program has the same colour in every picture. The same rows give the same file.
"""

from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Tuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

Rows = List[Dict[str, Any]]
Line = List[Tuple[float, float]]

INK, GREY = "#1f2933", "#66727f"
COLOURS = {
    "ours": "#d9480f",
    "asteroid": "#1c7ed6",
    "openunmix": "#2b8a3e",
    "enumeration": GREY,
    "products": GREY,
}
NAMES = {"enumeration": "every sum", "products": "the products alone"}
_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "svg.hashsalt": "benchmarks",
    "svg.fonttype": "path",
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
}


class Panel(NamedTuple):
    """One pair of axes: its title, what x and y are, and a line per program."""

    title: str
    x: str
    y: str
    lines: Dict[str, Line]
    logarithmic: bool = True


def panels_of_sources(rows: Rows) -> List[Panel]:
    """Time of the loss against the number of sources."""
    panels = []
    for with_stft, title in ((False, "the loss alone"), (True, "with the STFT of the references")):
        chosen = [row for row in rows if row["stft"] == with_stft]
        lines = {"ours": _points((row["sources"], row["ours_seconds"]) for row in chosen)}
        for peer in ("enumeration", "asteroid"):
            of_peer = [row for row in chosen if row["peer"] == peer]
            lines[peer] = _points((row["sources"], row["peer_seconds"]) for row in of_peer)
        panels.append(Panel(title, "sources", "seconds per pass", lines))
    return panels


def panels_of_batches(rows: Rows) -> List[Panel]:
    """Time of a training step against the number of segments in a batch."""
    lines = {
        "ours": _points((row["batch"], row["ours_seconds"]) for row in rows),
        "asteroid": _points((row["batch"], row["peer_seconds"]) for row in rows),
    }
    return [Panel("a training step of X-UMX", "segments in a batch", "seconds", lines, False)]


def panels_of_lengths(rows: Rows) -> List[Panel]:
    """Time and memory of a separation against the length of the song."""
    seconds: Dict[str, list] = {}
    gigabytes: Dict[str, list] = {}
    for row in rows:
        if "peer" in row:
            sides = (("ours", "ours"), (row["peer"], "peer"))
            figures = [
                (who, row[f"{side}_seconds"], row[f"{side}_gigabytes"]) for who, side in sides
            ]
        else:
            figures = [(row["program"], row["seconds"], row["peak_gigabytes"])]
        for program, time, memory in figures:
            seconds.setdefault(program, []).append((row["minutes"], time))
            if program != "products":  # which take what they are given
                gigabytes.setdefault(program, []).append((row["minutes"], memory))
    x = "minutes of music"
    return [
        Panel("time", x, "seconds", {name: _points(line) for name, line in seconds.items()}),
        Panel("memory", x, "gigabytes", {name: _points(line) for name, line in gigabytes.items()}),
    ]


#: benchmark -> what its picture shows, and the panels of its rows
PICTURES: Dict[str, Tuple[str, Callable[[Rows], List[Panel]]]] = {
    "combination_loss": ("Seconds of the loss against the number of sources.", panels_of_sources),
    "training_step": ("Seconds of a training step against the batch.", panels_of_batches),
    "separation": (
        "Seconds and gigabytes of a separation against the length of the song.",
        panels_of_lengths,
    ),
}


def draw(panels: List[Panel], path: Path) -> None:
    """Write panels, side by side, as SVG."""
    programs = [name for name in COLOURS if any(panel.lines.get(name) for panel in panels)]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(4.4 * len(panels), 3.4), facecolor="white", layout="constrained")
        for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels):
            _draw_panel(axes, panel)
        marks = [Line2D([], [], color=COLOURS[name], marker="o", ms=4) for name in programs]
        names = [NAMES.get(name, name) for name in programs]
        figure.legend(marks, names, loc="outside upper center", ncols=len(names), frameon=False)
        figure.savefig(path, metadata={"Date": None})


def _draw_panel(axes: Axes, panel: Panel) -> None:
    axes.set_title(panel.title, fontsize=10, loc="left")
    axes.set(xlabel=panel.x, ylabel=panel.y)
    if panel.logarithmic:
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for program, line in panel.lines.items():
        if line:
            axes.plot(*zip(*line), "o-", ms=4, lw=1.6, color=COLOURS[program], clip_on=False)
    ticks = sorted({x for line in panel.lines.values() for x, _ in line})
    axes.set_xticks(ticks, [f"{x:g}" for x in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if not panel.logarithmic:
        axes.set_ylim(bottom=0)
    axes.grid(axis="y", color="#e4e7eb", lw=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#c3cad2")


def _points(pairs: Iterable[Tuple[float, Any]]) -> Line:
    """Points in order of x, one for each x; the median of a summary."""
    points = {}
    for x, y in pairs:
        points.setdefault(x, y["median"] if isinstance(y, dict) else y)
    return sorted(points.items())
