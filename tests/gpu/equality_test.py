"""The GPU gives the CPU's results: `make test-gpu`, five minutes.

The tolerances bound the relative error of a tensor in its 2-norm. A result is made of a chain of
rounded operations; each of them adds at most u times what its sums hold, with u the unit roundoff.

- float32 (TF32 off), u = 2^-24: the small models have chains of some 20 layers whose sums have up
  to 300 terms; their order is the device's choice. In the worst case that is 6000 u.
- Wiener filters compute in float64; what is rounded to float32 is their input's phase and their
  result. A separator's filter is a ratio of squares of estimates: at most ten times their error.
- bfloat16, u = 2^-8: some 20 layers, each of which rounds input, weights and output, 60 roundings
  of random sign, add up to 8 u (3 %); they are compared with float32 of the CPU.
- A gradient in bfloat16 depends on how a network passes a rounding on (a PReLU that changes its
  side, a norm of a small variance), which float32 tells: by how much weights that are rounded to
  bfloat16, once, move it. A step rounds each layer some nine times (input, weights and output
  forward, the same with the gradients of two of them backward): in random sign three times that
  much, and twice that for the chance of it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from . import one_rank
from .work import (
    BASELINES,
    FILTERS,
    LOSS_WORKS,
    MODELS,
    SEPARATORS,
    SMALL_MODELS,
    run_model,
    run_separator,
    train_model,
)

SINGLE = 6000 * 2.0**-24
FILTER = 16 * 2.0**-24
BFLOAT = 16 * 2.0**-8
STEP_OF_ROUNDED = 2 * 3  # error of a step in bfloat16 over that of rounding the weights once
ROOT = Path(__file__).parents[2]
TWO_GPUS = [
    pytest.mark.gpu,
    pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs"),
]
ON_A_GPU = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=ON_A_GPU)])
def device(request):
    """The GPU, and the CPU, which tests the tests themselves."""
    if request.param == "cpu":
        yield "cpu"
        return
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield "cuda"


def everything(works):
    return pytest.mark.parametrize("make", works.values(), ids=works.keys())


def assert_near(found, expected, tolerance):
    """Compare every tensor of two dictionaries by its norm; tiny gradients and buffers pass."""
    assert found.keys() == expected.keys()
    largest = max(float(x.abs().double().norm()) for x in expected.values())
    for name, tensor in expected.items():
        wide = torch.complex128 if tensor.is_complex() else torch.float64
        error = (found[name].cpu().to(wide) - tensor.to(wide)).norm()
        limit = tolerance * max(float(tensor.to(wide).norm()), 1e-3 * largest)
        assert error <= limit, f"{name}: {float(error)} > {limit}"


@everything({**MODELS, **LOSS_WORKS, **BASELINES})
def test_models_losses_and_baselines_equal_the_cpu(make, device):
    assert_near(make(device)(), make("cpu")(), SINGLE)


@everything(FILTERS)
def test_filters_equal_the_cpu(make, device):
    assert_near(make(device)(), make("cpu")(), FILTER)


@everything(SEPARATORS)
def test_separators_equal_the_cpu(make, device):
    assert_near(make(device)(), make("cpu")(), 10 * SINGLE)


@pytest.mark.parametrize("build", SMALL_MODELS)
def test_gradients_of_a_training_step_equal_the_cpu(build, device):
    """Without dropout, whose random numbers depend on the device; ten times the tolerance."""
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
def test_models_in_bfloat16_are_close_to_float32_on_the_cpu(build, device):
    found = run_model(build, device, torch.bfloat16)()
    assert_near(found, run_model(build, "cpu")(), BFLOAT)


@pytest.mark.parametrize("build", SMALL_MODELS)
def test_separators_in_bfloat16_are_close_to_float32_on_the_cpu(build, device):
    options = dict(wiener_iterations=0)
    found = run_separator(build, device, precision="bf16", **options)()
    assert_near(found, run_separator(build, "cpu", **options)(), BFLOAT)


@pytest.mark.parametrize("build", SMALL_MODELS)
def test_training_step_in_bfloat16_is_within_rounding_of_the_weights(build, device):
    """The gradient of all weights, against float32 of the CPU."""
    build = without_dropout(build)
    expected = train_model(build, "cpu")()
    found = train_model(build, device, torch.bfloat16)()
    assert abs(found["loss"].cpu() - expected["loss"]) <= BFLOAT * abs(expected["loss"])
    rounded = gradient_of(train_model(with_rounded_weights(build), "cpu")())
    error = (gradient_of(found) - gradient_of(expected)).norm()
    assert error <= STEP_OF_ROUNDED * (rounded - gradient_of(expected)).norm()


def with_rounded_weights(build):
    def make():
        model = build()
        for parameter in model.parameters():
            parameter.data = parameter.data.bfloat16().float()
        return model

    return make


def gradient_of(step):
    """The gradients of all weights in one vector."""
    parts = [x.cpu().double().flatten() for name, x in step.items() if name.endswith(".grad")]
    return torch.cat(parts)


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_two_gpus_give_the_same_results():
    for make in (*MODELS.values(), *FILTERS.values()):
        assert_near(make("cuda:1")(), make("cuda:0")(), SINGLE)


@pytest.mark.parametrize(
    "kind",
    [pytest.param("cpu", marks=pytest.mark.slow), pytest.param("cuda", marks=TWO_GPUS)],
)
def test_two_processes_have_the_gradients_of_one_with_the_full_batch(kind, tmp_path):
    """For networks without BatchNorm, whose statistics differ between processes."""
    command = [sys.executable, "-m", one_rank.__name__, kind, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen([*command, str(rank)], cwd=ROOT, env=environment) for rank in range(2)
    ]
    assert [process.wait(timeout=240) for process in processes] == [0, 0]
    for name, build in one_rank.MODELS.items():
        expected = one_rank.gradients(build, "cpu")
        for rank in range(2):
            found = torch.load(tmp_path / f"{name}_{rank}.pt")
            assert_near(found, expected, 10 * SINGLE)
