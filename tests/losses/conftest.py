"""The losses by their definition, one sum of sources at a time, in float64."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

GOLDEN = Path(__file__).parents[1] / "golden"
EPS = 1e-10


def _subsets(n_sources, combine):
    sizes = range(1, max(n_sources, 2)) if combine else (1,)
    return [list(s) for size in sizes for s in itertools.combinations(range(n_sources), size)]


def _enumerated_mse(estimates, references, combine=True):
    """(B, J, ...), (B, J, ...) -> scalar."""
    losses = [
        (estimates[:, s].sum(1) - references[:, s].sum(1)).square().mean()
        for s in _subsets(references.shape[1], combine)
    ]
    return torch.stack(losses).mean()


def _enumerated_wsdr(estimates, references, mixture=None, combine=True):
    """(B, J, C, T), (B, J, C, T), (B, C, T) -> scalar."""
    mixture = references.sum(1) if mixture is None else mixture
    losses = [
        _plain_wsdr(estimates[:, s].sum(1), references[:, s].sum(1), mixture).mean()
        for s in _subsets(references.shape[1], combine)
    ]
    return torch.stack(losses).mean()


def _plain_wsdr(estimate, source, mixture):
    noise, noise_estimate = mixture - source, mixture - estimate
    energy, noise_energy = source.square().sum(-1), noise.square().sum(-1)
    weight = energy / (energy + noise_energy + EPS)
    match, noise_match = _cosine(source, estimate), _cosine(noise, noise_estimate)
    return 1 - weight * match - (1 - weight) * noise_match


def _cosine(one, other):
    lengths = [(EPS + x.square().sum(-1)).sqrt() for x in (one, other)]
    return (one * other).sum(-1) / (lengths[0] * lengths[1] + EPS)


@pytest.fixture
def enumerated_mse():
    return _enumerated_mse


@pytest.fixture
def enumerated_wsdr():
    return _enumerated_wsdr


@pytest.fixture
def golden():
    """Function: name of a golden file -> its arrays as tensors of float64."""

    def load(name):
        with np.load(GOLDEN / f"{name}.npz") as arrays:
            return {key: torch.from_numpy(arrays[key]).double() for key in arrays}

    return load


@pytest.fixture
def waveforms():
    """Function: (J, C) -> estimates that require a gradient, references, and a noisy mixture."""

    def make(n_sources, n_channels=2, n_batch=2, n_samples=301, dtype=torch.float64):
        generator = torch.Generator().manual_seed(n_sources)
        shape = (n_batch, n_sources, n_channels, n_samples)
        references = torch.randn(shape, generator=generator, dtype=dtype)
        estimates = references + torch.randn(shape, generator=generator, dtype=dtype)
        noise = torch.randn(references[:, 0].shape, generator=generator, dtype=dtype)
        return estimates.requires_grad_(), references, references.sum(1) + 0.5 * noise

    return make
