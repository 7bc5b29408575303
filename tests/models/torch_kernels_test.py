"""Undocumented kernels of torch are there and do what documented functions do.

What fails here after an update of torch is the kernel that it changed or dropped.
"""

import pytest
import torch
import torch.nn.functional as F

from asteroid_xscheme.models import torch_kernels
from tests.rounding import BFLOAT, SINGLE


@pytest.fixture
def features():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 50, generator=generator, dtype=torch.float64, requires_grad=True)


def test_group_norm_and_its_gradients_equal_the_documented_ones(features):
    weight, bias = (torch.rand(3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    expected = F.group_norm(features, 1, weight, bias, 1e-8)
    output, mean, rstd = torch_kernels.group_norm(features, weight, bias, 1e-8)
    assert torch.equal(output, expected)
    gradient = torch.ones_like(expected).cumsum(-1)
    found = torch_kernels.group_norm_backward(gradient, features, mean, rstd, weight)
    for one, reference in zip(
        found, torch.autograd.grad(expected, (features, weight, bias), gradient)
    ):
        torch.testing.assert_close(one, reference)


def test_values_are_kept_where_features_are_positive(features):
    values = torch.ones_like(features).cumsum(-1)
    expected = torch.where(features > 0, values, torch.zeros(()).double())
    assert torch.equal(torch_kernels.where_positive(values, features), expected)


@pytest.mark.parametrize("hop", (1, 3, 4, 6))
def test_overlap_add_equals_fold(hop):
    frames = torch.arange(2.0 * 7 * 6).reshape(2, 7, 6)
    n_samples = 6 + 6 * hop
    expected = F.fold(frames.transpose(1, 2), (1, n_samples), (1, 6), stride=(1, hop))[:, 0, 0]
    assert torch.equal(torch_kernels.overlap_add(frames, (2, n_samples), hop), expected)


@pytest.mark.parametrize("layout", (torch.contiguous_format, torch.channels_last))
@pytest.mark.parametrize(
    "dtype, rounding",  # of 27 products and two more terms; bfloat16 rounds sums of float32
    ((torch.float64, 29 * SINGLE**2), (torch.float32, 29 * SINGLE), (torch.bfloat16, 3 * BFLOAT)),
)
def test_convolution_is_added_to_its_total(dtype, rounding, layout):
    generator = torch.Generator().manual_seed(0)
    shapes = (2, 3, 9, 7), (4, 3, 3, 3), (4,), (2, 4, 9, 7)
    inputs = [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]

    def exact(features, weight, bias, total):
        return total + F.conv2d(features, weight, bias, padding=2, dilation=2)

    expected = exact(*(x.double() for x in inputs))
    bound = rounding * exact(*(x.double().abs() for x in inputs))
    features, weight, bias, total = inputs
    features, total = (x.contiguous(memory_format=layout) for x in (features, total))
    torch_kernels.add_convolution(total, features, weight, bias, (2, 2))
    assert ((total.double() - expected).abs() <= bound).all()


def test_missing_kernel_is_named_with_a_remedy(monkeypatch, features):
    class Without:
        """A torch that has dropped them all."""

    monkeypatch.setattr(torch.ops, "aten", Without())
    with pytest.raises(RuntimeError, match="no aten::threshold_backward.*earlier torch"):
        torch_kernels.where_positive(features, features)
