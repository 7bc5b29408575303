"""Our Wiener filter against norbert's, and against openunmix's port of it to torch.

Each row filters the spectrogram (STFT 4096 / 1024) of a stereo song into four sources with one EM
iteration: the whole song at once as in norbert, or in openunmix's windows of 300 frames.
"""

import argparse
from typing import Any, Dict, List

import numpy as np
import torch

from asteroid_xscheme.dsp.wiener import wiener

from .pairing import add_arguments, compare, save, show
from .peers import import_norbert, import_openunmix

BINS, FRAMES_PER_SECOND, SOURCES, CHANNELS, WINDOW = 2049, 44100 / 1024, 4, 2, 300


def benchmark(seconds: float, repeats: int) -> List[Dict[str, Any]]:
    """One row per peer."""
    norbert, filtering = import_norbert(), import_openunmix().filtering
    n_frames = round(seconds * FRAMES_PER_SECOND)
    generator = torch.Generator().manual_seed(0)
    shape = (CHANNELS, n_frames, BINS)
    mixture = 10 * torch.randn(shape, dtype=torch.complex64, generator=generator).transpose(1, 2)
    estimates = 10 * torch.rand((SOURCES, *shape), generator=generator).transpose(2, 3)

    def norberts():
        x = mixture.permute(2, 1, 0).numpy().astype(np.complex128)
        return norbert.wiener(estimates.permute(3, 2, 1, 0).numpy(), x, 1, use_softmask=False)

    def openunmixs():
        x = torch.view_as_real(mixture.permute(2, 1, 0))
        v = estimates.permute(3, 2, 1, 0)
        return [
            filtering.wiener(v[start : start + WINDOW], x[start : start + WINDOW], 1)
            for start in range(0, n_frames, WINDOW)
        ]

    works = {
        "norbert": (lambda: wiener(estimates, mixture), norberts),
        "openunmix": (lambda: wiener(estimates, mixture, window=WINDOW), openunmixs),
    }
    rows = []
    for peer, pair in works.items():
        rows.append({"peer": peer, "seconds": seconds, **compare(*pair, repeats)})
        show(rows[-1])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of the song")
    add_arguments(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with torch.no_grad():
        rows = benchmark(options.seconds, options.repeats)
    save(rows, options.json)


if __name__ == "__main__":
    main()
