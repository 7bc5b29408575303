"""The cost of a training step of each official recipe: counted, and measured where it is small.

Counted without computing anything, at the recipe's own batch and segment: the multiply-accumulates
(MAC) of products, convolutions and LSTMs for one segment, and the peak memory of a step, including
Adam's. Measured, each in its own process: the time of a step with one segment, shortened if the
forward pass would exceed --gmac, and the memory it needs on top of weights, gradients and Adam's
state, next to the count for the same step. These rows have no peer; docs/scaling.md is made from
them.
"""

import argparse
from typing import Any, Dict, List

import torch

from asteroid_xscheme.recipes.config import Config

from .counting import count_step
from .pairing import add_arguments, peak_memory, run_alone, save, show
from .recipes import RECIPES, SAVING, prepare_step, read_recipe, segment_samples


def count(name: str, saving: bool, config: Config) -> Dict[str, Any]:
    """A row: the counted cost of a step at the recipe's batch size and segment length."""
    batch, n_samples = config.training.batch_size, segment_samples(config)
    counted = count_step(config, batch, n_samples)
    return {
        "recipe": name,
        "saving": SAVING[name] if saving else "-",
        "batch": batch,
        "segment_seconds": n_samples / config.data.sample_rate,
        "parameters": counted.parameters,
        "forward_gmac": counted.forward_macs / batch / 1e9,
        "backward_gmac": counted.backward_macs / batch / 1e9,
        "recurrent_steps": counted.recurrent_steps,
        "step_gigabytes": counted.peak_bytes / 1e9,
    }


def measure(name: str, config: Config, fraction: float) -> Dict[str, Any]:
    """The measured cost of a step with one segment, maybe shortened, and the counted cost."""
    n_samples = int(fraction * segment_samples(config))
    counted = count_step(config, 1, n_samples)
    flops = 2 * (counted.forward_macs + counted.backward_macs)
    seconds = run_alone(prepare_step, name, 1, n_samples, True).clock
    lasting = 4 * 4 * counted.parameters  # weights, gradients, two moments of float32
    return {
        "measured_fraction": fraction,
        "measured_seconds": seconds,
        "measured_gflops": flops / seconds / 1e9,
        "measured_megabytes": peak_memory(prepare_step, name, 1, n_samples, False) / 1e6,
        "counted_megabytes": (counted.peak_bytes - lasting) / 1e6,
    }


def run(options: argparse.Namespace) -> List[Dict[str, Any]]:
    """One row per recipe, and one where it has an option that saves memory."""
    rows = []
    for name in options.recipes:
        for saving in (False, True) if name in SAVING else (False,):
            config = read_recipe(name, saving)
            row = count(name, saving, config)
            if not saving and options.gmac:
                row.update(measure(name, config, min(1.0, options.gmac / row["forward_gmac"])))
            rows.append(row)
            show(row)
    return rows


def main() -> None:
    """Read the options, print a row per recipe, write them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument(
        "--gmac", type=float, default=30.0, help="largest forward pass to measure; 0 for none"
    )
    add_arguments(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = run(options)
    save(rows, options.json)


if __name__ == "__main__":
    main()
