"""Results of benchmarks, a JSON file each -> docs/benchmarks.md with tables and pictures."""

import ast
import json
import os
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

from .pairing import short
from .pictures import PICTURES, draw

INTRODUCTION = """# Benchmarks

Written by `make bench`. A ratio says how many times as fast ours is as the peer: the median of
pairs that ran in turn, with the smallest and the largest; `cpu ratio` is the same of processor
time. Machines differ: read the ratios. The figures are also in docs/benchmarks/, a JSON file for
each section. What full trainings need is on the page [Scaling](scaling.md).
"""


class Benchmark(NamedTuple):
    """A module of this package as `make bench` runs it.

    Attributes:
        claim: Heading of its section.
        checkout: Whether it takes a checkout of asteroid: "no", "may", or "must".
        arguments: Options that keep all benchmarks together within 45 minutes.
        peers: Whether it compares with packages of the extra `bench`.
    """

    claim: str
    checkout: str = "no"
    arguments: tuple = ()
    peers: bool = False


BENCHMARKS = {
    "combination_loss": Benchmark(
        "MDL with CL costs one pass, whatever the number of sums",
        "may",
        ("--memory", "--repeats", "3"),
    ),
    "training_step": Benchmark("A training step of X-UMX", "must"),
    "conv_tasnet": Benchmark(
        "A training step of X-Conv-TasNet",
        arguments=("--repeats", "2", "--memory"),
    ),
    "data_loader": Benchmark("Segments per second of the training data", "must"),
    "separation": Benchmark("Separation of a song, and its memory", "must", peers=True),
    "any_network": Benchmark("BridgedNetworks beside the plain networks"),
    "d3net": Benchmark("X-D3Net's inference", arguments=("--repeats", "3")),
    "wiener": Benchmark("The multichannel Wiener filter", peers=True),
    "evaluation": Benchmark("BSSEval v4", arguments=("--seconds", "30", "120"), peers=True),
    "startup": Benchmark("Import of the package, and `xscheme --help`"),
    "checkpoint_loading": Benchmark("Safe reading of weights", "may"),
    "step_cost": Benchmark("What training steps of the recipes take"),
    "gpu": Benchmark("On a GPU"),
}


def write_page(page: Path, results: Path) -> None:
    """Write the page of all results that there are, and a picture where one belongs to it.

    Args:
        page: The Markdown file.
        results: Folder of the JSON files and, then, of the pictures.
    """
    sections = [INTRODUCTION]
    for module, benchmark in BENCHMARKS.items():
        path = results / f"{module}.json"
        if path.exists():
            result = json.loads(path.read_text(encoding="utf-8"))
            sections.append(_section(module, benchmark, result, page, results))
        else:
            needs = " It wants `--asteroid CHECKOUT`." if benchmark.checkout == "must" else ""
            sections.append(f"## {benchmark.claim}\n\nNot run yet.{needs}\n")
    page.write_text("\n".join(sections), encoding="utf-8")


def _section(
    module: str, benchmark: Benchmark, result: Dict[str, Any], page: Path, results: Path
) -> str:
    """What a benchmark claims, how it measures, where it ran, its picture and its table."""
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
    """Rows by table: a row with a name that the first row before it lacks begins another."""
    tables: List[List[Dict[str, Any]]] = []
    for row in rows:
        if not tables or row.keys() - tables[-1][0].keys():
            tables.append([])
        tables[-1].append(row)
    return tables


def table(rows: List[Dict[str, Any]]) -> str:
    """Rows as a table, a column for every name that the first of them has."""
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
    """The docstring of a benchmark's module, which is not imported for it."""
    source = Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(source))
