"""Separating a song: our separator against asteroid's recipe and openunmix; time and memory.

Each separation runs in its own process: a song of noise goes through networks of the official size
(STFT 4096 / 1024, hidden size 512, four sources, random weights) and one iteration of the Wiener
filter. Ours reads and returns blocks, as `xscheme separate` does with files. The peers are
`separate` in the recipe's eval.py, from a checkout given by --asteroid, and
`openunmix.predict.separate`; both take a whole song and return whole sources, as their programs do.
The first rows separate songs of --song minutes, ours and the peers' alternately; the rows below
show how time and memory grow with the length. Memory is the peak of the whole process, including
Python and the network.

The peer "products" is the limit: the matrix products of the networks alone, for the frames of the
song without the overlap of chunks, by `torch.mm` into tensors that exist. Per batch of frames that
is one product for the encoders; 24 for the inputs of the recurrent layers (4 sources, 3 layers, 2
directions) and 24 for their states, as if no frame waited for the one before; and two for each
decoder. Its ratio is below 1: the share of our time that the products need.
"""

import argparse
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple

import torch

from asteroid_xscheme.models import XUMX
from asteroid_xscheme.separation import Separator, Song

from .pairing import Alone, Work, add_arguments, ratios, run_alone, save, show
from .peers import asteroid_separate, asteroid_xumx, import_openunmix, openunmix_separator

SOURCES, RATE, MAX_BIN = ["bass", "drums", "vocals", "other"], 44100, 1487
PEERS = ("asteroid", "openunmix", "products")
HOP, LAYERS, DIRECTIONS, BINS, CHANNELS = 1024, 3, 2, 2049, 2
_FRAMES = 2584  # of one batch of products
_BLOCK_SECONDS, _WARM_UP_SECONDS = 5, 5.0
Separate = Callable[[float], Any]  # separates so many seconds


class Case(NamedTuple):
    """One separation: by which program, of how many seconds, with which network."""

    program: str
    seconds: float
    checkout: Path
    hidden_size: int


def prepare(case: Case) -> Work:
    """The work of separating a song with a network that is loaded and warmed up."""
    torch.manual_seed(0)
    programs = {
        "ours": _ours,
        "asteroid": _asteroids,
        "openunmix": _openunmixs,
        "products": _products,
    }
    make = programs[case.program]
    separate = make(case)
    separate(min(_WARM_UP_SECONDS, case.seconds))
    return lambda: separate(case.seconds)


def noise_song(seconds: float) -> Song:
    """A stereo song of noise, made by repeating one block."""
    n_samples = round(seconds * RATE)
    block = 0.1 * torch.randn(2, _BLOCK_SECONDS * RATE)

    def blocks() -> Iterator[torch.Tensor]:
        for start in range(0, n_samples, block.shape[-1]):
            yield block[:, : n_samples - start]

    return Song("song", RATE, 2, n_samples, blocks)


def drain(separator: Separator, song: Song) -> None:
    """Separate a song and discard the estimates."""
    for _ in separator.stream(song):
        pass


def _ours(case: Case) -> Separate:
    model = XUMX(SOURCES, max_bin=MAX_BIN, hidden_size=case.hidden_size)
    separator = Separator(model.eval(), "cpu")
    return lambda seconds: drain(separator, noise_song(seconds))


def _asteroids(case: Case) -> Separate:
    model = asteroid_xumx(case.checkout)(SOURCES, max_bin=MAX_BIN, hidden_size=case.hidden_size)
    separate = asteroid_separate(case.checkout)
    song = 0.1 * torch.randn(2, round(case.seconds * RATE))
    model.eval()
    return lambda seconds: separate(song[:, : round(seconds * RATE)].T.numpy(), model, SOURCES)


def _openunmixs(case: Case) -> Separate:
    openunmix = import_openunmix()
    separator = openunmix_separator(openunmix, SOURCES, MAX_BIN, case.hidden_size)
    song = 0.1 * torch.randn(1, 2, round(case.seconds * RATE))
    separate = openunmix.predict.separate
    return lambda seconds: separate(song[..., : round(seconds * RATE)], RATE, separator=separator)


def _products(case: Case) -> Separate:
    """The products of the networks, (inputs, outputs) of each and how many there are."""
    hidden, n_sources = case.hidden_size, len(SOURCES)
    n_recurrent, gates = n_sources * LAYERS * DIRECTIONS, 4 * hidden // DIRECTIONS
    shapes = [
        (MAX_BIN * CHANNELS, n_sources * hidden, 1),
        (hidden, gates, n_recurrent),
        (hidden // DIRECTIONS, gates, n_recurrent),
        (2 * hidden, hidden, n_sources),
        (hidden, BINS * CHANNELS, n_sources),
    ]
    sized = [
        (torch.rand(_FRAMES, n_in), torch.rand(n_in, n_out), torch.empty(_FRAMES, n_out), n_times)
        for n_in, n_out, n_times in shapes
    ]

    def multiply(seconds: float) -> None:
        n_frames = round(seconds * RATE / HOP)
        for start in range(0, n_frames, _FRAMES):
            size = min(_FRAMES, n_frames - start)
            for features, weight, product, n_times in sized:
                for _ in range(n_times):
                    torch.mm(features[:size], weight, out=product[:size])

    return multiply


def compare_song(options: argparse.Namespace) -> List[Dict[str, Any]]:
    """One row per peer: processes of our separator and of all peers alternate."""
    programs = ("ours", *options.peers)
    rounds = [
        {program: _run(program, options.song, options) for program in programs}
        for _ in range(options.repeats)
    ]
    rows = []
    for peer in options.peers:
        memory = {
            f"{name}_gigabytes": max(each[program].peak for each in rounds) / 1e9
            for name, program in (("ours", "ours"), ("peer", peer))
        }
        pairs = [(each["ours"], each[peer]) for each in rounds]
        rows.append({"peer": peer, "minutes": options.song, **ratios(pairs), **memory})
        show(rows[-1])
    return rows


def measure_lengths(options: argparse.Namespace) -> List[Dict[str, Any]]:
    """One row per program and length: a single separation."""
    rows = []
    for minutes in options.minutes:
        for program in ("ours", *options.peers) if minutes <= options.peer_minutes else ("ours",):
            cost = _run(program, minutes, options)
            row = {"program": program, "minutes": minutes, "seconds": cost.clock}
            rows.append({**row, "peak_gigabytes": cost.peak / 1e9})
            show(rows[-1])
    return rows


def _run(program: str, minutes: float, options: argparse.Namespace) -> Alone:
    return run_alone(prepare, Case(program, 60 * minutes, options.asteroid, options.hidden))


def main() -> None:
    """Read the options, print a row per comparison and length, write them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asteroid", type=Path, required=True, help="checkout of asteroid")
    parser.add_argument(
        "--song", type=float, default=3.0, help="length in minutes of the song to compare with"
    )
    parser.add_argument(
        "--minutes", type=float, nargs="*", default=[1.0, 10.0, 60.0], help="other lengths"
    )
    parser.add_argument(
        "--peer-minutes", type=float, default=3.0, help="longest song for the peers, in minutes"
    )
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, default=list(PEERS), help="default: all"
    )
    parser.add_argument("--hidden", type=int, default=512, help="size of the networks")
    add_arguments(parser)
    parser.set_defaults(repeats=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = compare_song(options) + measure_lengths(options)
    save(rows, options.json)


if __name__ == "__main__":
    main()
