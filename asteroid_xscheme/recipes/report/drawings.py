"""Draw SVG: box plots of frame SDR, SDR over time, and loss curves.

Colours and text sizes come from the style sheet, so that drawings follow light and dark mode.
"""

import math
from html import escape
from typing import List, Mapping, Optional, Sequence, Tuple

import numpy as np

WIDTH = 360  # of a drawing, in units that the page scales
_LEFT, _RIGHT = 118, 8  # margins
_LINE = 17  # height of a line with a box
_QUANTILES = (5, 25, 50, 75, 95)

Values = Sequence[Optional[float]]


def box_plot(
    title: str, rows: Mapping[str, Values], limits: Tuple[float, float], one_colour: bool = False
) -> str:
    """Box plots with a line per name: 5, 25, 50, 75 and 95 % of the values.

    Args:
        title: Title of the drawing.
        rows: Values by name; undefined ones (None) are left out.
        limits: Ends of the axis in dB.
        one_colour: Whether all boxes have the same colour.
    """
    height = 30 + _LINE * len(rows) + 20
    parts = [_axis(limits, 26, height - 18)]
    for i, (name, values) in enumerate(rows.items()):
        y = 30 + _LINE * i
        parts.append(_text(_LEFT - 6, y + 12, _shorten(name), "end"))
        defined = [value for value in values if value is not None]
        if defined:
            parts.append(
                _box(np.percentile(defined, _QUANTILES), limits, y, 0 if one_colour else i, name)
            )
    return _drawing(title, height, parts)


def time_plot(
    title: str, rows: Mapping[str, Values], limits: Tuple[float, float], excerpt: Tuple[int, int]
) -> str:
    """Plot the SDR of every second with a line per source.

    Args:
        title: Title of the drawing.
        rows: SDR in dB of every second, by source; None leaves a gap.
        limits: Ends of the axis in dB.
        excerpt: First and last second (exclusive) of the excerpt, which is shaded.
    """
    height, left = 130, 30
    n_seconds = max(len(values) for values in rows.values())
    scale = (WIDTH - left - _RIGHT) / max(n_seconds, 1)
    first, last = (left + scale * second for second in excerpt)
    parts = [
        f'<rect class="excerpt" x="{first:.1f}" y="24" width="{last - first:.1f}" height="84"/>'
    ]
    for tick in _ticks(*limits, most=4):
        y = 108 - 84 * _share(tick, limits)
        parts.append(f'<path class="grid" d="M{left} {y:.1f}H{WIDTH - _RIGHT}"/>')
        parts.append(_text(left - 4, y + 4, _number(tick), "end"))
    for second in _ticks(0, n_seconds, most=6):
        parts.append(_tick(left + scale * second, 122, f"{second:g} s"))
    for i, (name, values) in enumerate(rows.items()):
        points = [
            None if v is None else (left + scale * (t + 0.5), 108 - 84 * _share(v, limits))
            for t, v in enumerate(values)
        ]
        parts.append(f'<path class="line c{i % 8}" d="{_polyline(points)}"/>')
        parts += [
            _beyond(
                point[0], point[1], "below" if v < limits[0] else "above", i, f"{name}, {v:.2f} dB"
            )
            for v, point in zip(values, points)
            if v is not None and point is not None and not limits[0] <= v <= limits[1]
        ]
    return _drawing(title, height, parts, f' data-left="{left / WIDTH}" data-seconds="{n_seconds}"')


def curve_plot(title: str, curves: Mapping[str, Mapping[int, float]]) -> str:
    """Plot curves over epochs, each in its own colour, with a legend below.

    Args:
        title: Title of the drawing.
        curves: Values by epoch, by name of the curve.
    """
    height, left = 190, 44
    everything = [v for curve in curves.values() for v in curve.values() if math.isfinite(v)]
    epochs = [epoch for curve in curves.values() for epoch in curve]
    limits = _limits(min(everything), max(everything))
    ends = (min(epochs), max(max(epochs), min(epochs) + 1))
    parts = []
    for tick in _ticks(*limits, most=5):
        y = 150 - 126 * _share(tick, limits)
        parts.append(f'<path class="grid" d="M{left} {y:.1f}H{WIDTH - _RIGHT}"/>')
        parts.append(_text(left - 4, y + 4, _number(tick), "end"))
    for tick in _ticks(*ends, most=6):
        if tick == int(tick):
            x = left + (WIDTH - left - _RIGHT) * _share(tick, ends)
            parts.append(_tick(x, 164, _number(tick)))
    for i, (name, curve) in enumerate(curves.items()):
        points = [
            (left + (WIDTH - left - _RIGHT) * _share(e, ends), 150 - 126 * _share(curve[e], limits))
            for e in sorted(curve)
            if math.isfinite(curve[e])
        ]
        parts.append(f'<path class="line c{i % 8}" d="{_polyline(points)}"/>')
        if points:
            x, y = points[-1]
            parts.append(f'<circle class="dot c{i % 8}" cx="{x:.1f}" cy="{y:.1f}" r="2"/>')
    return _drawing(title, height - 18, parts) + legend(list(curves))


def legend(names: Sequence[str]) -> str:
    """Names in their colours."""
    items = (f'<span><i class="c{i % 8}"></i>{escape(name)}</span>' for i, name in enumerate(names))
    return f'<p class="legend">{"".join(items)}</p>'


def common_limits(values: Values) -> Tuple[float, float]:
    """Ends of an axis that shows all but the most extreme 2 % of the values at either end."""
    defined = [value for value in values if value is not None]
    if not defined:
        return (0.0, 1.0)
    return _limits(*np.percentile(defined, (2, 98)))


def _box(quantiles: np.ndarray, limits: Tuple[float, float], y: int, index: int, name: str) -> str:
    low, first, middle, third, high = (_LEFT + _inner() * _share(q, limits) for q in quantiles)
    words = f"{name}: median {quantiles[2]:.2f} dB, half of the seconds {quantiles[1]:.2f} to "
    words += f"{quantiles[3]:.2f} dB, nine of ten {quantiles[0]:.2f} to {quantiles[4]:.2f} dB"
    ends = [(low, quantiles[0], "before"), (high, quantiles[4], "after")]
    beyond = "".join(
        _beyond(x, y + 8, side, index, words)
        for x, value, side in ends
        if (value < limits[0] if side == "before" else value > limits[1])
    )
    return (
        f'<g class="c{index % 8}"><title>{escape(words)}</title>'
        f'<path class="whisker" d="M{low:.1f} {y + 8}H{high:.1f}"/>'
        f'<rect class="box" x="{first:.1f}" y="{y + 3}" width="{third - first:.1f}" height="10"/>'
        f'<path class="median" d="M{middle:.1f} {y + 1}v14"/>{beyond}</g>'
    )


def _axis(limits: Tuple[float, float], top: int, bottom: int) -> str:
    parts = []
    for tick in _ticks(*limits, most=6):
        x = _LEFT + _inner() * _share(tick, limits)
        parts.append(f'<path class="grid" d="M{x:.1f} {top}V{bottom}"/>')
        parts.append(_tick(x, bottom + 14, _number(tick)))
    return "".join(parts)


def _drawing(title: str, height: int, parts: List[str], attributes: str = "") -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}"{attributes}>'
        f'<text class="title" x="2" y="14">{escape(title)}</text>{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _tick(x: float, y: float, words: str) -> str:
    """A label centred below x, unless the drawing would cut it there."""
    half = 3.5 * len(words)  # about half its width
    if x + half > WIDTH:
        return _text(WIDTH - 1, y, words, "end")
    return _text(x, y, words, "middle")


_ARROWS = {"before": "l6 -4v8", "after": "l-6 -4v8", "above": "l-4 6h8", "below": "l-4 -6h8"}


def _beyond(x: float, y: float, side: str, index: int, words: str) -> str:
    """An arrowhead at the edge, for a value beyond it."""
    return (
        f'<path class="beyond c{index % 8}" d="M{x:.1f} {y:.1f}{_ARROWS[side]}z">'
        f"<title>beyond the axis: {escape(words)}</title></path>"
    )


def _polyline(points: Sequence[Optional[Tuple[float, float]]]) -> str:
    """A path through the points, interrupted at None."""
    commands, pen_is_down = [], False
    for point in points:
        if point is not None:
            commands.append(f"{'L' if pen_is_down else 'M'}{point[0]:.1f} {point[1]:.1f}")
        pen_is_down = point is not None
    return "".join(commands)


def _share(value: float, limits: Tuple[float, float]) -> float:
    """Position of a value between the limits, from 0 to 1; values outside are clamped."""
    return min(1.0, max(0.0, (value - limits[0]) / (limits[1] - limits[0])))


def _inner() -> int:
    return WIDTH - _LEFT - _RIGHT


def _limits(low: float, high: float) -> Tuple[float, float]:
    """Limits a little wider than the values."""
    margin = 0.06 * (high - low) or 0.5
    return (float(low - margin), float(high + margin))


def _ticks(low: float, high: float, most: int) -> List[float]:
    """At most `most` round numbers between the ends."""
    raw = max(high - low, 1e-9) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= raw)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(i * step, 10) for i in range(first, last + 1)]


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _shorten(name: str, most: int = 19) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
