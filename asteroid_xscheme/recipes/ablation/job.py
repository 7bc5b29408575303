"""The program of a grid's child processes.

    python -m asteroid_xscheme.recipes.ablation.job cell FOLDER
    python -m asteroid_xscheme.recipes.ablation.job baselines FOLDER
    python -m asteroid_xscheme.recipes.ablation.job inference FOLDER...

It ends with its parent: standard input is a pipe that closes when the parent is gone.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Sequence

from .cells import run_baselines, run_cell, time_inference


def main(argv: Sequence[str]) -> None:
    """Do the work that the first argument names in the folders that follow."""
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
    """End this process and those it started when standard input closes."""

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)  # not by sys.stdin, which the end of Python would wait for
        os.killpg(os.getpgid(0), signal.SIGKILL)  # what is on disk is whole at any moment

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    end_with_parent()
    main(sys.argv[1:])
