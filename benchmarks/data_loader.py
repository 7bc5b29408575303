"""Training segments per second: our dataset against asteroid's, on the same files.

Each row loads the segments of one epoch in batches: 6 s of four stereo sources, with random track
mix, gain and channel swap, from 16-bit files like those of MUSDB18-HQ. The peer is `MUSDB18Dataset`
from an asteroid checkout given by --asteroid, with the augmentations of its X-UMX recipe. Its
workers are processes, ours are threads. The limit is the disk's, or that of the system's file cache
as here: reading the bytes of a segment and nothing else.
"""

import argparse
import importlib.util
import random
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterable, List, Tuple

import numpy as np
import soundfile
import torch
from torch.utils.data import DataLoader

from asteroid_xscheme.recipes.data import SegmentDataset, find_tracks
from asteroid_xscheme.recipes.data.loader import BatchLoader
from asteroid_xscheme.recipes.data.module import ExampleSampler

from .pairing import Work, add_arguments, compare, repeat, save, show

SOURCES, RATE, SECONDS = ["bass", "drums", "vocals", "other"], 44100, 6.0
PEER_FILE = "asteroid/data/musdb18_dataset.py"
BATCH = 4


def write_tracks(root: Path, n_tracks: int, seconds: float) -> None:
    """Tracks of noise in the layout of MUSDB18-HQ."""
    generator = np.random.default_rng(0)
    for k in range(n_tracks):
        folder = root / "train" / f"track {k}"
        folder.mkdir(parents=True)
        for source in SOURCES:
            noise = generator.normal(0, 0.05, (int(seconds * RATE), 2)).astype(np.float32)
            soundfile.write(str(folder / f"{source}.wav"), noise, RATE, "PCM_16")


def load_peer(checkout: Path) -> type:
    """asteroid's class, from its file alone."""
    spec = importlib.util.spec_from_file_location("musdb18_dataset", checkout / PEER_FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MUSDB18Dataset


def augment_as_peer(audio: torch.Tensor) -> torch.Tensor:
    """Gain and channel swap, drawn as asteroid's recipe draws them."""
    audio = audio * (0.25 + torch.rand(1))
    return torch.flip(audio, [0]) if random.random() < 0.5 else audio


def drain(loader: Iterable[Tuple[torch.Tensor, torch.Tensor]]) -> Work:
    """The work of loading one epoch."""

    def work() -> None:
        for mixture, sources in loader:
            assert mixture.shape[0] == sources.shape[0] == BATCH

    return work


def read_bytes(root: Path, n_segments: int) -> Work:
    """The work of reading the bytes of so many segments, at random places."""
    files = sorted(root.rglob("*.wav"))
    n_bytes = int(SECONDS * RATE) * 4

    def work() -> None:
        for k in range(n_segments * len(SOURCES)):
            with files[k % len(files)].open("rb", buffering=0) as file:
                file.seek(random.randrange(files[0].stat().st_size - n_bytes))
                assert len(file.read(n_bytes)) == n_bytes

    return work


def benchmark(
    peer_class: type, root: Path, samples_per_track: int, repeats: int
) -> List[Dict[str, Any]]:
    """One row for each number of workers and each kind of reading."""
    peer = peer_class(
        root,
        SOURCES,
        targets=SOURCES,
        segment=SECONDS,
        samples_per_track=samples_per_track,
        random_segments=True,
        random_track_mix=True,
        source_augmentations=augment_as_peer,
    )
    tracks = find_tracks(root, "train", SOURCES, RATE)
    rows = []
    for num_workers, cache in [(0, "none"), (0, "memory"), (2, "none")]:
        ours = SegmentDataset(tracks, SOURCES, int(SECONDS * RATE), samples_per_track, cache=cache)
        sampler = ExampleSampler(len(ours), BATCH, seed=0, rank=0, world_size=1)
        peer_loader = DataLoader(
            peer, BATCH, True, num_workers=num_workers, persistent_workers=num_workers > 0
        )
        times = compare(drain(BatchLoader(ours, sampler, num_workers)), drain(peer_loader), repeats)
        n_segments = len(sampler) * BATCH
        limit = repeat(read_bytes(root, n_segments), repeats)["median"]
        cost = {
            "segments/s": n_segments / times["ours_seconds"]["median"],
            "segment_ms": 1e3 * times["ours_seconds"]["median"] / n_segments,
            "bytes_alone_ms": 1e3 * limit / n_segments,
        }
        rows.append({"workers": num_workers, "cache": cache, **cost, **times})
        show(rows[-1])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asteroid", type=Path, required=True, help="checkout of asteroid")
    parser.add_argument("--tracks", type=int, default=8, help="tracks to write")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each")
    parser.add_argument("--samples_per_track", type=int, default=4, help="segments of each")
    add_arguments(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        write_tracks(Path(folder), options.tracks, options.seconds)
        rows = benchmark(
            load_peer(options.asteroid), Path(folder), options.samples_per_track, options.repeats
        )
    save(rows, options.json)


if __name__ == "__main__":
    main()
