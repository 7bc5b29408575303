"""Loading the weights of X-UMX at its official size: safely, and with an unguarded torch.load.

The file (142 MB) is in asteroid's format and in the machine's file cache. The first row ends with
the package in memory: `load_package`, which executes nothing in the file and checks its contents,
against `torch.load(weights_only=False)`, which runs whatever the file asks for, as asteroid did
before torch 2.6. The second ends with a model: `XUMX.from_pretrained` against torch.load,
asteroid's class from a checkout given by --asteroid, and load_state_dict. The third loads the same
weights from a safetensors file, against torch.load; that file is only mapped, and is read when the
weights are first used. Memory is measured for one load in its own process.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import torch

from asteroid_xscheme import XUMX, load_package, save_package

from .pairing import Work, add_arguments, compare, peak_memory, save, show
from .peers import asteroid_xumx

SOURCES, MAX_BIN = ["bass", "drums", "vocals", "other"], 1487
LOAD, MODEL, SAFETENSORS = "load_package", "XUMX.from_pretrained", "load_package of safetensors"
TORCH_LOAD = "torch.load(weights_only=False)"


def write_files(folder: Path, hidden_size: int) -> Dict[str, Path]:
    """Write the same weights in Asteroid's format and as safetensors."""
    torch.manual_seed(0)
    package = XUMX(SOURCES, max_bin=MAX_BIN, hidden_size=hidden_size).serialize()
    names = {"torch": "x_umx.pth", "safetensors": "x_umx.safetensors"}
    return {kind: save_package(package, folder / name) for kind, name in names.items()}


def unguarded(path: Path) -> Dict[str, Any]:
    """Load a package by executing whatever code the file contains, as torch.load once did."""
    return torch.load(path, map_location="cpu", weights_only=False)


def prepare(name: str, files: Dict[str, Path], checkout: Optional[Path]) -> Work:
    """The work of loading a file in one of the ways that the rows compare."""
    works: Dict[str, Callable[[], Any]] = {
        LOAD: lambda: load_package(files["torch"]),
        SAFETENSORS: lambda: load_package(files["safetensors"]),
        MODEL: lambda: XUMX.from_pretrained(files["torch"]),
        TORCH_LOAD: lambda: unguarded(files["torch"]),
    }
    if name in works:
        return works[name]
    peer = asteroid_xumx(checkout)

    def model() -> torch.nn.Module:
        package = unguarded(files["torch"])
        network = peer(**package["model_args"])
        network.load_state_dict(package["state_dict"])
        return network

    return model


def benchmark(
    files: Dict[str, Path], checkout: Optional[Path], repeats: int
) -> List[Dict[str, Any]]:
    """One row per way to read."""
    pairs = [(LOAD, TORCH_LOAD), (SAFETENSORS, TORCH_LOAD)]
    if checkout is not None:
        pairs.insert(1, (MODEL, "torch.load and asteroid's XUMX"))
    rows = []
    for ours, peer in pairs:
        works = [prepare(name, files, checkout) for name in (ours, peer)]
        row = {"reading": ours, "peer": peer, **compare(*works, repeats)}
        for side, name in (("ours_mb", ours), ("peer_mb", peer)):
            row[side] = peak_memory(prepare, name, files, checkout) / 2**20
        rows.append(row)
        show(row)
    return rows


def main() -> None:
    """Read the options, print a row per way to read, write them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asteroid", type=Path, help="checkout of asteroid to compare with")
    parser.add_argument("--hidden", type=int, default=512, help="size of the networks")
    add_arguments(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        files = write_files(Path(folder), options.hidden)
        rows = benchmark(files, options.asteroid, options.repeats)
    save(rows, options.json)


if __name__ == "__main__":
    main()
