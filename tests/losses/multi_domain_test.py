import pytest
import torch

from asteroid_xscheme.dsp.stft import stft
from asteroid_xscheme.losses import MultiDomainLoss
from tests.rounding import BFLOAT

N_FFT, HOP, N_SAMPLES = 64, 16, 400


def small_loss(combine=True, multi=True, nb_channels=2, spec_power=1, mix_coef=10.0):
    return MultiDomainLoss(N_FFT, N_FFT, HOP, spec_power, nb_channels, combine, multi, mix_coef)


def magnitudes_of(waveforms, spec_power=1):
    """(B, J, C, T) -> (B, J, C, F, N), by torch.stft."""
    window = torch.hann_window(N_FFT).to(waveforms.dtype)
    flat = waveforms.reshape(-1, waveforms.shape[-1])
    spectrograms = torch.stft(flat, N_FFT, HOP, window=window, return_complex=True)
    return spectrograms.abs().pow(spec_power).reshape(*waveforms.shape[:3], N_FFT // 2 + 1, -1)


@pytest.fixture
def outputs(waveforms):
    """Function: (J, C) -> a model's spectrograms and time signals, references and a mixture."""

    def make(n_sources, n_channels=2, spec_power=1, n_samples=N_SAMPLES, dtype=torch.float64):
        estimates, references, mixture = waveforms(
            n_sources, n_channels, n_samples=n_samples, dtype=dtype
        )
        spectrograms = magnitudes_of(estimates.detach(), spec_power).permute(1, 4, 0, 2, 3)
        time_signals = estimates.detach().transpose(0, 1)
        leaves = [x.clone().requires_grad_() for x in (spectrograms, time_signals)]
        return leaves, references, mixture

    return make


@pytest.fixture
def plain_loss(enumerated_mse, enumerated_wsdr):
    """The loss by its definition, on references already mixed down and truncated."""

    def compute(est_targets, references, mixture=None, combine=True, multi=True, magnitudes=None):
        spectrograms, time_signals = est_targets
        magnitudes = magnitudes_of(references) if magnitudes is None else magnitudes
        loss = enumerated_mse(spectrograms.permute(2, 0, 3, 4, 1), magnitudes, combine)
        if multi:
            n_samples = time_signals.shape[-1]
            mixture = None if mixture is None else mixture[..., :n_samples]
            signals = time_signals.transpose(0, 1), references[..., :n_samples]
            loss = loss + 10 * enumerated_wsdr(*signals, mixture, combine)
        return loss

    return compute


def assert_same_value_and_gradients(loss, expected, leaves):
    torch.testing.assert_close(loss, expected, rtol=1e-7, atol=1e-10)
    gradients = [
        torch.autograd.grad(value, leaves, allow_unused=True, materialize_grads=True)
        for value in (loss, expected)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("multi", [True, False])
@pytest.mark.parametrize("combine", [True, False])
def test_values_and_gradients_equal_those_of_asteroids_recipe(combine, multi, golden):
    recipe, model = golden("mdl_cl_loss"), golden("xumx_asteroid_io")
    spectrograms, time_signals = (
        model[name].float().requires_grad_() for name in ("masked_spec", "time")
    )
    references = recipe["references"].float()
    loss_func = MultiDomainLoss(512, 512, 128, 1, 2, combine, multi, 10)
    loss = loss_func((spectrograms, time_signals), references)
    loss.backward()
    case = f"comb{combine:d}_multi{multi:d}"
    close = dict(rtol=1e-5, atol=1e-8, check_dtype=False)
    torch.testing.assert_close(loss.detach(), recipe[case], **close)
    gradients = {"spec": spectrograms.grad, "time": time_signals.grad if multi else torch.zeros(1)}
    for name, gradient in gradients.items():
        norm = gradient.double().norm()
        torch.testing.assert_close(norm, recipe[f"gradnorm_{name}_{case}"], **close)
    if combine and multi:
        samples = gradients["time"][..., ::97], gradients["spec"][:, ::7, :, :, ::13]
        torch.testing.assert_close(samples[0], recipe["grad_time_sample"], **close)
        torch.testing.assert_close(samples[1], recipe["grad_spec_sample"], **close)


@pytest.mark.parametrize("multi", [True, False])
@pytest.mark.parametrize("combine", [True, False])
@pytest.mark.parametrize("n_channels", [1, 2, 3])
@pytest.mark.parametrize("n_sources", [1, 2, 4, 5])
def test_loss_equals_its_definition(n_sources, n_channels, combine, multi, outputs, plain_loss):
    est_targets, references, _ = outputs(n_sources, n_channels)
    loss = small_loss(combine, multi, n_channels)(est_targets, references)
    expected = plain_loss(est_targets, references, combine=combine, multi=multi)
    assert_same_value_and_gradients(loss, expected, est_targets)


@pytest.mark.parametrize("combine", [True, False])
def test_mixture_may_contain_more_than_the_given_sources(combine, outputs, plain_loss):
    est_targets, references, mixture = outputs(2)
    loss = small_loss(combine)(est_targets, references, mixture)
    expected = plain_loss(est_targets, references, mixture, combine=combine)
    assert_same_value_and_gradients(loss, expected, est_targets)


@pytest.mark.parametrize("spec_power", [0.5, 2])
def test_references_are_raised_to_the_power_of_the_model(spec_power, outputs, plain_loss):
    est_targets, references, _ = outputs(3, spec_power=spec_power)
    magnitudes = magnitudes_of(references, spec_power)
    loss = small_loss(spec_power=spec_power)(est_targets, references)
    expected = plain_loss(est_targets, references, magnitudes=magnitudes)
    assert_same_value_and_gradients(loss, expected, est_targets)


@pytest.mark.parametrize("given", [True, False])
def test_mono_model_is_compared_with_the_mean_over_channels(given, outputs, plain_loss):
    est_targets, _, _ = outputs(3, n_channels=1)
    _, references, mixture = outputs(3, n_channels=2)
    mixture = mixture if given else None
    mono = references.mean(2, keepdim=True)
    mono_mixture = mixture.mean(1, keepdim=True) if given else None
    magnitudes = magnitudes_of(references).mean(2, keepdim=True)
    loss = small_loss(nb_channels=1)(est_targets, references, mixture)
    expected = plain_loss(est_targets, mono, mono_mixture, magnitudes=magnitudes)
    assert_same_value_and_gradients(loss, expected, est_targets)


def test_short_time_signals_are_compared_up_to_their_end(outputs, plain_loss):
    (spectrograms, time_signals), references, mixture = outputs(3)
    est_targets = spectrograms, time_signals[..., :-13]
    loss = small_loss()(est_targets, references, mixture)
    expected = plain_loss(est_targets, references, mixture)
    assert_same_value_and_gradients(loss, expected, [spectrograms, time_signals])


def test_time_signals_longer_than_the_references_are_truncated(outputs):
    (spectrograms, time_signals), references, _ = outputs(3)
    longer = torch.nn.functional.pad(time_signals, (0, 9), value=1.0)
    assert small_loss()((spectrograms, longer), references) == small_loss()(
        (spectrograms, time_signals), references
    )


def test_references_shorter_than_a_window_are_supported(outputs):
    n_samples = N_FFT // 4
    references = torch.randn(1, 3, 2, n_samples, dtype=torch.float64)
    spectrograms = stft(references, torch.hann_window(N_FFT).double(), N_FFT, HOP).abs()
    perfect = spectrograms.permute(1, 4, 0, 2, 3), references.transpose(0, 1)
    assert small_loss()(perfect, references) < 1e-9  # the loss's own 1e-10, beside energies of 16
    assert small_loss()([-x for x in perfect], references) > 1


@pytest.mark.parametrize("combine", [True, False])
def test_terms_add_up_to_the_loss_and_are_listed_by_source(combine, outputs, plain_loss):
    est_targets, references, mixture = outputs(4)
    loss = small_loss(combine)
    terms = loss.terms(est_targets, references, mixture)
    assert terms["frequency"] + 10 * terms["time"] == loss(est_targets, references, mixture)
    for source in range(4):
        alone = [x[source : source + 1] for x in est_targets]
        single = small_loss().terms(alone, references[:, source : source + 1], mixture)
        for domain in ("frequency", "time"):
            torch.testing.assert_close(terms[f"{domain}_per_source"][source], single[domain])
            assert not terms[f"{domain}_per_source"].requires_grad


def test_time_signals_are_ignored_without_the_multi_domain_loss(outputs):
    (spectrograms, _), references, _ = outputs(3)
    loss = small_loss(multi=False)
    terms = loss.terms((spectrograms, None), references)
    assert sorted(terms) == ["frequency", "frequency_per_source"]
    assert loss((spectrograms, None), references) == terms["frequency"]


def test_spectrograms_may_have_any_memory_layout(outputs):
    (spectrograms, time_signals), references, _ = outputs(3)
    moved = spectrograms.detach().permute(0, 2, 3, 4, 1).contiguous().permute(0, 4, 1, 2, 3)
    moved.requires_grad_()
    loss = small_loss()((moved, time_signals), references)
    expected = small_loss()((spectrograms, time_signals), references)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        torch.autograd.grad(loss, moved), torch.autograd.grad(expected, spectrograms)
    )


def test_references_are_not_changed_and_get_no_gradient(outputs):
    est_targets, references, mixture = outputs(3)
    before = references.clone()
    references.requires_grad_()
    small_loss()(est_targets, references, mixture).backward()
    assert references.grad is None
    assert torch.equal(references, before)


def test_silence_gives_finite_gradients():
    est_targets = [
        torch.zeros(4, 1 + N_SAMPLES // HOP, 2, 2, 33, requires_grad=True),
        torch.zeros(4, 2, 2, N_SAMPLES, requires_grad=True),
    ]
    small_loss()(est_targets, torch.zeros(2, 4, 2, N_SAMPLES)).backward()
    assert all(x.grad.isfinite().all() for x in est_targets)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_loss_under_autocast_is_computed_in_float32(dtype, outputs):
    est_targets, references, _ = outputs(4, dtype=torch.float32)
    exact = small_loss()(est_targets, references)
    halves = [x.detach().to(dtype).requires_grad_() for x in est_targets]
    with torch.autocast("cpu", dtype):
        assert small_loss()(est_targets, references) == exact
        loss = small_loss()(halves, references)
        loss.backward()
    torch.testing.assert_close(loss, exact, rtol=BFLOAT / 10, atol=0)  # roundings average out
    assert all(x.grad.dtype == dtype for x in halves)


def test_loss_adds_nothing_to_a_checkpoint():
    assert not small_loss().state_dict()


def test_missing_time_signals_are_an_error(outputs):
    (spectrograms, _), references, _ = outputs(3)
    with pytest.raises(ValueError, match="return_time_signals=True"):
        small_loss()((spectrograms, None), references)


def test_spectrograms_of_another_stft_are_refused(outputs):
    (spectrograms, time_signals), references, _ = outputs(3)
    for wrong in (spectrograms[:, 1:], spectrograms[:2], spectrograms[..., 1:], None):
        with pytest.raises(ValueError, match="Expected spectrograms .* STFT of size 64 and hop 16"):
            small_loss()((wrong, time_signals), references)


def test_time_signals_of_other_sources_are_refused(outputs):
    (spectrograms, time_signals), references, _ = outputs(3)
    with pytest.raises(ValueError, match="Expected time signals"):
        small_loss()((spectrograms, time_signals[:2]), references)


def test_references_of_other_channels_are_refused(outputs):
    est_targets, references, _ = outputs(3)
    with pytest.raises(ValueError, match="Expected references of nb_channels=3 channels, got 2"):
        small_loss(nb_channels=3)(est_targets, references)
    with pytest.raises(ValueError, match="Expected references"):
        small_loss()(est_targets, references[0])


def test_mixture_of_another_shape_is_refused(outputs):
    est_targets, references, mixture = outputs(3)
    with pytest.raises(ValueError, match="Expected a mixture of shape"):
        small_loss()(est_targets, references, mixture[..., 1:])
