"""Every tensor is created on the device of its inputs: tested without a GPU, on "meta".

With "meta" as the default device, a tensor made without a device is a meta tensor, and its first
meeting with one on the CPU is an error. On the device "meta" itself, it is the other way round: a
tensor that is made on the CPU meets meta tensors, as it would meet those of a GPU.
"""

import pytest
import torch

from .work import EVERYTHING, FILTERS, LOSS_WORKS, MODELS, STEPS

# Conv-TasNet switches autocast off, which the device "meta" does not know
ON_META = {**MODELS, **STEPS, **LOSS_WORKS, **FILTERS}


def everything(works):
    return pytest.mark.parametrize("make", works.values(), ids=works.keys())


@everything(EVERYTHING)
def test_default_device_does_not_change_results(make):
    expected = make("cpu")()
    run = make("cpu")
    with torch.device("meta"):
        found = run()
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        assert tensor.device.type == "cpu", name
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=0, msg=name)


@everything({name: work for name, work in ON_META.items() if "tasnet" not in name})
def test_results_are_on_the_device_of_the_inputs(make):
    for name, tensor in make("meta")().items():
        assert tensor.device.type == "meta", name
