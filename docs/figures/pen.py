"""Pens of the site's figures: a white card with boxes, arrows and waves, written as SVG.

The figures stand on a white card, so that they read well on light and on dark pages. Inches are the
unit of everything.
"""

from pathlib import Path
from typing import Tuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path as Line

FOLDER = Path(__file__).parents[1]
INK, GREY, BRIDGE = "#1f2933", "#66727f", "#d9480f"
SOURCES = {"bass": "#1c7ed6", "drums": "#2b8a3e", "vocals": "#ae3ec9", "other": "#b08900"}
DASHES = (0, (3.2, 1.6))


def write(name: str, size: Tuple[float, float], title: str, draw) -> None:
    """Write docs/NAME.svg; the same picture gives the same file.

    Args:
        name: Of the files.
        size: Width and height of the card.
        title: Stands at its top.
        draw: Called with the axes.
    """
    font = {"font.family": "DejaVu Sans", "font.size": 10.5}
    with matplotlib.rc_context({**font, "svg.hashsalt": name, "svg.fonttype": "path"}):
        figure = Figure(figsize=size)
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, size[0]), ylim=(0, size[1]))
        axes.set_axis_off()
        draw_card(axes, size, title)
        draw(axes)
        figure.savefig(FOLDER / f"{name}.svg", transparent=True, metadata={"Date": None})


def draw_card(axes: Axes, size: Tuple[float, float], title: str) -> None:
    """The white ground and its title."""
    shape, (width, height) = "round,pad=0,rounding_size=0.18", size
    axes.add_patch(
        FancyBboxPatch(
            (0.04, 0.04), width - 0.08, height - 0.08, shape, fc="white", ec="#d0d7de", lw=1
        )
    )
    axes.text(width / 2, height - 0.38, title, ha="center", va="center", size=13, color=INK)


def draw_box(axes: Axes, x: float, y: float, width: float, text: str, colour: str) -> None:
    """A box with a text, around a point."""
    shape = "round,pad=0,rounding_size=0.08"
    corner = (x - width / 2, y - 0.21)
    axes.add_patch(
        FancyBboxPatch(corner, width, 0.42, shape, fc="white", ec=colour, lw=1.8, zorder=4)
    )
    axes.text(x, y - 0.01, text, ha="center", va="center", color=INK, zorder=5)


def draw_line(axes: Axes, points, colour: str, style="-", zorder: int = 2) -> None:
    """A line through points, with an arrow at its end."""
    axes.add_patch(
        PathPatch(
            Line(points), fc="none", ec=colour, lw=1.6, ls=style, joinstyle="round", zorder=zorder
        )
    )
    (x0, y0), (x1, y1) = points[-2:]
    direction = np.sign([x1 - x0, y1 - y0])
    side = direction[::-1] * 0.055
    tip = np.array([x1, y1])
    triangle = np.array([tip, tip - 0.11 * direction + side, tip - 0.11 * direction - side])
    axes.fill(*triangle.T, color=colour, lw=0, zorder=zorder + 1)


def draw_wave(
    axes: Axes, start: Tuple[float, float], width: float, height: float, colour: str, seed: int
) -> None:
    """Bars like those of an audio editor, from a seeded random envelope."""
    generator = np.random.default_rng(seed)
    n_bars = round(width / 0.058)
    envelope = 0.35 + 0.65 * np.abs(np.sin(np.linspace(0.4, 6.1 + seed, n_bars)))
    bars = height * envelope * generator.uniform(0.55, 1.0, n_bars)
    x = start[0] + width * (np.arange(n_bars) + 0.5) / n_bars
    axes.vlines(x, start[1] - bars, start[1] + bars, color=colour, lw=2.2, zorder=3)
