"""The plain losses contributed to asteroid equal our fast ones in values and gradients."""

import importlib.util
from functools import partial
from pathlib import Path

import pytest
import torch

from asteroid_xscheme.losses import spectral_error, sums

ROOT = Path(__file__).parents[2] / "tools/upstream/asteroid/losses"


def plain(name):
    """A module for asteroid among our own, from which it imports."""
    spec = importlib.util.spec_from_file_location(
        f"asteroid_xscheme.losses.plain_{name}", ROOT / f"{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def signals(*shape):
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


def assert_equal(fast, slow, *inputs):
    """Assert that the values and gradients of two functions agree."""
    found, expected = fast(*inputs), slow(*inputs)
    torch.testing.assert_close(found, expected)
    first, other = (value[0] if isinstance(value, tuple) else value for value in (found, expected))
    cotangent = torch.randn_like(first)
    torch.testing.assert_close(
        torch.autograd.grad(first, inputs, cotangent), torch.autograd.grad(other, inputs, cotangent)
    )


def test_gram_matrix_equals_the_plain_one():
    inputs = signals(2, 3, 4, 50), signals(2, 3, 1, 50)
    slow = plain("sums").gram_matrix
    assert_equal(lambda *x: sums.gram_matrix(x), lambda *x: slow(x), *inputs)


@pytest.mark.parametrize("sizes", ((1,), (1, 2, 3), (2, 4)))
def test_squared_error_equals_the_plain_one(sizes):
    slow = plain("sums").combined_squared_error
    fast = sums.combined_squared_error
    assert_equal(partial(fast, sizes=sizes), partial(slow, sizes=sizes), signals(2, 4, 3, 50))


@pytest.mark.parametrize("power, downmix", ((1, False), (2, False), (1, True)))
def test_spectral_errors_equal_the_plain_ones(power, downmix):
    window = torch.hann_window(16, dtype=torch.float64)
    options = dict(window=window, n_fft=16, hop=4, power=power, downmix=downmix)
    targets = signals(2, 3, 2, 50).detach()

    def errors(module, spectrograms):
        magnitudes = partial(module.magnitude_spectrogram, **options)
        return module.spectral_errors(spectrograms, targets, magnitudes)

    fast, slow = (partial(errors, module) for module in (spectral_error, plain("spectral_error")))
    assert_equal(fast, slow, signals(3, 13, 2, 1 if downmix else 2, 9))
