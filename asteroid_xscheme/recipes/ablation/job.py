"""The program that the child processes of a grid run.

    python -m asteroid_xscheme.recipes.ablation.job cell FOLDER
    python -m asteroid_xscheme.recipes.ablation.job baselines FOLDER
    python -m asteroid_xscheme.recipes.ablation.job inference FOLDER...

It ends when its parent does: its standard input is a pipe that then closes.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Sequence

from .cells import run_baselines, run_cell, time_inference


def main(argv: Sequence[str]) -> None:
    """Do the work that the first argument names, in the folders that the others name."""
    kind, *folders = argv
    paths = [Path(folder) for folder in folders]
    if kind == "cell":
        run_cell(*paths)
    elif kind == "baselines":
        run_baselines(*paths)
    elif kind == "inference":
        time_inference(paths)
    else:
        sys.exit(f"Expected cell, baselines or inference, got {kind!r}.")


def end_with_parent() -> None:
    """End this process, and those it started, when standard input closes."""

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)  # sys.stdin.read would block the exit of Python
        os.killpg(os.getpgid(0), signal.SIGKILL)  # safe: files on disk are complete at any time

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    end_with_parent()
    main(sys.argv[1:])
