"""Draw the figure of the losses: `python docs/figures/loss.py`.

MDL compares in two domains; CL compares every sum of one, two or three of the four sources.
"""

from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch
from pen import BRIDGE, GREY, INK, SOURCES, draw_box, draw_line, draw_wave, write

SIZE = 10.4, 4.9
ROWS = [3.75, 3.0, 2.25, 1.5]  # height of each source
FIRST_SUM, SUM_STEP = 3.55, 0.29
DOMAINS = {"magnitudes |X|": 3.3, "waveforms x(t)": 1.95}
LOSS_X = 9.35


def draw(axes: Axes) -> None:
    """The figure on a card."""
    axes.text(1.1, 4.2, "estimate of each source", ha="center", color=INK)
    for seed, (row, (source, colour)) in enumerate(zip(ROWS, SOURCES.items())):
        draw_wave(axes, (0.6, row), 1.0, 0.2, colour, seed)
        axes.text(1.75, row, source, va="center", color=colour, weight="bold")
        axes.plot([2.45, 7.35], [row, row], color="#e4e7eb", lw=1, zorder=1)
    n_sums = _draw_sums(axes)
    middle = (FIRST_SUM + (n_sums - 1) * SUM_STEP + 2.75) / 2 + 0.3
    axes.text(
        middle, 4.2, f"CL: all {n_sums} sums of them", ha="center", color=BRIDGE, weight="bold"
    )
    text = "errors that two estimates share add up in their sum; errors that cancel vanish there"
    axes.text(middle - 0.1, 0.95, text, ha="center", color=GREY, size=9.5)
    _draw_domains(axes)
    axes.text(8.35, 4.2, "MDL: in two domains", ha="center", color=BRIDGE, weight="bold")
    axes.text(5.2, 0.42, _FORMULA, ha="center", va="center", color=INK)


def _draw_sums(axes: Axes) -> int:
    """A column of dots for each sum, one dot for each source in it; the number of sums."""
    members = [c for size in (1, 2, 3) for c in combinations(range(4), size)]
    colours = list(SOURCES.values())
    for i, chosen in enumerate(members):
        x = FIRST_SUM - 0.8 + i * SUM_STEP + 0.25 * (len(chosen) - 1)
        axes.plot([x, x], [ROWS[chosen[0]], ROWS[chosen[-1]]], color=GREY, lw=1.4, zorder=2)
        for source in chosen:
            dot = Circle((x, ROWS[source]), 0.085, fc=colours[source], ec="white", lw=1, zorder=3)
            axes.add_patch(dot)
    return len(members)


def _draw_domains(axes: Axes) -> None:
    """Two boxes that read the sums, and the loss that adds them up."""
    middle, end = (ROWS[0] + ROWS[-1]) / 2, LOSS_X + 0.2
    for name, y in DOMAINS.items():
        draw_line(axes, [(7.3, middle), (7.45, middle), (7.45, y), (7.62, y)], GREY)
        draw_box(axes, 8.35, y, 1.46, name, BRIDGE)
        side = 0.26 if y > middle else -0.26
        draw_line(axes, [(9.08, y), (end, y), (end, middle + side)], BRIDGE)
    shape = "round,pad=0,rounding_size=0.1"
    axes.add_patch(
        FancyBboxPatch((LOSS_X - 0.12, 2.38), 0.64, 0.48, shape, fc=BRIDGE, ec="none", zorder=4)
    )
    axes.text(
        LOSS_X + 0.2, 2.62, "loss", ha="center", va="center", color="white", weight="bold", zorder=5
    )


_FORMULA = (
    "loss = mean over the 14 sums of ( squared error of magnitudes + 10 × weighted SDR of "
    "waveforms )"
)

if __name__ == "__main__":
    write("loss", SIZE, "The losses: every sum of sources, in two domains", draw)
