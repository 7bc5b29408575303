"""A training step of X-UMX at its official size, against asteroid's model with its recipe's loss.

Forward pass, MDL with CL over four sources including the STFT of the references, backward pass and
an Adam step, on 6 s of stereo, for several batch sizes. Both sides have the same weights and loss
values.
"""

import argparse
from pathlib import Path
from typing import Any, Callable, Dict, List

import torch

from asteroid_xscheme import XUMX, MultiDomainLoss

from .combination_loss import Inputs, asteroid_loss
from .pairing import Work, add_arguments, compare, save, show
from .peers import asteroid_xumx

SOURCES = ["bass", "drums", "vocals", "other"]
OFFICIAL = {"max_bin": 1487, "return_time_signals": True}
LOSS = (4096, 4096, 1024, 1, 2, True, True, 10.0)
RATE = 44100


def make_step(model: torch.nn.Module, loss: Callable, sources: torch.Tensor) -> Work:
    """A function that trains the model by one step and returns the loss."""
    optimizer = torch.optim.Adam(model.parameters())
    mixture = sources.sum(1)

    def step() -> float:
        optimizer.zero_grad()
        value = loss(model(mixture), sources)
        value.backward()
        optimizer.step()
        return value.item()

    return step


def peer_loss(checkout: Path) -> Callable:
    """The recipe's loss, with the same arguments as ours."""
    recipe = asteroid_loss(checkout)

    def loss(estimates, sources):
        spectrograms, time_signals = estimates
        return recipe(Inputs(spectrograms, time_signals, sources, None), True)

    return loss


def run(options: argparse.Namespace) -> List[Dict[str, Any]]:
    """One row per size of a batch."""
    rows = []
    for batch in options.batch:
        torch.manual_seed(0)
        sources = 0.1 * torch.randn(batch, len(SOURCES), 2, int(options.seconds * RATE))
        ours = XUMX(SOURCES, hidden_size=options.hidden, **OFFICIAL)
        peer = asteroid_xumx(options.asteroid)(SOURCES, hidden_size=options.hidden, **OFFICIAL)
        peer.load_state_dict(ours.state_dict())
        mine = make_step(ours, MultiDomainLoss(*LOSS), sources)
        theirs = make_step(peer, peer_loss(options.asteroid), sources)
        times = compare(mine, theirs, options.repeats)
        per_second = batch / times["ours_seconds"]["median"]
        rows.append({"batch": batch, "segments/s": per_second, **times})
        show(rows[-1])
    return rows


def main() -> None:
    """Read the options, print a row per size of a batch, write them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asteroid", type=Path, required=True, help="checkout of asteroid")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--seconds", type=float, default=6.0, help="of a segment")
    parser.add_argument("--hidden", type=int, default=512, help="size of the networks")
    add_arguments(parser)
    parser.set_defaults(repeats=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    save(run(options), options.json)


if __name__ == "__main__":
    main()
