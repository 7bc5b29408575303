"""How long a training takes on a given number of GPUs, modelled from the counted cost of a step.

Costs come from the results of `benchmarks.step_cost`. Each assumption about machines and data is a
field of `Machine` or `Data`. `benchmarks.scaling_page` writes the tables into docs/scaling.md.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Dict, List, NamedTuple

from .recipes import read_recipe


def _assumed(value: float, meaning: str) -> Any:
    return field(default=value, metadata={"help": meaning})


@dataclass(frozen=True)
class Machine:
    """Assumptions about GPUs, the links between them, and the CPU cores of their nodes."""

    teraflops: float = _assumed(10.0, "TFLOP/s that a GPU sustains in float32")
    recurrent_microseconds: float = _assumed(15.0, "microseconds that one step of an LSTM takes")
    node_gigabytes: float = _assumed(100.0, "GB/s between the GPUs of a node (NVLink)")
    network_gigabytes: float = _assumed(3.0, "GB/s between nodes (25 Gbit/s Ethernet)")
    loader_megabytes: float = _assumed(400.0, "MB/s that a core can read, augment and mix")


@dataclass(frozen=True)
class Data:
    """MUSDB18 as the recipes split it."""

    tracks: int = _assumed(86, "training tracks")
    validation_hours: float = _assumed(0.9, "hours of the 14 validation tracks (estimated)")
    sources: int = _assumed(4, "sources")
    channels: int = _assumed(2, "channels")
    sample_bytes: int = _assumed(2, "bytes per sample")


class Cost(NamedTuple):
    """The counted cost of a recipe and the length of its training; MACs are per segment."""

    recipe: str
    saving: str
    batch: int
    epochs: int
    samples_per_track: int
    segment_seconds: float
    sample_rate: float
    parameters: int
    forward_macs: float
    backward_macs: float
    recurrent_steps: int
    step_gigabytes: float


class Plan(NamedTuple):
    """A training on some GPUs.

    Attributes:
        compute, recurrence, all_reduce: Seconds per step; they add up, as nothing overlaps.
        steps: Steps per epoch.
        hours: Hours of all epochs, including validation.
        segments, megabytes: What all GPUs together load per second.
        cores: Cores that load it, over all nodes.
    """

    compute: float
    recurrence: float
    all_reduce: float
    steps: int
    hours: float
    segments: float
    megabytes: float
    cores: int

    @property
    def step(self) -> float:
        """Seconds of a step."""
        return self.compute + self.recurrence + self.all_reduce


def plan(cost: Cost, nodes: int, gpus: int, machine: Machine, data: Data, batch: int = 0) -> Plan:
    """Plan a training on `nodes` times `gpus` GPUs with `batch` segments on each.

    Each step of an LSTM waits for the previous one, whatever the batch: once forward, twice
    backward.
    """
    batch, n_gpus = batch or cost.batch, nodes * gpus
    segment_flops = 2 * (cost.forward_macs + cost.backward_macs)
    compute = batch * segment_flops / (machine.teraflops * 1e12)
    wait = cost.recurrent_steps * machine.recurrent_microseconds * 1e-6
    all_reduce = all_reduce_seconds(cost.parameters, nodes, gpus, machine)
    step = compute + 3 * wait + all_reduce
    n_segments = data.tracks * cost.samples_per_track
    steps = n_segments // (batch * n_gpus)
    validation = data.validation_hours * 3600 / cost.segment_seconds  # segments, forward only
    validation *= 2 * cost.forward_macs / (machine.teraflops * 1e12) + wait
    epoch = steps * step + validation / n_gpus
    segments = batch * n_gpus / step
    megabytes = segments * segment_bytes(cost, data) / 1e6
    cores = math.ceil(megabytes / machine.loader_megabytes)
    hours = cost.epochs * epoch / 3600
    return Plan(compute, 3 * wait, all_reduce, steps, hours, segments, megabytes, cores)


def all_reduce_seconds(parameters: int, nodes: int, gpus: int, machine: Machine) -> float:
    """Seconds of a ring all-reduce of float32 gradients, limited by the slowest link.

    Each GPU sends and receives 2 (n - 1) / n times the gradients.
    """
    n_gpus = nodes * gpus
    speed = machine.network_gigabytes if nodes > 1 else machine.node_gigabytes
    return 2 * (n_gpus - 1) / n_gpus * 4 * parameters / (speed * 1e9)


def segment_bytes(cost: Cost, data: Data) -> float:
    """Bytes that one training segment reads."""
    samples = cost.segment_seconds * cost.sample_rate
    return samples * data.sources * data.channels * data.sample_bytes


def read_costs(rows: List[Dict[str, Any]]) -> List[Cost]:
    """Costs from rows of `benchmarks.step_cost` and from the recipes' configurations."""
    costs = []
    for row in rows:
        config = read_recipe(row["recipe"])
        costs.append(
            Cost(
                recipe=row["recipe"],
                saving=row["saving"],
                batch=row["batch"],
                epochs=config.training.epochs,
                samples_per_track=config.data.samples_per_track,
                segment_seconds=row["segment_seconds"],
                sample_rate=config.data.sample_rate,
                parameters=row["parameters"],
                forward_macs=row["forward_gmac"] * 1e9,
                backward_macs=row["backward_gmac"] * 1e9,
                recurrent_steps=row["recurrent_steps"],
                step_gigabytes=row["step_gigabytes"],
            )
        )
    return costs
