"""X-D3Net against the plain networks, module by module: inference, and a training step.

Four official vocals networks with random weights and the default bridges; the peer, always in
float32, is the model that Asteroid gets. The first row trains both for one step of Adam on a short
patch; memory is what a step needs on top of weights, gradients and Adam's state. The others
estimate one patch of 256 frames, in float32 and with bfloat16 networks. `fold` merges
normalisations into convolutions, and lets a convolution add to the map that others wrote. Multiply-
accumulates (MAC) are counted from the configuration, for music in patches that overlap by half. The
peak is what a product of two square matrices of that type reaches in the same run.
"""

import argparse
from functools import partial
from typing import Any, Dict, List

import torch

from asteroid_xscheme.models import XD3Net, x_d3net
from asteroid_xscheme.models.d3net_config import OFFICIAL
from asteroid_xscheme.models.d3net_cost import macs_per_second, patch_macs

from .pairing import Work, adam_step, add_arguments, compare, peak_memory, repeat, save, show

SOURCES, N_FFT, HOP, RATE = ["bass", "drums", "vocals", "other"], 4096, 1024, 44100
PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16}
_MATRIX = 2048


def make_model(network: str, ours: bool) -> x_d3net.XD3Net:
    """Our model or the plain one, with the same weights."""
    torch.manual_seed(0)
    return (XD3Net if ours else x_d3net.XD3Net)(SOURCES, network, N_FFT, N_FFT, HOP)


def noise(n_frames: int) -> torch.Tensor:
    """Magnitudes (N, 1, 2, F)."""
    return torch.rand(n_frames, 1, 2, N_FFT // 2 + 1)


@torch.no_grad()
def infer(model: x_d3net.XD3Net, dtype: torch.dtype, magnitudes: torch.Tensor) -> torch.Tensor:
    """Estimates of the model with networks in this precision."""
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        return model.estimate_magnitudes(magnitudes)


def compare_inference(network: str, precision: str, repeats: int) -> Dict[str, Any]:
    """A row: times of a patch, work per second of audio, and share of the machine's peak."""
    folded, plain = make_model(network, True).fold(), make_model(network, False).eval()
    config, dtype = plain.configs[0], PRECISIONS[precision]
    magnitudes = noise(config.patch_frames)
    times = compare(
        partial(infer, folded, dtype, magnitudes),
        partial(infer, plain, torch.float32, magnitudes),
        repeats,
    )
    macs = len(SOURCES) * patch_macs(config, config.patch_frames)
    reached, peak = 2 * macs / times["ours_seconds"]["median"], peak_flops(dtype, repeats)
    return {
        "inference": precision,
        "network": network,
        "frames": config.patch_frames,
        **times,
        "gmac_per_second_of_audio": macs_per_second(plain.configs, HOP, RATE) / 1e9,
        "gflop_per_second": reached / 1e9,
        "peak_gflop_per_second": peak / 1e9,
        "share_of_peak": reached / peak,
    }


def peak_flops(dtype: torch.dtype, repeats: int) -> float:
    """Floating-point operations per second of a product of two matrices that fit the cache."""
    one, other = torch.rand(2, _MATRIX, _MATRIX).to(dtype)
    return 2 * _MATRIX**3 / repeat(lambda: one @ other, repeats)["median"]


def make_step(network: str, n_frames: int, ours: bool) -> Work:
    """The work of training our model or the plain one for a step."""
    model, magnitudes = make_model(network, ours).train(), noise(n_frames)
    return adam_step(model, lambda: model.estimate_magnitudes(magnitudes).square().mean())


def compare_training(network: str, n_frames: int, repeats: int) -> Dict[str, Any]:
    """A row: time and memory of a training step."""
    memory = {
        f"{name}_mb": peak_memory(make_step, network, n_frames, ours) / 2**20
        for name, ours in (("ours", True), ("peer", False))
    }
    steps = (make_step(network, n_frames, ours) for ours in (True, False))
    times = compare(*steps, repeats)
    return {"training": "float32", "network": network, "frames": n_frames, **times, **memory}


def run(options: argparse.Namespace) -> List[Dict[str, Any]]:
    """A row for each precision of inference, and one for training, printed as they come."""
    rows = []
    if options.step_frames:  # first: a child's peak is never below what this process has by then
        rows.append(compare_training(options.network, options.step_frames, options.repeats))
        show(rows[-1])
    for precision in options.precisions:
        rows.append(compare_inference(options.network, precision, options.repeats))
        show(rows[-1])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=[*OFFICIAL, "small"], default="vocals")
    parser.add_argument("--precisions", nargs="*", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument(
        "--step-frames", type=int, default=64, help="of a training step; 0 for none"
    )
    add_arguments(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    save(run(options), options.json)


if __name__ == "__main__":
    main()
