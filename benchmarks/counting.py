"""A training step counted, not computed: its operations and memory, on tensors without values.

torch's fake tensors have shapes and storages but no contents, so a step of any size is "computed"
in seconds on any machine. The counts are what PyTorch would compute and hold on a CPU; a GPU's
libraries may use other algorithms and buffers.
"""

import weakref
from typing import Any, NamedTuple

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import flop_registry
from torch.utils.weak import WeakIdKeyDictionary

from asteroid_xscheme.recipes.config import Config

from .recipes import TrainingStep


class StepCount(NamedTuple):
    """What one training step takes.

    Attributes:
        parameters: Numbers that are learnt.
        forward_macs, backward_macs: Multiply-accumulates of products, convolutions and LSTMs;
            transforms, norms and depthwise convolutions are left out.
        recurrent_steps: Steps of LSTMs that wait for one another in a forward pass.
        peak_bytes: The most memory held at once: weights, gradients, Adam's moments, and all that
            the step makes.
    """

    parameters: int
    forward_macs: int
    backward_macs: int
    recurrent_steps: int
    peak_bytes: int


def count_step(config: Config, batch: int, n_samples: int) -> StepCount:
    """Count a step with so many segments of so many samples, and Adam's memory with it."""
    counter = Counter()
    with FakeTensorMode(allow_non_fake_inputs=True), counter:
        step = TrainingStep(config, batch, n_samples)
        parameters = [x for x in step.model.parameters() if x.requires_grad]
        recurrent = _count_recurrent_steps(step.model)
        loss = step.forward()
        forward_macs, forward_peak = counter.macs, counter.peak
        loss.backward()
    n_parameters = sum(parameter.numel() for parameter in parameters)
    weights = sum(parameter.nbytes for parameter in parameters)
    # the gradients of the step before are there until the forward pass ends; two moments always
    peak = max(forward_peak + weights, counter.peak) + 2 * weights
    return StepCount(n_parameters, forward_macs, counter.macs - forward_macs, sum(recurrent), peak)


class Counter(TorchDispatchMode):
    """Counts what operations within this context compute and what their results occupy.

    torch's own counter of operations keeps alive what checkpointing computes twice, so only its
    formulas are taken.

    Attributes:
        macs: Multiply-accumulates until now.
        held: Bytes of the tensors that are alive.
        peak: The most that `held` was.
    """

    def __init__(self):
        super().__init__()
        self.macs = self.held = self.peak = 0
        self._known = WeakIdKeyDictionary()
        self._formulas = {**flop_registry, **_LSTM_LAYERS}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket in self._formulas:
            formula = self._formulas[func.overloadpacket]
            self.macs += formula(*args, **(kwargs or {}), out_val=result) // 2
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


def _lstm_layer_flops(inputs, input_weights, hidden_weights, *_, out_val) -> int:
    """One direction of a layer, of (N, B, features), (4 hidden, features), (4 hidden, hidden)."""
    n_frames, batch, _ = inputs.shape
    return 2 * n_frames * batch * (input_weights.numel() + hidden_weights.numel())


def _lstm_layer_backward_flops(*args, out_val) -> int:
    return 2 * _lstm_layer_flops(*args, out_val=out_val)


_LSTM_LAYERS = {  # of the CPU; torch has no formula for them
    torch.ops.aten.mkldnn_rnn_layer: _lstm_layer_flops,
    torch.ops.aten.mkldnn_rnn_layer_backward: _lstm_layer_backward_flops,
}
