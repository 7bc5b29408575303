"""Multi-domain and combination loss, forward and backward: one Gram matrix or 2^J - 2 sums.

Each row compares our loss with a peer on the same inputs at official sizes (STFT 4096 / 1024, 44.1
kHz stereo), with and without the STFT of the references. The peers are a plain enumeration of all
sums, written here, and the class in asteroid's recipe, read from a checkout given by --asteroid.
Rows with the peer "ours, 4 sources" show how the cost grows with the number of sources. Memory is
measured for one pass in its own process, without the inputs.
"""

import argparse
import ast
import functools
import itertools
from operator import itemgetter
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional

import torch
from asteroid.losses import singlesrc_mse
from torch import nn
from torch.nn.modules.loss import _Loss

from asteroid_xscheme.losses import MultiDomainLoss, combination_mse, combination_wsdr

from .pairing import Work, add_arguments, compare, peak_memory, save, show

N_FFT, HOP, CHANNELS, RATE, MIX_COEF = 4096, 1024, 2, 44100, 10.0
RECIPE = ("egs/musdb18/X-UMX/train.py", "asteroid/models/x_umx.py")
RECIPE_NAMES = (
    *("_STFT", "_Spectrogram", "MultiDomainLoss"),
    *("freq_domain_loss", "time_domain_loss", "weighted_sdr"),
)


class Inputs(NamedTuple):
    """Inputs of a loss: estimates (J,N,B,C,F), (J,B,C,T); references (B,J,C,T), (J,N,B,C,F)."""

    spectrograms: torch.Tensor
    time_signals: torch.Tensor
    targets: torch.Tensor
    magnitudes: torch.Tensor


def make_inputs(n_sources: int, batch: int, seconds: float) -> Inputs:
    """Make references of noise, and estimates with an error of -6 dB."""
    generator = torch.Generator().manual_seed(0)
    n_samples = int(seconds * RATE)
    targets = torch.randn(batch, n_sources, CHANNELS, n_samples, generator=generator)
    magnitudes = target_magnitudes(targets)
    spectrograms = magnitudes * (0.5 + torch.rand(magnitudes.shape, generator=generator))
    noise = torch.randn(targets.shape, generator=generator)
    time_signals = (targets + 0.5 * noise).transpose(0, 1).contiguous()
    return Inputs(spectrograms.requires_grad_(), time_signals.requires_grad_(), targets, magnitudes)


def target_magnitudes(targets: torch.Tensor) -> torch.Tensor:
    """Magnitudes (J, N, B, C, F) of waveforms (B, J, C, T), computed in the obvious way."""
    window = torch.hann_window(N_FFT)
    flat = targets.reshape(-1, targets.shape[-1])
    spectrograms = torch.stft(flat, N_FFT, HOP, window=window, return_complex=True).abs()
    spectrograms = spectrograms.reshape(*targets.shape[:3], *spectrograms.shape[1:])
    return spectrograms.permute(1, 4, 0, 2, 3).contiguous()


def ours(inputs: Inputs, with_stft: bool) -> torch.Tensor:
    """Our loss, on the waveforms of the references or on their magnitudes."""
    if with_stft:
        loss = MultiDomainLoss(N_FFT, N_FFT, HOP, 1, CHANNELS, True, True, MIX_COEF)
        return loss((inputs.spectrograms, inputs.time_signals), inputs.targets)
    pair = (x.permute(2, 0, 1, 3, 4) for x in (inputs.spectrograms, inputs.magnitudes))
    waveforms = inputs.time_signals.transpose(0, 1), inputs.targets
    return combination_mse(*pair) + MIX_COEF * combination_wsdr(*waveforms)


def enumeration(inputs: Inputs, with_stft: bool) -> torch.Tensor:
    """The same loss by its definition: form and compare every sum of sources."""
    magnitudes = target_magnitudes(inputs.targets) if with_stft else inputs.magnitudes
    references = inputs.targets.transpose(0, 1)
    mixture = references.sum(0)
    n_sources = len(references)
    losses = []
    for size in range(1, max(n_sources, 2)):
        for subset in map(list, itertools.combinations(range(n_sources), size)):
            error = inputs.spectrograms[subset].sum(0) - magnitudes[subset].sum(0)
            source, estimate = references[subset].sum(0), inputs.time_signals[subset].sum(0)
            sdr = _plain_weighted_sdr(source, estimate, mixture)
            losses.append(error.square().mean() + MIX_COEF * sdr.mean())
    return torch.stack(losses).mean()


def _plain_weighted_sdr(source, estimate, mixture):
    noise, noise_estimate = mixture - source, mixture - estimate
    energy, noise_energy = source.square().sum(-1), noise.square().sum(-1)
    weight = energy / (energy + noise_energy + 1e-10)
    match = nn.functional.cosine_similarity(source, estimate, dim=-1)
    noise_match = nn.functional.cosine_similarity(noise, noise_estimate, dim=-1)
    return 1 - weight * match - (1 - weight) * noise_match


class _Known(nn.Module):
    """Replaces the STFT in Asteroid's class when its cost is not to be measured."""

    def __init__(self, magnitudes: torch.Tensor):
        super().__init__()
        self.magnitudes = magnitudes.permute(1, 2, 0, 3, 4).flatten(2, 3)

    def forward(self, targets):
        return [self.magnitudes]


def asteroid_loss(checkout: Path) -> Callable[[Inputs, bool], torch.Tensor]:
    """The loss of Asteroid's recipe; only the definitions that it needs are executed."""
    names: Dict[str, Any] = {"torch": torch, "nn": nn, "itertools": itertools, "_Loss": _Loss}
    names.update(itemgetter=itemgetter, singlesrc_mse=singlesrc_mse)
    names.update(Parameter=nn.Parameter, print=lambda *words: None)
    for script in RECIPE:
        tree = ast.parse((checkout / script).read_text())
        tree.body = [node for node in tree.body if getattr(node, "name", None) in RECIPE_NAMES]
        exec(compile(tree, script, "exec"), names)

    def loss(inputs: Inputs, with_stft: bool) -> torch.Tensor:
        module = names["MultiDomainLoss"](N_FFT, N_FFT, HOP, 1, CHANNELS, True, True, MIX_COEF)
        if not with_stft:
            module.transform = _Known(inputs.magnitudes)
        return module((inputs.spectrograms, inputs.time_signals), inputs.targets)

    return loss


def make_work(
    peer: str, n_sources: int, batch: int, seconds: float, with_stft: bool, asteroid: Optional[Path]
) -> Work:
    """A function that does one forward and backward pass of "ours", "enumeration" or "asteroid"."""
    losses = {"ours": ours, "enumeration": enumeration}
    loss = asteroid_loss(asteroid) if peer == "asteroid" else losses[peer]
    inputs = make_inputs(n_sources, batch, seconds)

    def work() -> torch.Tensor:
        value = loss(inputs, with_stft)
        value.backward()
        inputs.spectrograms.grad = inputs.time_signals.grad = None
        return value.detach()

    return work


@functools.lru_cache(maxsize=None)
def memory(*sizes: Any) -> float:
    """Memory of a pass in MiB; measured once and used in all rows with that pass."""
    return peak_memory(make_work, *sizes) / 2**20


def compare_losses(options: argparse.Namespace, n_sources: int, with_stft: bool, peer: str):
    """One row: our loss compared with a peer, or with ours for 4 sources ("growth")."""
    sizes = (options.batch, options.seconds, with_stft, options.asteroid)
    ours = ("ours", n_sources, *sizes)
    other = ("ours", 4, *sizes) if peer == "growth" else (peer, n_sources, *sizes)
    mine, theirs = make_work(*ours), make_work(*other)
    row = {"sources": n_sources, "stft": with_stft, "peer": peer}
    if peer == "growth":
        row["peer"] = "ours, 4 sources"
    else:
        torch.testing.assert_close(mine(), theirs(), rtol=1e-4, atol=1e-4)
    row.update(compare(mine, theirs, options.repeats))
    if options.memory:
        row.update(ours_mb=memory(*ours), peer_mb=memory(*other))
    return row


def run(options: argparse.Namespace) -> List[Dict[str, Any]]:
    """All rows that the options ask for."""
    peers = ["enumeration"] + (["asteroid"] if options.asteroid else [])
    rows = []
    for n_sources, with_stft in itertools.product(options.sources, (False, True)):
        chosen = peers if n_sources <= options.peer_sources else []
        for peer in chosen + (["growth"] if n_sources > 4 else []):
            rows.append(compare_losses(options, n_sources, with_stft, peer))
            show(rows[-1])
    return rows


def main() -> None:
    """Read the options, print a row per comparison, write them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asteroid", type=Path, help="checkout of asteroid to compare with")
    parser.add_argument("--sources", type=int, nargs="+", default=[2, 3, 4, 6, 8])
    parser.add_argument(
        "--peer-sources", type=int, default=6, help="largest number of sources for the peers"
    )
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--memory", action="store_true", help="measure the peak memory as well")
    add_arguments(parser)
    parser.set_defaults(repeats=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    save([], options.json)  # fails now rather than after the work where it cannot be written
    save(run(options), options.json)


if __name__ == "__main__":
    main()
