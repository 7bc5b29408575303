"""X-Conv-TasNet's training step against asteroid's ConvTasNet of the same size, once per source.

A step is forward, backward and Adam on one batch of noise. Each row compares our J networks with J
steps of asteroid's network for one mono source, in the variant without skip connections, which both
have; the ratio says how many times faster ours is. Memory is what a step needs on top of weights,
gradients and Adam's state. The benchmark also measures what one batched product would gain.

Without checkpointing the official size needs 12 GB; `--samples 8000` fits on any machine.
"""

import argparse
from typing import Any, Dict, List

import torch
import torch.nn.functional as F
from asteroid.models import ConvTasNet

from asteroid_xscheme.models import XConvTasNet

from .pairing import Work, adam_step, add_arguments, compare, peak_memory, save, show

OFFICIAL = {
    "n_filters": 256,
    "kernel_size": 20,
    "stride": 10,
    "bn_chan": 256,
    "hid_chan": 512,
    "n_blocks": 10,
    "n_repeats": 4,
}
DEMO = {
    "n_filters": 128,
    "kernel_size": 80,
    "stride": 40,
    "bn_chan": 64,
    "hid_chan": 128,
    "n_blocks": 7,
    "n_repeats": 2,
}
SIZES = {"official": OFFICIAL, "demo": DEMO}
RATE = 44100


def make_step(kind: str, size: str, n_sources: int, batch: int, n_samples: int) -> Work:
    """The work of training for a step, see `adam_step`.

    Args:
        kind: "bridged", "separate" or "checkpointing" for ours, "asteroid" for one source.
        size, n_sources, batch, n_samples: Of the networks and of their input.
    """
    torch.manual_seed(0)
    if kind == "asteroid":
        model = ConvTasNet(1, skip_chan=0, mask_act="relu", sample_rate=RATE, **SIZES[size])
        mixture = torch.randn(batch, 1, n_samples)
    else:
        model = XConvTasNet(
            [f"source {j}" for j in range(n_sources)],
            return_spectrograms=False,
            checkpointing=kind == "checkpointing",
            bridge=kind != "separate",
            **SIZES[size],
        )
        mixture = torch.randn(batch, 2, n_samples)

    def loss() -> torch.Tensor:
        output = model(mixture)
        estimates = output if kind == "asteroid" else output[1]
        return estimates.abs().mean()

    return adam_step(model, loss)


def compare_step(options: argparse.Namespace, kind: str) -> Dict[str, Any]:
    """One row: our step compared with one step of Asteroid's network per source."""
    sizes = (options.size, options.sources, options.batch, options.samples)
    step, peer = make_step(kind, *sizes), make_step("asteroid", *sizes)

    def peer_per_source() -> None:
        for _ in range(options.sources):
            peer()

    return {"step": kind, **compare(step, peer_per_source, options.repeats)}


def compare_memory(options: argparse.Namespace) -> Dict[str, Any]:
    """One row: what a step of ours of each kind adds to memory, and asteroid's of one source."""
    sizes = (options.size, options.sources, options.batch, options.samples)
    kinds = (*options.kinds, "asteroid")
    return {f"{kind}_mb": peak_memory(make_step, kind, *sizes) / 2**20 for kind in kinds}


def compare_batched(options: argparse.Namespace, shared: bool) -> Dict[str, Any]:
    """One row: the first convolutions of J blocks as one product, compared with J products."""
    size, n_sources = SIZES[options.size], options.sources
    n_frames = options.samples // size["stride"]
    weights = [torch.randn(size["hid_chan"], size["bn_chan"], 1) for _ in range(n_sources)]
    features = [torch.randn(options.batch, size["bn_chan"], n_frames) for _ in range(n_sources)]
    features = features[:1] * n_sources if shared else features
    gradients = [torch.randn(options.batch, size["hid_chan"], n_frames)] * n_sources
    leaves = [tensor.requires_grad_() for tensor in (*weights, *features)]

    def one_by_one() -> None:
        outputs = [F.conv1d(x, weight) for x, weight in zip(features, weights)]
        torch.autograd.grad(outputs, leaves, gradients)

    def batched() -> None:
        stacked = features[0] if shared else torch.cat(features, dim=1)
        groups = 1 if shared else n_sources
        output = F.conv1d(stacked, torch.cat(weights), groups=groups)
        outputs = [part.contiguous() for part in output.chunk(n_sources, dim=1)]
        torch.autograd.grad(outputs, leaves, gradients)

    name = "one product of a shared input" if shared else "one grouped product"
    return {"step": name, **compare(batched, one_by_one, options.repeats)}


def gmac_per_second(size: str, n_sources: int) -> Dict[str, Any]:
    """One row: multiply-accumulates and parameters of our networks and of the joint one."""
    sources = [f"source {j}" for j in range(n_sources)]
    with torch.device("meta"):
        ours, joint = (XConvTasNet(sources, joint=joint, **SIZES[size]) for joint in (False, True))
    return {
        "size": size,
        "gmac_per_second": ours.macs_per_second() / 1e9,
        "joint_gmac_per_second": joint.macs_per_second() / 1e9,
        "parameters": sum(parameter.numel() for parameter in ours.parameters()),
        "joint_parameters": sum(parameter.numel() for parameter in joint.parameters()),
    }


def run(options: argparse.Namespace) -> List[Dict[str, Any]]:
    """All rows that the options ask for, printed as they come."""
    rows = [gmac_per_second(options.size, options.sources)]
    show(rows[0])
    if options.memory:  # first: a child's peak is never below what this process has by then
        rows.append(compare_memory(options))
        show(rows[-1])
    for kind in options.kinds:
        rows.append(compare_step(options, kind))
        show(rows[-1])
    for shared in (True, False) if options.batched else ():
        rows.append(compare_batched(options, shared))
        show(rows[-1])
    return rows


def main() -> None:
    """Read the options, print a row per comparison, write them all."""
    kinds = ["bridged", "separate", "checkpointing"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="official")
    parser.add_argument("--sources", type=int, default=4)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--samples", type=int, default=80000, help="length of a segment in samples")
    parser.add_argument("--kinds", nargs="*", choices=kinds, default=["bridged", "checkpointing"])
    parser.add_argument("--batched", action="store_true", help="measure batched products as well")
    parser.add_argument("--memory", action="store_true", help="measure the peak memory as well")
    add_arguments(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    save([], options.json)  # fails now rather than after the work where it cannot be written
    rows = run(options)
    save(rows, options.json)


if __name__ == "__main__":
    main()
