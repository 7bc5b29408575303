"""One of two processes that train as one, under DDP: its gradients, in files.

Usage: python -m tests.gpu.one_rank cpu|cuda FOLDER RANK
"""

import sys
from pathlib import Path

import torch
from torch.nn.parallel import DistributedDataParallel

from asteroid_xscheme.losses import MultiDomainLoss

from ..models.conftest import small_x_conv_tasnet, small_x_scheme, small_x_scheme_of_magnitudes
from .work import LOSS, N_SAMPLES, build_model, noise

N_RANKS = 2
MODELS = {
    "conv_tasnet": small_x_conv_tasnet,
    "waveforms": small_x_scheme,
    "magnitudes": small_x_scheme_of_magnitudes,
}


def gradients(build, device, rank=None):
    """Those of one step, by name: of the whole batch, or of a process's share and synchronised."""
    model = build_model(build, device)
    model.return_time_signals = True
    sources = noise(2 * N_RANKS, 3, 2, N_SAMPLES).to(device)
    called = model
    if rank is not None:
        sources = sources.chunk(N_RANKS)[rank]
        called = DistributedDataParallel(model)
    loss = MultiDomainLoss(**LOSS, loss_combine_sources=True, loss_use_multidomain=True)
    loss.to(device)(called(sources.sum(1)), sources).backward()
    return {name: p.grad.cpu() for name, p in model.named_parameters() if p.grad is not None}


def main(kind: str, folder: Path, rank: int) -> None:
    """Meet the other process through a file and leave the gradients of every model."""
    device = f"cuda:{rank}" if kind == "cuda" else "cpu"
    torch.backends.cudnn.allow_tf32 = False
    torch.distributed.init_process_group(
        "nccl" if kind == "cuda" else "gloo",
        init_method=f"file://{folder / 'rendezvous'}",
        rank=rank,
        world_size=N_RANKS,
    )
    try:
        for name, build in MODELS.items():
            torch.save(gradients(build, device, rank), folder / f"{name}_{rank}.pt")
    finally:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
