"""Run all benchmarks one after another, and write docs/benchmarks.md: `make bench`.

Each runs in its own process and saves its rows as JSON in docs/benchmarks/. The page, its pictures
and the tables of docs/scaling.md are made from these files; with --only, the other sections keep
their earlier results. Comparisons with Asteroid's recipes need a checkout of it. All other options
are passed on to every benchmark.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import List

from . import scaling_page
from .page import BENCHMARKS, write_page
from .peers import PeerError, check_installed

DOCS = Path(__file__).parents[1] / "docs"


def run(module: str, asteroid: str, others: List[str], results: Path) -> bool:
    """Run a benchmark, save its result in a folder, and return whether it succeeded.

    An earlier result is only replaced once the new one is complete.
    """
    benchmark = BENCHMARKS[module]
    checkout = ["--asteroid", asteroid] if asteroid and benchmark.checkout != "no" else []
    part, start = results / f"{module}.part", time.perf_counter()
    command = [sys.executable, "-m", f"benchmarks.{module}", *benchmark.arguments, *checkout]
    print(f"== {module}", flush=True)
    done = subprocess.run([*command, "--json", str(part), *others])
    print(f"== {module}: {time.perf_counter() - start:.0f} s", flush=True)
    if done.returncode == 0:
        part.replace(results / f"{module}.json")
    part.unlink(missing_ok=True)
    return done.returncode == 0


def main() -> int:
    """Run the benchmarks and write the page after each, so that a stopped run keeps its rows.

    Returns:
        1 if a benchmark could not run, else 0.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asteroid", default="", help="checkout of asteroid to compare with")
    parser.add_argument(
        "--only",
        nargs="*",
        choices=BENCHMARKS,
        default=list(BENCHMARKS),
        help="benchmarks to run (default: all)",
    )
    parser.add_argument("--page", type=Path, default=DOCS / "benchmarks.md", help="file to write")
    parser.add_argument(
        "--results", type=Path, default=DOCS / "benchmarks", help="folder of JSON and pictures"
    )
    parser.add_argument(
        "--scaling", type=Path, default=DOCS / "scaling.md", help="page whose tables are updated"
    )
    options, others = parser.parse_known_args()
    if any(BENCHMARKS[module].peers for module in options.only):
        try:
            check_installed()
        except PeerError as error:
            parser.error(str(error))
    options.results.mkdir(parents=True, exist_ok=True)
    failed = []
    for module in options.only:
        if BENCHMARKS[module].checkout == "must" and not options.asteroid:
            print(f"{module}: skipped, because it needs --asteroid CHECKOUT", flush=True)
        elif not run(module, options.asteroid, others, options.results):
            failed.append(module)
        write_page(options.page, options.results)
    write_page(options.page, options.results)
    if (costs := options.results / "step_cost.json").exists():
        scaling_page.write(options.scaling, costs)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
