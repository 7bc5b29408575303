"""X-D3Net's inference against the plain networks, module by module, and the machine's peak.

Both estimate one patch of 256 frames with four official vocals networks, with random weights and
the default bridges. `fold` merges normalisations into convolutions and works in tiles. Multiply-
accumulates (MAC) are counted from the configuration, for music in patches that overlap by half. The
peak is what a product of two square matrices reaches in the same run.
"""

import argparse
from typing import Any, Dict, List

import torch

from asteroid_xscheme.models import XD3Net
from asteroid_xscheme.models.d3net_config import OFFICIAL
from asteroid_xscheme.models.d3net_cost import macs_per_second, patch_macs

from .pairing import add_arguments, compare, repeat, save, show

SOURCES, N_FFT, HOP, RATE = ["bass", "drums", "vocals", "other"], 4096, 1024, 44100
_MATRIX = 2048


@torch.no_grad()
def benchmark(network: str, repeats: int) -> List[Dict[str, Any]]:
    """A row: times of a patch, work per second of audio, and share of the machine's peak."""
    torch.manual_seed(0)
    model = XD3Net(SOURCES, network, N_FFT, N_FFT, HOP).eval()
    folded, config = model.fold(), model.configs[0]
    magnitudes = torch.rand(config.patch_frames, 1, 2, N_FFT // 2 + 1)
    times = compare(
        lambda: folded.estimate_magnitudes(magnitudes),
        lambda: model.estimate_magnitudes(magnitudes),
        repeats,
    )
    macs = len(SOURCES) * patch_macs(config, config.patch_frames)
    reached, peak = 2 * macs / times["ours_seconds"]["median"], peak_flops(repeats)
    return [
        {
            "network": network,
            "frames": config.patch_frames,
            **times,
            "gmac_per_second_of_audio": macs_per_second(model.configs, HOP, RATE) / 1e9,
            "gflop_per_second": reached / 1e9,
            "peak_gflop_per_second": peak / 1e9,
            "share_of_peak": reached / peak,
        }
    ]


def peak_flops(repeats: int) -> float:
    """Floating-point operations per second of a product of two matrices that fit the cache."""
    one, other = torch.rand(2, _MATRIX, _MATRIX)
    return 2 * _MATRIX**3 / repeat(lambda: one @ other, repeats)["median"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=[*OFFICIAL, "small"], default="vocals")
    add_arguments(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = benchmark(options.network, options.repeats)
    show(rows[0])
    save(rows, options.json)


if __name__ == "__main__":
    main()
