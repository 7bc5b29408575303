"""Draw the figure of the bridge: `python docs/figures/bridge.py`.

It shows X-UMX: four networks, one per source, whose features are averaged at two points, while each
network keeps its own encoder output for its skip connection.
"""

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch
from pen import BRIDGE, DASHES, GREY, INK, SOURCES, draw_box, draw_line, draw_wave, write

SIZE = 10.4, 5.5
ROWS = [4.05, 3.15, 2.25, 1.35]  # height of each source's network
ENCODER, BRIDGE_1, RECURRENT, JOIN, BRIDGE_2, DECODER = 2.35, 3.72, 5.05, 6.2, 6.85, 8.05
ESTIMATE = 9.35
TOP, BOTTOM = ROWS[0] + 0.55, ROWS[-1] - 0.32


def draw(axes: Axes) -> None:
    """The figure on a card."""
    _draw_mixture(axes)
    for seed, (row, (source, colour)) in enumerate(zip(ROWS, SOURCES.items())):
        _draw_network(axes, row, source, colour, seed)
    _draw_bridge(axes, BRIDGE_1, "bridge 1")
    _draw_bridge(axes, BRIDGE_2, "bridge 2")
    _draw_legend(axes)


def _draw_mixture(axes: Axes) -> None:
    middle = (ROWS[0] + ROWS[-1]) / 2
    draw_wave(axes, (0.28, middle), 0.95, 0.42, INK, seed=9)
    axes.text(0.75, middle - 0.62, "mixture", ha="center", va="center", color=INK, weight="bold")
    for row in ROWS:
        draw_line(axes, [(1.27, middle), (1.5, middle), (1.5, row), (ENCODER - 0.5, row)], GREY)


def _draw_network(axes: Axes, row: float, source: str, colour: str, seed: int) -> None:
    """One row: encoder, bridge, recurrent network, join with the own encoding, bridge, decoder."""
    for left, right, line_colour in (
        (ENCODER + 0.5, BRIDGE_1 - 0.15, colour),
        (BRIDGE_1 + 0.15, RECURRENT - 0.62, BRIDGE),
        (RECURRENT + 0.62, JOIN - 0.12, colour),
        (JOIN + 0.12, BRIDGE_2 - 0.15, colour),
        (BRIDGE_2 + 0.15, DECODER - 0.5, BRIDGE),
        (DECODER + 0.5, ESTIMATE - 0.42, colour),
    ):
        draw_line(axes, [(left, row), (right, row)], line_colour)
    start, above = ENCODER + 0.72, row + 0.37
    own = [(start, row), (start, above), (JOIN, above), (JOIN, row + 0.12)]
    axes.plot([BRIDGE_1 - 0.25, BRIDGE_1 + 0.25], [above] * 2, color="white", lw=4.5, zorder=7)
    draw_line(axes, own, colour, style=DASHES, zorder=8)
    axes.add_patch(Circle((start, row), 0.045, fc=colour, ec="none", zorder=4))
    draw_box(axes, ENCODER, row, 1.0, "encoder", colour)
    draw_box(axes, RECURRENT, row, 1.24, "BLSTM × 3", colour)
    draw_box(axes, DECODER, row, 1.0, "decoder", colour)
    _draw_join(axes, JOIN, row, colour)
    draw_wave(axes, (ESTIMATE - 0.4, row), 0.8, 0.2, colour, seed)
    axes.text(ESTIMATE, row - 0.345, source, ha="center", va="center", color=colour, weight="bold")


def _draw_bridge(axes: Axes, x: float, name: str) -> None:
    """A bar across all networks; what enters it on the left leaves it as the mean."""
    shape = "round,pad=0,rounding_size=0.12"
    axes.add_patch(
        FancyBboxPatch((x - 0.15, BOTTOM), 0.3, TOP - BOTTOM, shape, fc=BRIDGE, ec="none", zorder=6)
    )
    middle = (ROWS[1] + ROWS[2]) / 2 + 0.36  # between the lines that cross the bar
    style = {"color": "white", "weight": "bold", "size": 12, "rotation": 90, "zorder": 7}
    axes.text(x, middle, "mean", ha="center", va="center", **style)
    axes.text(x, TOP + 0.2, name, color=BRIDGE, weight="bold", ha="center", va="center")


def _draw_join(axes: Axes, x: float, y: float, colour: str) -> None:
    """Two lines in a circle: features put side by side."""
    axes.add_patch(Circle((x, y), 0.12, fc="white", ec=colour, lw=1.6, zorder=4))
    axes.vlines([x - 0.035, x + 0.035], y - 0.06, y + 0.06, color=colour, lw=1.8, zorder=5)


def _draw_legend(axes: Axes) -> None:
    y = 0.42
    axes.plot([0.4, 0.9], [y, y], color=GREY, lw=1.6, ls=DASHES)
    axes.text(1.02, y, "own encoder output, not averaged", color=INK, va="center")
    _draw_join(axes, 4.3, y, GREY)
    axes.text(4.52, y, "features side by side", color=INK, va="center")
    axes.plot([6.75, 7.2], [y, y], color=BRIDGE, lw=1.6)
    axes.text(7.32, y, "mean of all networks, for each", color=INK, va="center")


if __name__ == "__main__":
    write("bridge", SIZE, "X-UMX: one network per source, joined by two bridges", draw)
