"""The tables of docs/scaling.md: counted costs and assumptions -> what trainings need.

    python -m benchmarks.scaling_page [--teraflops 30] [--network_gigabytes 12] ...

Reads docs/benchmarks/step_cost.json, which `python -m benchmarks.step_cost` writes, and puts each
table between its marks on the page; with --dry-run it only prints them. Every assumption is an
option. `make bench` ends with this step, using the default assumptions.
"""

import argparse
import dataclasses
import json
import re
from pathlib import Path
from typing import Any, Dict, List

from .page import table
from .scaling import Cost, Data, Machine, all_reduce_seconds, plan, read_costs, segment_bytes

DOCS = Path(__file__).parents[1] / "docs"
Rows = List[Dict[str, Any]]

LAYOUTS = {"1": (1, 1), "8": (1, 8), "4 x 8": (4, 8)}  # nodes and GPUs of each
LINKS = {  # where gradients travel -> layout and gigabytes per second
    "8 GPUs, 100 GB/s (NVLink)": ("8", 100.0),
    "8 GPUs, 10 GB/s (PCIe)": ("8", 10.0),
    "4 x 8, 3 GB/s (25 Gbit/s)": ("4 x 8", 3.0),
    "4 x 8, 12 GB/s (100 Gbit/s)": ("4 x 8", 12.0),
    "4 x 8, 50 GB/s (400 Gbit/s)": ("4 x 8", 50.0),
}
SPEEDS = (5.0, 10.0, 20.0, 40.0)  # TFLOP/s
SPLITS = (1, 2, 7)  # GPUs that share one batch of 14


def counted(costs: List[Cost], data: Data) -> Rows:
    """The cost of a step of each recipe, on any machine."""
    return [
        {
            "recipe": _name(cost),
            "batch": cost.batch,
            "segment, s": f"{cost.segment_seconds:.2f}",
            "parameters, M": f"{cost.parameters / 1e6:.1f}",
            "forward, GMAC per segment": f"{cost.forward_macs / 1e9:.0f}",
            "backward": f"{cost.backward_macs / 1e9:.0f}",
            "TFLOP per step": f"{_step_flops(cost) / 1e12:.2f}",
            "sequential LSTM steps": cost.recurrent_steps,
            "memory of a step, GB": f"{cost.step_gigabytes:.1f}",
            "read per segment, MB": f"{segment_bytes(cost, data) / 1e6:.1f}",
        }
        for cost in costs
    ]


def trainings(costs: List[Cost], machine: Machine, data: Data) -> Rows:
    """Steps, hours and data of each recipe on each layout, with the recipe's batch per GPU."""
    rows = []
    for cost in costs:
        for name, (nodes, gpus) in LAYOUTS.items():
            found = plan(cost, nodes, gpus, machine, data)
            rows.append(
                {
                    "recipe": _name(cost),
                    "GPUs": name,
                    "segments per step": cost.batch * nodes * gpus,
                    "step, s": f"{found.step:.2f}",
                    "of which LSTM wait": f"{found.recurrence:.2f}",
                    "of which gradients": f"{found.all_reduce:.3f}",
                    "steps": f"{cost.epochs} x {found.steps}",
                    "hours": f"{found.hours:.1f}",
                    "segments/s": f"{found.segments:.0f}",
                    "MB/s read": f"{found.megabytes:.0f}",
                    "loader cores": found.cores,
                }
            )
    return rows


def gradients(costs: List[Cost], machine: Machine) -> Rows:
    """Milliseconds to add up the gradients, over links of several speeds."""
    rows = []
    for cost in _once(costs):
        row = {"recipe": cost.recipe, "gradients, MB": f"{4 * cost.parameters / 1e6:.0f}"}
        for name, (layout, speed) in LINKS.items():
            link = dataclasses.replace(machine, node_gigabytes=speed, network_gigabytes=speed)
            seconds = all_reduce_seconds(cost.parameters, *LAYOUTS[layout], link)
            row[name] = f"{1e3 * seconds:.0f} ms"
        rows.append(row)
    return rows


def speeds(costs: List[Cost], machine: Machine, data: Data) -> Rows:
    """Hours of each recipe for GPUs of several speeds."""
    rows = []
    for cost in costs:
        row: Dict[str, Any] = {"recipe": _name(cost)}
        for teraflops in SPEEDS:
            faster = dataclasses.replace(machine, teraflops=teraflops)
            hours = (plan(cost, *layout, faster, data).hours for layout in LAYOUTS.values())
            row[f"{teraflops:g} TFLOP/s"] = " / ".join(f"{x:.1f}" for x in hours)
        rows.append(row)
    return rows


def split_batch(cost: Cost, machine: Machine, data: Data) -> Rows:
    """The recipe's batch, split among several GPUs of a node."""
    rows = []
    alone = plan(cost, 1, 1, machine, data)
    for gpus in SPLITS:
        found = plan(cost, 1, gpus, machine, data, batch=cost.batch // gpus)
        rows.append(
            {
                "GPUs": gpus,
                "segments on each": cost.batch // gpus,
                "step, s": f"{found.step:.2f}",
                "hours": f"{found.hours:.1f}",
                "speed-up": f"{alone.hours / found.hours:.1f}",
            }
        )
    return rows


def measured(rows: Rows) -> Rows:
    """Measured steps, next to the counts for them."""
    return [
        {
            "recipe": row["recipe"],
            "segment, s": f"{row['measured_fraction'] * row['segment_seconds']:.2f}",
            "step, s": f"{row['measured_seconds']:.2f}",
            "GFLOP/s": f"{row['measured_gflops']:.0f}",
            "memory measured, MB": f"{row['measured_megabytes']:.0f}",
            "memory counted, MB": f"{row['counted_megabytes']:.0f}",
        }
        for row in rows
        if "measured_seconds" in row
    ]


def tables(result: Dict[str, Any], machine: Machine, data: Data) -> Dict[str, str]:
    """All tables, by their names on the page, from a result of `benchmarks.step_cost`."""
    costs = read_costs(result["rows"])
    of_recurrent = next(cost for cost in costs if cost.recurrent_steps)
    rows = {
        "assumed": [
            {
                "option": f"`--{field.name}`",
                "value": f"{getattr(of, field.name):g}",
                "meaning": field.metadata["help"],
            }
            for of in (machine, data)
            for field in dataclasses.fields(of)
        ],
        "counted": counted(costs, data),
        "measured": measured(result["rows"]),
        "trainings": trainings(costs, machine, data),
        "gradients": gradients(costs, machine),
        "speeds": speeds(costs, machine, data),
        "split": split_batch(of_recurrent, machine, data),
    }
    return {name: table(of_name) for name, of_name in rows.items()}


def with_tables(page: str, written: Dict[str, str]) -> str:
    """The page with the tables between its marks replaced.

    Raises:
        ValueError: If the page has no place for a table.
    """
    for name, text in written.items():
        mark = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        page, n_places = mark.subn(lambda found: f"{found[1]}\n{text}\n{found[2]}", page)
        if n_places != 1:
            raise ValueError(
                f"Expected one place <!-- table: {name} --> ... <!-- end --> on the page, "
                f"found {n_places}."
            )
    return page


def write(page: Path, costs: Path, machine: Machine = Machine(), data: Data = Data()) -> None:
    """Write all tables of a result of `benchmarks.step_cost` into the page."""
    result = json.loads(costs.read_text(encoding="utf-8"))
    text = page.read_text(encoding="utf-8")
    page.write_text(with_tables(text, tables(result, machine, data)), encoding="utf-8")


def _name(cost: Cost) -> str:
    return cost.recipe if cost.saving == "-" else f"{cost.recipe}, {cost.saving}"


def _once(costs: List[Cost]) -> List[Cost]:
    """Each recipe once, for what does not depend on options that save memory."""
    return list({cost.recipe: cost for cost in costs}.values())


def _step_flops(cost: Cost) -> float:
    return 2 * cost.batch * (cost.forward_macs + cost.backward_macs)


def main() -> None:
    """Read the options and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--costs", type=Path, default=DOCS / "benchmarks" / "step_cost.json")
    parser.add_argument("--page", type=Path, default=DOCS / "scaling.md")
    parser.add_argument("--dry-run", action="store_true", help="print the tables, write nothing")
    for group in (Machine, Data):
        for field in dataclasses.fields(group):
            meaning = f"{field.metadata['help']} (default: %(default)s)"
            name = f"--{field.name}"
            parser.add_argument(name, type=field.type, default=field.default, help=meaning)
    options = vars(parser.parse_args())
    machine, data = (
        group(**{field.name: options[field.name] for field in dataclasses.fields(group)})
        for group in (Machine, Data)
    )
    if options["dry_run"]:
        result = json.loads(options["costs"].read_text(encoding="utf-8"))
        written = tables(result, machine, data)
        print("\n".join(f"{name}\n\n{text}" for name, text in written.items()))
    else:
        write(options["page"], options["costs"], machine, data)


if __name__ == "__main__":
    main()
