"""A GPU computes what the CPU computes; `make test-gpu`, five minutes.

The tolerances bound the relative error of a tensor in its 2-norm. A result is made of a chain of
rounded operations; each of them adds at most u times what its sums hold, with u the unit roundoff.

- float32 (TF32 off), u = 2^-24: the small models have chains of some 20 layers whose sums have up
  to 300 terms; their order is the device's choice. In the worst case that is 6000 u.
- Wiener filters compute in float64; what is rounded to float32 is their input's phase and their
  result. A separator's filter is a ratio of squares of estimates: at most ten times their error.
- bfloat16, u = 2^-8: some 20 layers, each of which rounds input, weights and output, 60 roundings
  of random sign, add up to 8 u (3 %); they are compared with float32 of the CPU.
"""

import pytest
import torch

from .work import (
    BASELINES,
    FILTERS,
    LOSS_WORKS,
    MODELS,
    SEPARATORS,
    SMALL_MODELS,
    STEPS,
    run_model,
    run_separator,
    train_model,
)

SINGLE = 6000 * 2.0**-24
FILTER = 16 * 2.0**-24
BFLOAT = 16 * 2.0**-8
ON_A_GPU = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=ON_A_GPU)])
def device(request):
    """The GPU; and the CPU, on which the tests themselves are tested."""
    if request.param == "cpu":
        yield "cpu"
        return
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield "cuda"


def everything(works):
    return pytest.mark.parametrize("make", works.values(), ids=works.keys())


def assert_near(found, expected, tolerance):
    """Every tensor of two dictionaries, in its norm; gradients and buffers of nothing are small."""
    assert found.keys() == expected.keys()
    largest = max(float(x.abs().double().norm()) for x in expected.values())
    for name, tensor in expected.items():
        wide = torch.complex128 if tensor.is_complex() else torch.float64
        error = (found[name].cpu().to(wide) - tensor.to(wide)).norm()
        limit = tolerance * max(float(tensor.to(wide).norm()), 1e-3 * largest)
        assert error <= limit, f"{name}: {float(error)} > {limit}"


@everything({**MODELS, **LOSS_WORKS, **BASELINES})
def test_models_losses_and_baselines_are_those_of_the_cpu(make, device):
    assert_near(make(device)(), make("cpu")(), SINGLE)


@everything(FILTERS)
def test_filters_are_those_of_the_cpu(make, device):
    assert_near(make(device)(), make("cpu")(), FILTER)


@everything(SEPARATORS)
def test_separators_are_those_of_the_cpu(make, device):
    assert_near(make(device)(), make("cpu")(), 10 * SINGLE)


@pytest.mark.parametrize("build", SMALL_MODELS)
def test_gradients_of_a_training_step_are_those_of_the_cpu(build, device):
    """Without dropout, whose random numbers are each device's own; ten times for the way back."""
    pair = [without_dropout(build) for _ in range(2)]
    found, expected = train_model(pair[0], device)(), train_model(pair[1], "cpu")()
    assert_near(found, expected, 10 * SINGLE)


def without_dropout(build):
    def make():
        model = build()
        for module in model.modules():
            if hasattr(module, "dropout"):
                module.dropout = 0.0
        return model

    return make


@pytest.mark.parametrize("build", SMALL_MODELS)
def test_models_in_bfloat16_are_near_float32_of_the_cpu(build, device):
    found = run_model(build, device, torch.bfloat16)()
    assert_near(found, run_model(build, "cpu")(), BFLOAT)


@pytest.mark.parametrize("build", SMALL_MODELS)
def test_separators_in_bfloat16_are_near_float32_of_the_cpu(build, device):
    options = dict(wiener_iterations=0)
    found = run_separator(build, device, precision="bf16", **options)()
    assert_near(found, run_separator(build, "cpu", **options)(), BFLOAT)


@everything(STEPS)
def test_a_training_step_in_bfloat16_has_finite_gradients(make, device):
    assert all(x.isfinite().all() for x in make(device, torch.bfloat16)().values())


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_two_gpus_hold_the_same_results():
    for make in (*MODELS.values(), *FILTERS.values()):
        assert_near(make("cuda:1")(), make("cuda:0")(), SINGLE)
