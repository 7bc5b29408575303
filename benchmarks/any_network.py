"""The cost of BridgedNetworks: what pausing at bridging points adds to a call.

Four networks of X-UMX's official size are called once each on the magnitudes of a training segment,
and then bridged at the paper's two points. Each network is one module with the layers of
Open-Unmix, so that no peer has to be installed. The two run alternately; the result is processor
time, which other programs hardly affect. The first pair is discarded.
"""

import argparse
import statistics
import time
from typing import Any, Dict, List

import torch
from torch import nn

from asteroid_xscheme import BridgedNetworks

from .pairing import add_arguments, save, show

N_BINS, MAX_BIN, HIDDEN, N_CHANNELS, N_SOURCES = 2049, 1487, 512, 2, 4


class Network(nn.Module):
    """An Open-Unmix of the official size without its affine maps: (frames, batch, C * F)."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(N_CHANNELS * MAX_BIN, HIDDEN)
        self.lstm = nn.LSTM(HIDDEN, HIDDEN // 2, 3, bidirectional=True)
        self.decoder = nn.Sequential(
            nn.Linear(2 * HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, N_CHANNELS * N_BINS)
        )

    def forward(self, magnitudes: torch.Tensor) -> torch.Tensor:
        """Masks of magnitudes."""
        encoded = torch.tanh(self.encoder(magnitudes))
        return self.decoder(torch.cat([encoded, self.lstm(encoded)[0]], dim=-1)).sigmoid()


def measure(n_frames: int, repeats: int, train: bool) -> Dict[str, Any]:
    """A row: processor seconds of a call of the plain networks and of the bridged, by turns."""
    plain = [Network().train(train) for _ in range(N_SOURCES)]
    bridged = BridgedNetworks([Network() for _ in range(N_SOURCES)], ["lstm", "decoder"])
    bridged.train(train)
    magnitudes = torch.rand(n_frames, 1, N_CHANNELS * MAX_BIN)

    def call(networks):
        with torch.set_grad_enabled(train):
            outputs = networks(magnitudes)
            if train:
                sum(output.sum() for output in outputs).backward()

    pair = {"plain": lambda x: [network(x) for network in plain], "bridged": bridged}
    seconds: Dict[str, List[float]] = {name: [] for name in pair}
    for turn in range(repeats + 1):
        for name, networks in list(pair.items())[:: 1 if turn % 2 else -1]:
            start = time.process_time()
            call(networks)
            seconds[name].append(time.process_time() - start)
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    ratios = [b / a for a, b in zip(seconds["plain"][1:], seconds["bridged"][1:])]
    return {
        "case": "forward and backward" if train else "forward",
        "frames": n_frames,
        "plain_cpu_seconds": medians["plain"],
        "bridged_cpu_seconds": medians["bridged"],
        "overhead_percent": 100 * (statistics.median(ratios) - 1),
    }


def main() -> None:
    """Read the options, print a row per case, write them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=255, help="frames of a segment (6 s)")
    add_arguments(parser)
    parser.set_defaults(threads=1)  # processor time of waiting threads would count too
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    for train in (False, True):
        rows.append(measure(options.frames, options.repeats, train))
        show(rows[-1])
    save(rows, options.json)


if __name__ == "__main__":
    main()
