"""Draw the figure of a song's way: `python docs/figures/song.py`.

A file is read in blocks, cut into overlapping chunks, estimated, joined, filtered and written; each
step holds only what the next one needs.
"""

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch
from pen import BRIDGE, GREY, INK, SOURCES, draw_box, draw_line, draw_wave, write

SIZE = 10.4, 4.3
MIDDLE = 2.45
ROWS = [3.3, 2.73, 2.16, 1.59]
STEPS = {  # centre, width and what is below each step
    "read\nand resample": (2.1, 1.1, "blocks of samples"),
    "STFT": (3.4, 0.8, "frames"),
    "networks": (4.95, 1.1, "overlapping chunks,\ncross-faded"),
    "Wiener filter": (6.55, 1.25, "windows of frames"),
    "inverse STFT": (8.0, 1.2, "samples at the\nsong's own rate"),
}


def draw(axes: Axes) -> None:
    """The figure on a card."""
    draw_wave(axes, (0.28, MIDDLE), 0.9, 0.4, INK, seed=9)
    axes.text(0.73, MIDDLE - 0.62, "song", ha="center", va="center", color=INK, weight="bold")
    borders = [1.22]
    for text, (x, width, below) in STEPS.items():
        draw_line(axes, [(borders[-1], MIDDLE), (x - width / 2, MIDDLE)], GREY)
        draw_box(axes, x, MIDDLE, width, text, BRIDGE if text == "networks" else GREY)
        axes.text(x, 1.0, below, ha="center", va="center", color=GREY, size=9.5)
        borders.append(x + width / 2)
    _draw_chunks(axes)
    _draw_stems(axes, borders[-1])
    text = "No step waits for the whole song: an hour takes the memory that a minute takes."
    axes.text(SIZE[0] / 2, 0.42, text, ha="center", va="center", color=INK)


def _draw_chunks(axes: Axes) -> None:
    """Overlapping bars above the networks."""
    for i in range(4):
        shape = "round,pad=0,rounding_size=0.04"
        corner = (4.2 + 0.38 * i, 3.05 + 0.16 * (i % 2))
        axes.add_patch(FancyBboxPatch(corner, 0.46, 0.11, shape, fc=BRIDGE, ec="none", alpha=0.75))


def _draw_stems(axes: Axes, start: float) -> None:
    """A wave for each source at the end."""
    for seed, (row, (source, colour)) in enumerate(zip(ROWS, SOURCES.items())):
        draw_line(axes, [(start, MIDDLE), (8.76, MIDDLE), (8.76, row), (8.95, row)], colour)
        draw_wave(axes, (8.98, row), 0.52, 0.16, colour, seed)
        axes.text(9.58, row, source, va="center", color=colour, weight="bold", size=9.5)


if __name__ == "__main__":
    write("song", SIZE, "The way of a song, in bounded memory", draw)
