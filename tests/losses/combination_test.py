import pytest
import torch
from asteroid.losses import singlesrc_mse
from torch.nn.functional import l1_loss, mse_loss

from asteroid_xscheme.losses import (
    CombinationLoss,
    combination_mse,
    combination_wsdr,
    weighted_sdr,
)
from tests.rounding import BFLOAT, SINGLE

SOURCE_COUNTS = [1, 2, 3, 4, 5]
CHANNEL_COUNTS = [1, 2, 3]


def assert_same_value_and_gradient(loss, expected, estimates):
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=1e-12)
    gradients = (torch.autograd.grad(value, estimates)[0] for value in (loss, expected))
    torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("n_sources", SOURCE_COUNTS)
def test_mse_is_the_mean_over_all_sums_of_sources(n_sources, waveforms, enumerated_mse):
    estimates, references, _ = waveforms(n_sources)
    loss = combination_mse(estimates, references)
    assert_same_value_and_gradient(loss, enumerated_mse(estimates, references), estimates)


@pytest.mark.parametrize("n_channels", CHANNEL_COUNTS)
@pytest.mark.parametrize("n_sources", SOURCE_COUNTS)
def test_wsdr_is_the_mean_over_all_sums_of_sources(
    n_sources, n_channels, waveforms, enumerated_wsdr
):
    estimates, references, _ = waveforms(n_sources, n_channels)
    loss = combination_wsdr(estimates, references)
    assert_same_value_and_gradient(loss, enumerated_wsdr(estimates, references), estimates)


@pytest.mark.parametrize("n_sources", SOURCE_COUNTS)
def test_wsdr_accepts_a_mixture_that_is_not_the_sum(n_sources, waveforms, enumerated_wsdr):
    estimates, references, mixture = waveforms(n_sources)
    loss = combination_wsdr(estimates, references, mixture)
    expected = enumerated_wsdr(estimates, references, mixture)
    assert_same_value_and_gradient(loss, expected, estimates)


@pytest.mark.parametrize("n_sources", SOURCE_COUNTS)
def test_wsdr_of_silent_sources_equals_its_definition(n_sources, waveforms, enumerated_wsdr):
    estimates, references, _ = waveforms(n_sources)
    references[:, 0] = 0
    references[1] = 0
    loss = combination_wsdr(estimates, references)
    assert_same_value_and_gradient(loss, enumerated_wsdr(estimates, references), estimates)


def test_gradients_also_reach_references_and_mixture(waveforms, enumerated_mse, enumerated_wsdr):
    signals = [x.detach().requires_grad_() for x in waveforms(3)]
    value = combination_wsdr(*signals) + combination_mse(*signals[:2])
    expected = enumerated_wsdr(*signals) + enumerated_mse(*signals[:2])
    torch.testing.assert_close(
        torch.autograd.grad(value, signals), torch.autograd.grad(expected, signals)
    )


@pytest.mark.parametrize("loss", [combination_mse, combination_wsdr])
def test_gradients_equal_finite_differences(loss, waveforms):
    estimates, references, _ = waveforms(3, n_channels=1, n_samples=7)
    assert torch.autograd.gradcheck(lambda x: loss(x, references), estimates)


@pytest.mark.parametrize("loss", [combination_mse, combination_wsdr])
def test_second_derivatives_equal_finite_differences(loss, waveforms):
    estimates, references, _ = waveforms(3, n_channels=1, n_samples=4)
    assert torch.autograd.gradgradcheck(lambda x: loss(x, references), estimates)


@pytest.mark.parametrize("loss", [combination_mse, combination_wsdr])
def test_gradient_can_be_computed_twice(loss, waveforms):
    estimates, references, _ = waveforms(3)
    value = loss(estimates, references)
    first, second, third = (
        torch.autograd.grad(value, estimates, retain_graph=True, create_graph=create)[0]
        for create in (False, False, True)
    )
    assert torch.equal(first, second)
    torch.testing.assert_close(first, third)


@pytest.mark.parametrize("loss", [combination_mse, combination_wsdr])
def test_loss_does_not_depend_on_the_order_of_sources(loss, waveforms):
    estimates, references, _ = waveforms(4)
    order = [2, 0, 3, 1]
    torch.testing.assert_close(
        loss(estimates[:, order], references[:, order]), loss(estimates, references)
    )


@pytest.mark.parametrize("loss", [combination_mse, combination_wsdr])
def test_loss_does_not_depend_on_the_memory_layout(loss, waveforms):
    estimates, references, _ = waveforms(4)
    moved = estimates.detach().transpose(0, 1).contiguous().requires_grad_()
    value = loss(moved.transpose(0, 1), references)
    torch.testing.assert_close(value, loss(estimates, references))
    gradient = torch.autograd.grad(value, moved)[0].transpose(0, 1)
    torch.testing.assert_close(
        gradient, torch.autograd.grad(loss(estimates, references), estimates)[0]
    )


def test_perfect_estimates_cost_0_and_inverted_ones_2(waveforms):
    _, references, mixture = waveforms(4)
    assert combination_mse(references, references) == 0
    assert combination_wsdr(references, references).abs() < 1e-9
    single = references[:, :1]
    opposite = combination_wsdr(-single, single, single[:, 0])
    torch.testing.assert_close(opposite, torch.full_like(opposite, 2))


def test_many_sources_cost_one_pass(waveforms):
    estimates, references, _ = waveforms(12, n_samples=50)
    torch.autograd.grad(combination_wsdr(estimates, references), estimates)
    errors = (estimates - references).detach()
    n = 2**12 - 2
    own, total = errors.square().mean((0, 2, 3)).sum(), errors.sum(1).square().mean()
    expected = (2**10 * own + (2**10 - 1) * total) / n
    torch.testing.assert_close(combination_mse(estimates, references), expected)


@pytest.mark.parametrize("sizes", [(1,), (2,), (3, 1), (1, 2, 3, 4)])
def test_sizes_select_how_many_sources_are_summed(sizes, waveforms):
    estimates, references, mixture = waveforms(4)
    slow_mse = CombinationLoss(lambda one, other: mse_loss(one, other), sizes)
    slow_wsdr = CombinationLoss(lambda one, other: weighted_sdr(one, other, mixture), sizes)
    torch.testing.assert_close(
        combination_mse(estimates, references, sizes), slow_mse(estimates, references)
    )
    torch.testing.assert_close(
        combination_wsdr(estimates, references, mixture, sizes), slow_wsdr(estimates, references)
    )


def test_mono_waveforms_need_no_channel_axis(waveforms):
    estimates, references, mixture = waveforms(3, n_channels=1)
    torch.testing.assert_close(
        combination_wsdr(estimates[:, :, 0], references[:, :, 0], mixture[:, 0]),
        combination_wsdr(estimates, references, mixture),
    )


@pytest.mark.parametrize("loss", [combination_mse, combination_wsdr])
@pytest.mark.parametrize("silent", ["estimates", "references", "both"])
def test_silence_gives_finite_gradients(loss, silent, waveforms):
    estimates, references, _ = waveforms(4, dtype=torch.float32)
    if silent != "references":
        estimates = torch.zeros_like(estimates, requires_grad=True)
    if silent != "estimates":
        references = torch.zeros_like(references)
    value = loss(estimates, references)
    value.backward()
    assert value.isfinite() and estimates.grad.isfinite().all()


@pytest.mark.parametrize("loss, size", [(combination_mse, 0), (combination_wsdr, 1)])
def test_long_float32_sums_lose_no_digits(loss, size):
    """Compare the squared error relative to itself, and the SDR relative to 1, its scale."""
    generator = torch.Generator().manual_seed(0)
    references = 3 + torch.rand(1, 2, 1, 3_000_000, generator=generator)
    estimates = references + 0.01 * torch.rand(references.shape, generator=generator)
    exact = loss(estimates.double(), references.double())
    limit = 4 * SINGLE  # of a difference, its square, their mean and the result
    found = loss(estimates, references).double()
    torch.testing.assert_close(found, exact, rtol=limit, atol=limit * size)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("loss", [combination_mse, combination_wsdr])
def test_autocast_does_not_change_the_value(loss, dtype, waveforms):
    estimates, references, _ = waveforms(4, n_samples=20_000, dtype=torch.float32)
    exact = loss(estimates, references)
    with torch.autocast("cpu", dtype):
        value = loss(estimates, references)
        (gradient,) = torch.autograd.grad(value, estimates)
    assert value == exact
    assert torch.equal(gradient, torch.autograd.grad(exact, estimates)[0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("loss", [combination_mse, combination_wsdr])
def test_estimates_in_half_precision_are_compared_in_float32(loss, dtype, waveforms):
    estimates, references, _ = waveforms(4, n_samples=20_000, dtype=torch.float32)
    half = estimates.detach().to(dtype).requires_grad_()
    value = loss(half, references)
    assert value.dtype == torch.float32
    limit = BFLOAT / 100  # 20,000 samples of each signal average their roundings out
    torch.testing.assert_close(value, loss(estimates, references), rtol=limit, atol=limit)
    assert torch.autograd.grad(value, half)[0].dtype == dtype


def test_mse_equals_the_official_one(golden):
    official = golden("xumx_losses")
    n_frames, n_batch, _, n_freq = official["mse_gt_spec"].shape
    split = (n_frames, n_batch, 4, 2, n_freq)
    masks = official["mse_msk_hat"].requires_grad_()
    estimates = masks.view(split) * official["mse_mix_spec"].unsqueeze(2)
    references = official["mse_gt_spec"].view(split)
    loss = combination_mse(*(x.transpose(0, 1).transpose(1, 2) for x in (estimates, references)))
    torch.testing.assert_close(loss, official["mse_loss"], rtol=1e-6, atol=0)
    loss.backward()
    torch.testing.assert_close(masks.grad, official["mse_grad_msk"], rtol=1e-5, atol=1e-8)


def test_wsdr_equals_the_official_one(golden):
    official = golden("xumx_losses")
    n_samples = official["sdr_pred"].shape[-1]
    inner = (..., slice(200, n_samples - 200))  # the official loss leaves out 200 samples each end
    predicted = official["sdr_pred"].requires_grad_()
    estimates = predicted.transpose(0, 1)[inner]
    references = official["sdr_gt_time"].view(3, 4, 2, -1)[inner]
    loss = combination_wsdr(estimates, references, official["sdr_mix"][inner])
    torch.testing.assert_close(loss, official["sdr_loss"], rtol=1e-6, atol=0)
    loss.backward()
    torch.testing.assert_close(predicted.grad, official["sdr_grad_pred"], rtol=1e-4, atol=1e-8)
    consistent = combination_wsdr(estimates, references)
    torch.testing.assert_close(consistent, official["sdr_loss_consistent"], rtol=1e-6, atol=0)


@pytest.mark.parametrize("loss_func", [torch.nn.MSELoss(), mse_loss, singlesrc_mse])
def test_combination_loss_of_squared_error_equals_combination_mse(loss_func, waveforms):
    estimates, references, _ = waveforms(4)
    loss = CombinationLoss(loss_func)(estimates, references)
    assert loss == combination_mse(estimates, references)


def test_combination_loss_of_a_summed_squared_error_keeps_its_scale(waveforms):
    estimates, references, _ = waveforms(3)
    loss = CombinationLoss(torch.nn.MSELoss(reduction="sum"))(estimates, references)
    n_elements = references[:, 0].numel()
    torch.testing.assert_close(loss, n_elements * combination_mse(estimates, references))


def test_combination_loss_of_weighted_sdr_equals_combination_wsdr(waveforms):
    estimates, references, mixture = waveforms(4)
    loss = CombinationLoss(weighted_sdr)(estimates, references, mixture)
    assert loss == combination_wsdr(estimates, references, mixture)


def test_combination_loss_calls_any_other_loss_once_for_each_sum(waveforms):
    estimates, references, _ = waveforms(4)
    calls = []

    def loss_func(estimate, reference):
        calls.append(estimate.shape)
        return l1_loss(estimate, reference, reduction="none")

    value = CombinationLoss(loss_func)(estimates, references)
    assert calls == [estimates[:, 0].shape] * 14
    assert torch.autograd.grad(value, estimates)[0].isfinite().all()


def test_combination_loss_refuses_a_mixture_that_its_loss_does_not_use(waveforms):
    estimates, references, mixture = waveforms(3)
    with pytest.raises(ValueError, match="Expected a mixture only for weighted_sdr"):
        CombinationLoss(mse_loss)(estimates, references, mixture)


@pytest.mark.parametrize("sizes", [(), (0, 1), (4,)])
def test_impossible_sizes_are_refused(sizes, waveforms):
    estimates, references, _ = waveforms(3)
    with pytest.raises(ValueError, match="Expected sizes of combinations from 1 to .* 3"):
        combination_mse(estimates, references, sizes)


@pytest.mark.parametrize("loss", [combination_mse, combination_wsdr, CombinationLoss(l1_loss)])
def test_estimates_and_references_of_different_shapes_are_refused(loss, waveforms):
    estimates, references, _ = waveforms(3)
    with pytest.raises(ValueError, match="Expected estimates and references of the same shape"):
        loss(estimates[:, :2], references)


def test_mixture_of_another_shape_is_refused(waveforms):
    estimates, references, mixture = waveforms(3)
    with pytest.raises(ValueError, match=r"Expected a mixture of shape \(2, 2, 301\)"):
        combination_wsdr(estimates, references, mixture[:, :1])


def test_wsdr_of_spectrograms_is_refused():
    spectrograms = torch.rand(2, 3, 2, 5, 7)
    with pytest.raises(ValueError, match="Expected waveforms"):
        combination_wsdr(spectrograms, spectrograms)
