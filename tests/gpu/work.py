"""Every computation that users put on a GPU, small: models, losses, filters, separators.

A piece of work is a function: device -> function without arguments -> dictionary of tensors. Its
inputs and weights are made on the CPU and moved, so that they are the same on every device. New
models join by `SMALL_MODELS` of the tests of models.
"""

from contextlib import nullcontext
from copy import deepcopy
from functools import partial

import torch

from asteroid_xscheme.dsp.wiener import wiener, wiener_one_pass
from asteroid_xscheme.losses import (
    CombinationLoss,
    MultiDomainLoss,
    WaveformL1Loss,
    combination_mse,
    combination_wsdr,
    weighted_sdr,
)
from asteroid_xscheme.recipes.baselines import StaticFilter, ratio_mask_oracle
from asteroid_xscheme.separation import Separator

from ..models.conftest import SMALL_MODELS

N_SAMPLES, HOP, N_FFT = 1000, 16, 64
SOURCES = ["bass", "drums", "vocals"]
LOSS = dict(window_length=N_FFT, in_chan=N_FFT, n_hop=HOP, spec_power=1, nb_channels=2, mix_coef=10)


def noise(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def cast(device, dtype):
    """Autocast to a type; with None, nothing."""
    return nullcontext() if dtype is None else torch.autocast(torch.device(device).type, dtype)


def build_model(build, device):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build().to(device)


def run_model(build, device, autocast=None):
    """Both outputs and the waveforms, of the model and of the folded one."""
    model, wav = build_model(build, device).eval(), noise(2, 2, N_SAMPLES).to(device)
    model.return_time_signals = True

    def run():
        with torch.no_grad(), cast(device, autocast):
            spectrograms, signals = model(wav)
            folded = model.fold().forward_wav(wav)
            plain = model.forward_wav(wav)
        return dict(spectrograms=spectrograms, signals=signals, plain=plain, folded=folded)

    return run


def train_model(build, device, autocast=None):
    """Loss, gradients and statistics of one training step with both losses."""
    model = build_model(build, device)
    model.return_time_signals = True
    sources = noise(2, 3, 2, N_SAMPLES).to(device)
    options = dict(loss_combine_sources=True, loss_use_multidomain=True)
    loss = MultiDomainLoss(**LOSS, **options).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def run():
        torch.manual_seed(0)  # of dropout
        model.train().zero_grad()
        with cast(device, autocast):
            value = loss(model(sources.sum(1)), sources)
        value.backward()
        named = model.named_parameters()
        gradients = {f"{n}.grad": p.grad.clone() for n, p in named if p.grad is not None}
        optimizer.step()
        return {"loss": value.detach(), **gradients, **dict(model.named_buffers())}

    return run


def run_loss(loss, device, dtype=torch.float32):
    """A loss of (estimates (B, J, C, T), references) and its gradient."""
    references = noise(2, 3, 2, N_SAMPLES).to(device)
    estimates = (references + noise(2, 3, 2, N_SAMPLES, seed=1).to(device)).to(dtype)

    def run():
        wanted = estimates.detach().requires_grad_()
        value = loss(wanted, references)
        return dict(value=value.detach(), gradient=torch.autograd.grad(value.sum(), wanted)[0])

    return run


def weighted(estimates, references):
    return weighted_sdr(estimates, references, references.sum(1, keepdim=True).expand_as(estimates))


def run_multi_domain(loss, device):
    """A loss of a model's two outputs, and its gradients."""
    references, loss = noise(2, 3, 2, N_SAMPLES).to(device), deepcopy(loss).to(device)
    magnitudes = noise(3, 1 + N_SAMPLES // HOP, 2, 2, N_FFT // 2 + 1, seed=1).abs().to(device)
    signals = noise(3, 2, 2, N_SAMPLES - 9, seed=2).to(device)

    def run():
        wanted = [x.detach().requires_grad_() for x in (magnitudes, signals)]
        value = loss(wanted, references, references.sum(1))
        gradients = torch.autograd.grad(value, wanted, allow_unused=True)
        named = {f"gradient {k}": g for k, g in enumerate(gradients) if g is not None}
        return dict(value=value.detach(), **named)

    return run


def run_wiener(device, n_channels=2, **options):
    mixture = noise(n_channels, 33, 20, dtype=torch.complex64).to(device)
    estimates = noise(3, n_channels, 33, 20, seed=1).abs().to(device)
    return lambda: dict(estimates=wiener(estimates, mixture, **options))


def run_one_pass(device, n_channels=2):
    mixture = noise(n_channels, 33, 20, dtype=torch.complex64).to(device)
    estimates = noise(3, n_channels, 33, 20, seed=1, dtype=torch.complex64).to(device)
    return lambda: dict(estimates=wiener_one_pass(estimates, mixture))


def run_baselines(device):
    sources = noise(3, 2, N_SAMPLES).to(device)
    fitted = StaticFilter(N_FFT, HOP).fit([(sources.sum(0), sources)])

    def run():
        oracle = ratio_mask_oracle(sources.sum(0), sources, n_fft=N_FFT, hop=HOP)
        return dict(oracle=oracle, static=fitted.apply(sources.sum(0)))

    return run


def run_separator(build, device, **options):
    """A song of another rate and three channels, in chunks."""
    model, song = build_model(build, device).eval(), noise(3, N_SAMPLES)
    chunks = {} if options.pop("whole", False) else dict(chunk_seconds=0.03)

    def run():
        separator = Separator(model, device, **chunks, **options)
        return separator.separate(song.clone(), 11025)

    return run


LOSSES = {
    "combination_mse": combination_mse,
    "combination_wsdr": combination_wsdr,
    "weighted_sdr": weighted,
    "combined l1": CombinationLoss(torch.nn.functional.l1_loss),
    "some sums": partial(combination_wsdr, sizes=(1, 3)),
}
OF_OUTPUTS = {
    "both domains": MultiDomainLoss(**LOSS, loss_combine_sources=True, loss_use_multidomain=True),
    "magnitudes": MultiDomainLoss(**LOSS, loss_combine_sources=False, loss_use_multidomain=False),
    "waveforms": WaveformL1Loss(2, loss_combine_sources=True),
}
SEPARATIONS = {
    "chunks": dict(wiener_iterations=0),
    "wiener": dict(wiener_iterations=1),
    "one pass": dict(wiener="one_pass"),
    "own chunks": dict(whole=True, wiener_iterations=0, flip_channels=True),
    "shifts": dict(wiener_iterations=0, shifts=2, normalize=True),
}

MODELS = {f"model {b.__name__}": partial(run_model, b) for b in SMALL_MODELS}
STEPS = {f"step of {b.__name__}": partial(train_model, b) for b in SMALL_MODELS}
LOSS_WORKS = {f"loss {name}": partial(run_loss, loss) for name, loss in LOSSES.items()}
LOSS_WORKS.update(
    (f"loss of {n}", partial(run_multi_domain, loss)) for n, loss in OF_OUTPUTS.items()
)
FILTERS = {
    "wiener": run_wiener,
    "wiener of three channels": partial(run_wiener, n_channels=3),
    "wiener twice": partial(run_wiener, iterations=2, lossless=True),
    "wiener mask": partial(run_wiener, iterations=0, softmask=True),
    "one pass": run_one_pass,
    "one pass of three channels": partial(run_one_pass, n_channels=3),
}
BASELINES = {"baselines": run_baselines}
SEPARATORS = {
    f"separator {b.__name__} {name}": partial(run_separator, b, **options)
    for b in SMALL_MODELS
    for name, options in SEPARATIONS.items()
}
EVERYTHING = {**MODELS, **STEPS, **LOSS_WORKS, **FILTERS, **BASELINES, **SEPARATORS}
