"""Training steps and separation on a GPU, in float32 and bfloat16: speed and peak memory.

For each official recipe: a training step at its own batch, with and without the option that saves
memory, if it has one. Then a song is separated with X-UMX of the official size and one iteration of
the Wiener filter. float32 uses PyTorch's default settings. Memory is the most that tensors
occupied. These rows have no peer. Without a GPU nothing is measured.
"""

import argparse
import functools
from typing import Any, Dict, List, Optional

import torch

from asteroid_xscheme.models import XUMX
from asteroid_xscheme.separation import Separator

from .pairing import Work, add_arguments, repeat, save, show
from .recipes import RECIPES, SAVING, TrainingStep, read_recipe, segment_samples
from .separation import MAX_BIN, RATE, SOURCES, drain, noise_song

NO_GPU = "There was no GPU on the machine that wrote this page."


def find_gpu() -> Optional[str]:
    """The device to measure on, or None."""
    return "cuda" if torch.cuda.is_available() else None


def measure(work: Work, device: str, repeats: int) -> Dict[str, Any]:
    """Measure the seconds of a work and, on a GPU, the peak memory of its tensors."""
    if torch.device(device).type != "cuda":
        return {"seconds": repeat(work, repeats)}
    torch.cuda.reset_peak_memory_stats(device)
    seconds = repeat(work, repeats)
    return {"seconds": seconds, "peak_gigabytes": torch.cuda.max_memory_allocated(device) / 1e9}


def train(options: argparse.Namespace, name: str, saving: bool, bf16: bool) -> Dict[str, Any]:
    """The row of a recipe's training step."""
    config = read_recipe(name, saving)
    batch = options.batch or config.training.batch_size
    n_samples = int(options.seconds * RATE) if options.seconds else segment_samples(config)
    work = f"training step, {SAVING[name]}" if saving else "training step"
    row = {"work": work, "model": name, "precision": "bf16-mixed" if bf16 else "32-true"}
    try:
        step = TrainingStep(config, batch, n_samples, options.device, bf16)
        row.update(batch=batch, **measure(step, options.device, options.repeats))
    except torch.OutOfMemoryError:
        return {**row, "batch": batch, "peak_gigabytes": "more than there is"}
    return {**row, "segments/s": batch / row["seconds"]["median"]}


def separate(options: argparse.Namespace, bf16: bool) -> Dict[str, Any]:
    """The row of the separation of a song, which is read and returned in blocks."""
    torch.manual_seed(0)
    precision = "bf16" if bf16 else "float32"
    model = XUMX(SOURCES, max_bin=MAX_BIN, hidden_size=options.hidden).eval()
    separator = Separator(model, options.device, precision=precision)
    song = noise_song(60 * options.song)
    work = functools.partial(drain, separator, song)
    row = {"work": f"separation of {options.song:g} min", "model": "X-UMX", "precision": precision}
    row.update(measure(work, options.device, options.repeats))
    return {**row, "song seconds/s": song.seconds / row["seconds"]["median"]}


def run(options: argparse.Namespace) -> List[Dict[str, Any]]:
    """All rows, printed as they come."""
    works = [
        functools.partial(train, options, name, saving, bf16)
        for name in options.recipes
        for saving in ((False, True) if name in SAVING else (False,))
        for bf16 in (False, True)
    ]
    works += [functools.partial(separate, options, bf16) for bf16 in (False, True)]
    rows = []
    for work in works:
        rows.append(work())
        show(rows[-1])
    return rows


def main() -> None:
    """Read the options, print a row per work, write them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default=find_gpu(), help="cuda, cuda:1, ...; cpu for a trial")
    parser.add_argument("--recipes", nargs="*", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--batch", type=int, help="segments per step (default: the recipe's)")
    parser.add_argument(
        "--seconds", type=float, help="length of a segment in seconds (default: the recipe's)"
    )
    parser.add_argument("--song", type=float, default=10.0, help="length of the song in minutes")
    parser.add_argument("--hidden", type=int, default=512, help="size of X-UMX that separates")
    add_arguments(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.device is None:
        print(NO_GPU)
        save([], options.json, NO_GPU)
    else:
        rows = run(options)
        save(rows, options.json)


if __name__ == "__main__":
    main()
