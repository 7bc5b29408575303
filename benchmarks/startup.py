"""How long it takes to import the package, to answer `xscheme --help`, and to separate a clip.

Every task runs in a fresh process and includes Python's own start. The peers of `import
asteroid_xscheme` are `import asteroid.models` of the release, which it imports, and `import torch`,
which every model needs; the peer of `xscheme --help` is `asteroid-infer --help`. The limit of
`xscheme separate`, from the command to the files, is `import torch` and separating the same clip of
5 s in a process that has done it before. The last row inspects the process of `xscheme --help`,
which should import neither torch nor numpy and answer within 0.3 s.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import soundfile
import torch

from .pairing import Work, add_arguments, compare, save, show

LIMIT = 0.3  # seconds for --help
SECONDS, RATE = 5, 44100  # of the clip
HEAVY = ("torch", "numpy", "asteroid_xscheme")
COMMANDS = {
    "import asteroid_xscheme": "import asteroid_xscheme",
    "import asteroid.models": "import asteroid.models",
    "import torch": "import torch",
    "xscheme --help": "import xscheme; xscheme.main(['--help'])",
    "asteroid-infer --help": "from asteroid.scripts.asteroid_cli import infer; infer(['--help'])",
}
PAIRS = (
    ("import asteroid_xscheme", "import asteroid.models"),
    ("import asteroid_xscheme", "import torch"),
    ("xscheme --help", "asteroid-infer --help"),
)
_PRINT_IMPORTS = """
import json, sys, xscheme
try:
    xscheme.main(["--help"])
except SystemExit:
    print(json.dumps([name for name in {heavy} if name in sys.modules]))
"""


def start(code: str, threads: int) -> str:
    """The output of a new Python process that runs some code."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout


def prepare(name: str, threads: int) -> Work:
    """The work of one of COMMANDS."""
    return functools.partial(start, COMMANDS[name], threads)


def compare_pairs(threads: int, repeats: int) -> List[Dict[str, Any]]:
    """One row per pair of commands."""
    rows = []
    for ours, peer in PAIRS:
        times = compare(prepare(ours, threads), prepare(peer, threads), repeats)
        rows.append({"command": ours, "peer": peer, **times})
        show(rows[-1])
    return rows


def compare_clip(threads: int, repeats: int) -> Dict[str, Any]:
    """A row: the whole command on a clip, and what it cannot do without."""
    from asteroid_xscheme import BridgedModel, Separator

    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.wav"
        noise = np.random.default_rng(0).normal(0, 0.1, (SECONDS * RATE, 2))
        soundfile.write(str(clip), noise, RATE, "PCM_16")
        command = ["separate", str(clip), "-n", "small", "-o", folder, "--overwrite", "-q"]
        ours = functools.partial(start, f"import xscheme; xscheme.main({command})", threads)
        separator = Separator(BridgedModel.from_pretrained("small"), "cpu")

        def limit() -> None:
            start(COMMANDS["import torch"], threads)
            separator.separate(clip)

        times = compare(ours, limit, repeats)
    return {"command": "xscheme separate", "peer": "import torch, and separating", **times}


def inspect_help(threads: int, seconds: float) -> Dict[str, Any]:
    """A row: what `xscheme --help` imported, and whether `seconds` are within the limit."""
    imported = json.loads(start(_PRINT_IMPORTS.format(heavy=HEAVY), threads).splitlines()[-1])
    return {
        "command": "xscheme --help",
        "imports": ", ".join(imported) or "nothing heavy",
        "seconds": seconds,
        "limit": LIMIT,
        "holds": not imported and seconds < LIMIT,
    }


def main() -> None:
    """Read the options, print a row per pair of commands and one on --help, write them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = compare_pairs(options.threads, options.repeats)
    rows.append(compare_clip(options.threads, options.repeats))
    show(rows[-1])
    seconds = next(row for row in rows if row["command"] == "xscheme --help")["ours_seconds"]
    rows.append(inspect_help(options.threads, seconds["median"]))
    show(rows[-1])
    save(rows, options.json)


if __name__ == "__main__":
    main()
