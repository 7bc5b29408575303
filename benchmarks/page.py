"""Write docs/benchmarks.md with tables and pictures, from one JSON file per benchmark."""

import ast
import json
import os
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

from .pairing import short
from .pictures import PICTURES, draw

INTRODUCTION = """# Benchmarks

`make bench` writes this page. `ratio` says how many times as fast we are as the peer: the median,
smallest and largest of pairs that ran alternately. `cpu ratio` is the same for processor time.
Times depend on the machine, so compare the ratios. docs/benchmarks/ has all figures as JSON, one
file per section. For what full trainings need, see [Scaling](scaling.md).
"""


class Benchmark(NamedTuple):
    """How `make bench` runs a module of this package.

    Attributes:
        claim: Heading of its section.
        checkout: Whether it uses a checkout of Asteroid: "no", "may" or "must".
        arguments: Options that keep `make bench` within 45 minutes.
        peers: Whether it needs the packages of the extra `bench`.
    """

    claim: str
    checkout: str = "no"
    arguments: tuple = ()
    peers: bool = False


BENCHMARKS = {
    "combination_loss": Benchmark(
        "MDL with CL: one pass for any number of sums",
        "may",
        ("--memory", "--repeats", "3"),
    ),
    "training_step": Benchmark("A training step of X-UMX", "must"),
    "conv_tasnet": Benchmark(
        "A training step of X-Conv-TasNet",
        arguments=("--repeats", "2", "--memory"),
    ),
    "data_loader": Benchmark("Loading training segments", "must", ("--repeats", "3")),
    "separation": Benchmark(
        "Time and memory of separating a song",
        "must",
        peers=True,
        arguments=("--repeats", "1", "--minutes", "1", "60"),
    ),
    "any_network": Benchmark("The cost of BridgedNetworks"),
    "d3net": Benchmark("X-D3Net's inference and training step", arguments=("--repeats", "3")),
    "precision": Benchmark("What bfloat16 changes"),
    "wiener": Benchmark("The multichannel Wiener filter", peers=True),
    "evaluation": Benchmark("BSSEval v4", arguments=("--seconds", "30", "120"), peers=True),
    "startup": Benchmark(
        "Importing the package, `xscheme --help`, and separating a clip",
        arguments=("--repeats", "1"),
    ),
    "checkpoint_loading": Benchmark("Loading weights safely", "may"),
    "step_cost": Benchmark("The cost of a training step of each recipe"),
    "gpu": Benchmark("On a GPU"),
}


def write_page(page: Path, results: Path) -> None:
    """Write the page and its pictures from all existing results.

    Args:
        page: The Markdown file.
        results: Folder of the JSON files; also receives the pictures.
    """
    sections = [INTRODUCTION]
    for module, benchmark in BENCHMARKS.items():
        path = results / f"{module}.json"
        if path.exists():
            result = json.loads(path.read_text(encoding="utf-8"))
            sections.append(_section(module, benchmark, result, page, results))
        else:
            needs = " It needs `--asteroid CHECKOUT`." if benchmark.checkout == "must" else ""
            sections.append(f"## {benchmark.claim}\n\nNot run yet.{needs}\n")
    page.write_text("\n".join(sections), encoding="utf-8")


def _section(
    module: str, benchmark: Benchmark, result: Dict[str, Any], page: Path, results: Path
) -> str:
    """One section: what the benchmark measures, how, and where; its picture and its tables."""
    command = " ".join((f"python -m benchmarks.{module}", *benchmark.arguments))
    parts = [f"## {benchmark.claim}\n", _explanation(module) + "\n"]
    parts.append(f"`{command}`: {_place(result['environment'])}\n")
    if result["note"]:
        parts.append(result["note"] + "\n")
    if result["rows"] and module in PICTURES:
        alt, panels = PICTURES[module]
        picture = results / f"{module}.svg"
        draw(panels(result["rows"]), picture)
        target = Path(os.path.relpath(picture, page.parent)).as_posix()
        parts.append(f"![{alt}]({target})\n")
    if result["rows"]:
        parts += [table(rows) for rows in of_one_kind(result["rows"])]
    return "\n".join(parts)


def of_one_kind(rows: List[Dict[str, Any]]) -> List[List[Dict[str, Any]]]:
    """Split rows into tables: a row with a column that its table lacks starts a new one."""
    tables: List[List[Dict[str, Any]]] = []
    for row in rows:
        if not tables or row.keys() - tables[-1][0].keys():
            tables.append([])
        tables[-1].append(row)
    return tables


def table(rows: List[Dict[str, Any]]) -> str:
    """Rows as a Markdown table; the first row names the columns."""
    columns = list(rows[0])
    lines = [
        f"| {' | '.join(column.replace('_', ' ') for column in columns)} |",
        f"|{'---|' * len(columns)}",
    ]
    for row in rows:
        cells = (short(row[name]) if name in row else "" for name in columns)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _place(where: Dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    return (
        f"{where['date']}, {where['threads']} of {where['cores']} cores, "
        f"load {where['load']:.1f}, {versions}."
    )


def _explanation(module: str) -> str:
    """The docstring of a benchmark's module, read without importing it."""
    source = Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(source))
