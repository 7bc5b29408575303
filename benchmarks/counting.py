"""A training step counted without doing it: operations and memory, on tensors without values.

torch's fake tensors have shapes and storages and no contents, so that a step of any size is
"computed" in seconds on any machine. What is counted is what PyTorch would compute and hold on a
CPU; a GPU's library may choose other algorithms and buffers of its own.
"""

import weakref
from typing import Any, NamedTuple

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.weak import WeakIdKeyDictionary

from asteroid_xscheme.config import Config

from .recipes import TrainingStep


class StepCount(NamedTuple):
    """What one training step takes.

    Attributes:
        parameters: Numbers that are learnt.
        forward_macs, backward_macs: Multiply-accumulates of products, convolutions and LSTMs;
            transforms, norms, depthwise convolutions and the loss are left out.
        recurrent_steps: Steps of LSTMs that wait for one another in a forward pass.
        peak_bytes: The most memory held at once: weights, gradients, the optimizer's state, and
            all that the step makes.
    """

    parameters: int
    forward_macs: int
    backward_macs: int
    recurrent_steps: int
    peak_bytes: int


def count_step(config: Config, batch: int, n_samples: int, bf16: bool = False) -> StepCount:
    """Count a step with so many segments of so many samples."""
    memory = LiveMemory()
    with FakeTensorMode(allow_non_fake_inputs=True), memory:
        step = TrainingStep(config, batch, n_samples, bf16=bf16)
        recurrent = _count_recurrent_steps(step.model)
        with _counter() as forward:
            loss = step.forward()
        with _counter() as backward:
            step.backward(loss)
    return StepCount(
        sum(parameter.numel() for parameter in step.model.parameters()),
        forward.get_total_flops() // 2,
        backward.get_total_flops() // 2,
        sum(recurrent),
        memory.peak,
    )


class LiveMemory(TorchDispatchMode):
    """Bytes of the tensors that operations within this context make, as long as they live.

    Attributes:
        held: Bytes now.
        peak: The most until now.
    """

    def __init__(self):
        super().__init__()
        self.held = self.peak = 0
        self._known = WeakIdKeyDictionary()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None) -> Any:
        result = func(*args, **(kwargs or {}))
        tree_map_only(torch.Tensor, self._hold, result)
        return result

    def _hold(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._known:
            return
        size = storage.nbytes()
        self._known[storage] = size
        self.held += size
        self.peak = max(self.peak, self.held)
        weakref.finalize(storage, self._release, size)

    def _release(self, size: int) -> None:
        self.held -= size


def _count_recurrent_steps(model: nn.Module) -> list:
    """A list that grows by (frames x layers) with every LSTM that the model runs."""
    steps = []
    for module in model.modules():
        if isinstance(module, nn.LSTM):
            module.register_forward_hook(
                lambda lstm, inputs, _: steps.append(len(inputs[0]) * lstm.num_layers)
            )
    return steps


def _counter() -> FlopCounterMode:
    """torch's counter, taught the CPU's LSTM layer."""
    layers = {
        torch.ops.aten.mkldnn_rnn_layer: _lstm_layer_flops,
        torch.ops.aten.mkldnn_rnn_layer_backward: lambda *shapes, **_: 2
        * _lstm_layer_flops(*shapes),
    }
    return FlopCounterMode(display=False, custom_mapping=layers)


def _lstm_layer_flops(inputs, input_weights, hidden_weights, *_, **__) -> int:
    """Of shapes (N, B, features), (4 hidden, features), (4 hidden, hidden): one direction."""
    n_frames, batch, _ = inputs
    weights = input_weights[0] * input_weights[1] + hidden_weights[0] * hidden_weights[1]
    return 2 * n_frames * batch * weights
