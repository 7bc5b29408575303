"""All benchmarks, one after the other, into docs/benchmarks.md: `make bench`.

Each runs as a process of its own and leaves its rows as JSON. Those that compare with asteroid's
own code want a checkout of it; without one they are named as not run.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List

from .pairing import short

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"

#: module -> what it claims, and whether it needs a checkout of asteroid
BENCHMARKS = {
    "combination_loss": ("MDL with CL costs one pass, whatever the number of sums", False),
    "training_step": ("A training step of X-UMX", True),
    "data_loader": ("Segments per second of the training data", True),
    "wiener": ("The multichannel Wiener filter", False),
    "separation": ("Separation of a song, and its memory", True),
    "evaluation": ("BSSEval v4", False),
    "conv_tasnet": ("A training step of X-Conv-TasNet", False),
}
_WITHOUT_CHECKOUT = {"wiener", "evaluation", "conv_tasnet"}
INTRODUCTION = """# Benchmarks

Written by `make bench`. A ratio says how many times as fast ours is as the peer: the median of
pairs that ran in turn, with the smallest and the largest. Machines differ: read the ratios.
"""


def run(module: str, asteroid: str, arguments: List[str]) -> Dict[str, Any]:
    """What a benchmark left: its environment and its rows."""
    checkout = ["--asteroid", asteroid] if asteroid and module not in _WITHOUT_CHECKOUT else []
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "rows.json"
        command = [sys.executable, "-m", f"benchmarks.{module}", "--json", str(result)]
        subprocess.run([*command, *checkout, *arguments], check=True)
        return json.loads(result.read_text(encoding="utf-8"))


def section(module: str, claim: str, result: Dict[str, Any]) -> str:
    """A benchmark's rows as a table, under what it claims."""
    where = result["environment"]
    rows = [{name: short(value) for name, value in row.items()} for row in result["rows"]]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [
        f"## {claim}\n",
        f"`python -m benchmarks.{module}`: {where['threads']} of {where['cores']} cores, load "
        f"{where['load']:.1f}, {', '.join(f'{n} {v}' for n, v in where['versions'].items())}.\n",
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(row.get(name, '') for name in columns)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the benchmarks and write the page after each, so that a stopped run keeps its rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asteroid", default="", help="checkout of asteroid to compare with")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS))
    parser.add_argument("--page", type=Path, default=PAGE, help="file to write")
    options, others = parser.parse_known_args()
    sections = [INTRODUCTION]
    for module in options.only:
        claim, needs_checkout = BENCHMARKS[module]
        if needs_checkout and not options.asteroid:
            sections.append(f"## {claim}\n\nNot run: it wants `--asteroid CHECKOUT`.\n")
        else:
            sections.append(section(module, claim, run(module, options.asteroid, others)))
        options.page.write_text("\n".join(sections), encoding="utf-8")


if __name__ == "__main__":
    main()
