"""Separation of a song: our separator beside asteroid's recipe and openunmix, and its memory.

Speed: the same song through networks of the official size (STFT 4096 / 1024, hidden size 512,
four sources, random weights) with one iteration of the Wiener filter. asteroid's peer is
`separate` of the recipe's eval.py in a checkout given by --asteroid, openunmix's is
`openunmix.predict.separate`. Memory: the most that a process holds while it separates a stereo
stream of --minutes, network included; it does not depend on the minutes.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Dict, List

import torch

from asteroid_xscheme.models import XUMX
from asteroid_xscheme.separator import Separator, Song

from .pairing import add_arguments, compare, save, show
from .peers import asteroid_separate, asteroid_xumx, import_openunmix, openunmix_separator

SOURCES, RATE, MAX_BIN = ["bass", "drums", "vocals", "other"], 44100, 1487


def speed(checkout: Path, seconds: float, repeats: int) -> List[Dict[str, Any]]:
    """One row per peer."""
    torch.manual_seed(0)
    song = 0.1 * torch.randn(2, round(seconds * RATE))
    separator = Separator(XUMX(SOURCES, max_bin=MAX_BIN).eval(), "cpu")
    openunmix = import_openunmix()
    umx = openunmix_separator(openunmix, SOURCES, MAX_BIN)
    xumx = asteroid_xumx(checkout)(SOURCES, max_bin=MAX_BIN).eval()
    separate = asteroid_separate(checkout)
    peers = {
        "asteroid": lambda: separate(song.T.numpy(), xumx, SOURCES),
        "openunmix": lambda: openunmix.predict.separate(song[None], RATE, separator=umx),
    }
    rows = []
    for peer, work in peers.items():
        result = compare(lambda: separator.separate(song), work, repeats)
        rows.append({"peer": peer, "seconds": seconds, **result})
        show(rows[-1])
    return rows


def memory(minutes: float, threads: int) -> Dict[str, Any]:
    """A row with the peak of a fresh process that separates a stream."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        peak = pool.submit(_separate_stream, minutes, threads).result()
    return {"minutes": minutes, "peak_gigabytes": peak / 1e9}


def _separate_stream(minutes: float, threads: int) -> int:
    torch.set_num_threads(threads)
    n_blocks = round(minutes * 12)
    block = 0.1 * torch.randn(2, 5 * RATE)
    song = Song("stream", RATE, 2, n_blocks * 5 * RATE, lambda: (block for _ in range(n_blocks)))
    for _ in Separator(XUMX(SOURCES, max_bin=MAX_BIN), "cpu").stream(song):
        pass
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(status["VmHWM"].split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asteroid", type=Path, required=True, help="checkout of asteroid")
    parser.add_argument("--seconds", type=float, default=180.0, help="of the song")
    parser.add_argument("--minutes", type=float, default=60.0, help="of the stream")
    add_arguments(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = speed(options.asteroid, options.seconds, options.repeats)
    rows.append(memory(options.minutes, options.threads))
    show(rows[-1])
    save(rows, options.json)


if __name__ == "__main__":
    main()
