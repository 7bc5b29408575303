"""asteroid's `Conv1DBlock` in fewer passes over memory: the same parameters, the same values.

Outside its 1x1 convolutions a block is memory-bound. What lies between them (PReLU, global layer
norm, dilated depthwise convolution, PReLU, global layer norm) is one function here. It takes a few
rows at a time through several operations, so that they stay in a CPU's cache, and keeps only the
inputs of the two PReLUs for the backward pass. A row is a channel of an item of the batch.

Reference: Y. Luo and N. Mesgarani, "Conv-TasNet: surpassing ideal time-frequency magnitude masking
for speech separation", TASLP 2019, https://arxiv.org/abs/1809.07454, figure 1 (c).
"""

from typing import List, Optional, Tuple

import torch
import torch.nn.functional as F
from asteroid.masknn.convolutional import Conv1DBlock
from asteroid.masknn.norms import GlobLN
from torch import nn
from torch.autograd.function import once_differentiable

from . import torch_kernels

_EPS = 1e-8  # asteroid's, under the root of every norm
_VALUES_IN_CACHE = 1 << 19  # of a piece; a few pieces of 2 MiB are in use at a time


def hidden_features(block: Conv1DBlock, features: torch.Tensor) -> torch.Tensor:
    """The block up to its output convolutions: features (B, channels, N) -> (B, hidden, N)."""
    in_conv, prelu, norm, depthwise, second_prelu, second_norm = block.shared_block
    if not isinstance(norm, GlobLN):
        return block.shared_block(features)
    return _BetweenConvolutions.apply(
        in_conv(features),
        depthwise.dilation[0],
        *(prelu.weight, norm.gamma, norm.beta),
        *(depthwise.weight[:, 0], depthwise.bias),
        *(second_prelu.weight, second_norm.gamma, second_norm.beta),
    )


def normalize(features: torch.Tensor, norm: nn.Module) -> torch.Tensor:
    """One of asteroid's norms of (B, channels, N), the global one in a single pass."""
    if isinstance(norm, GlobLN):
        return F.group_norm(features, 1, norm.gamma, norm.beta, _EPS)
    return norm(features)


class _BetweenConvolutions(torch.autograd.Function):
    """PReLU, norm, depthwise convolution, PReLU and norm of features (B, hidden, N).

    Computed in the parameters' precision, also where features are half as wide.
    """

    @staticmethod
    def forward(ctx, features, dilation, slope, gamma, beta, taps, bias, slope_2, gamma_2, beta_2):
        rows, batch = features.contiguous().flatten(0, 1), len(features)
        pieces = _pieces(rows)
        first = _PReLUNorm(rows, batch, slope, gamma, beta)
        first.set_moments([first.moments(piece) for piece in pieces])
        second = _PReLUNorm(torch.empty_like(rows), batch, slope_2, gamma_2, beta_2)
        conv = _DepthwiseConv(batch, taps, bias, dilation)
        moments = []
        for piece in pieces:
            second.rows[piece] = conv.output(piece, first.output(piece))
            moments.append(second.moments(piece))
        second.set_moments(moments)
        output = torch.empty_like(rows)
        for piece in pieces:
            output[piece] = second.output(piece)
        ctx.save_for_backward(
            *(rows, slope, gamma, beta, first.mean, first.rstd),
            *(second.rows, slope_2, gamma_2, beta_2, second.mean, second.rstd),
            *(taps, bias),
        )
        ctx.batch, ctx.dilation = batch, dilation
        return output.view_as(features)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        saved, (taps, bias) = ctx.saved_tensors[:-2], ctx.saved_tensors[-2:]
        first, second = (_PReLUNorm(x[0], ctx.batch, *x[1:]) for x in (saved[:6], saved[6:]))
        conv = _DepthwiseConv(ctx.batch, taps, bias, ctx.dilation)
        grad = grad_output.contiguous().flatten(0, 1)
        pieces = _pieces(grad)
        second.set_gradient([second.gradient_sums(piece, grad[piece]) for piece in pieces])
        grad_rows, sums = torch.empty_like(grad), []
        for piece in pieces:
            grad_hidden = second.input_gradient(piece, grad[piece])
            grad_normed = conv.input_gradient(piece, grad_hidden, first.output(piece))
            sums.append(first.gradient_sums(piece, grad_normed))
            grad_rows[piece] = grad_normed
        first.set_gradient(sums)
        for piece in pieces:
            grad_rows[piece] = first.input_gradient(piece, grad_rows[piece])
        of_parameters = (*first.gradients, *conv.gradients, *second.gradients)
        return (grad_rows.view_as(grad_output), None, *of_parameters)


def _pieces(rows: torch.Tensor) -> List[slice]:
    """Rows that are computed together; all of them on a GPU."""
    n_rows = _VALUES_IN_CACHE // rows.shape[1] if rows.device.type == "cpu" else len(rows)
    return [slice(k, k + max(1, n_rows)) for k in range(0, len(rows), max(1, n_rows))]


class _PReLUNorm:
    """PReLU of one slope, then global layer norm: y = scale PReLU(x) + shift in every row.

    `set_moments` comes before the first `output`, `set_gradient` before `input_gradient`.

    Args:
        rows: Inputs x (B * channels, N).
        batch: Items B.
        slope, gamma, beta: Parameters (1), (channels), (channels).
        mean, rstd: Of the item of each row, after PReLU (B * channels, 1), if known.
    """

    def __init__(self, rows, batch, slope, gamma, beta, mean=None, rstd=None):
        self.rows, self.batch, self.slope = rows, batch, slope
        self.gamma, self.beta = (x.repeat(batch)[:, None] for x in (gamma, beta))
        self._grad_slope = torch.zeros_like(slope)
        if mean is not None:
            self._set_statistics(mean, rstd)

    def moments(self, piece: slice) -> torch.Tensor:
        """Mean and variance of each row of a piece after PReLU, (rows, 2)."""
        active = self._active(piece)
        mean = active.mean(1, keepdim=True)
        deviation = torch.linalg.vector_norm(active.sub_(mean), dim=1, keepdim=True)
        return torch.cat((mean, deviation.square() / active.shape[1]), 1)

    def set_moments(self, moments: List[torch.Tensor]) -> None:
        """Take the moments of all pieces: those of an item follow from those of its rows."""
        means, variances = torch.cat(moments).split(1, dim=1)
        mean = self._over_item(means)
        variance = self._over_item(variances + (means - mean).square())
        self._set_statistics(mean, (variance + _EPS).rsqrt())

    def output(self, piece: slice) -> torch.Tensor:
        """Normalised rows of a piece."""
        return self._active(piece).mul_(self._scale[piece]).add_(self._shift[piece])

    def gradient_sums(self, piece: slice, grad: torch.Tensor) -> torch.Tensor:
        """Means over each row of an output's gradient g, and of g PReLU(x), (rows, 2)."""
        weighted = self._active(piece).mul_(grad)
        means = grad.to(weighted.dtype).mean(1, keepdim=True), weighted.mean(1, keepdim=True)
        return torch.cat(means, 1)

    def set_gradient(self, sums: List[torch.Tensor]) -> None:
        """Take the sums of all pieces: g' = scale g + factor PReLU(x) + offset is PReLU's gradient.

        It is that of a norm: scale g - mean(scale g) - z mean(scale g z), with the normalised z =
        (PReLU(x) - mean) rstd, and with means over an item.
        """
        plain, weighted = torch.cat(sums).split(1, dim=1)
        weighted = self.rstd * (weighted - self.mean * plain)  # means of g z
        self._factor = -self.rstd * self._over_item(self._scale * weighted)
        self._offset = -self._over_item(self._scale * plain) - self._factor * self.mean
        self._grad_gamma, self._grad_beta = self._over_batch(weighted), self._over_batch(plain)

    def input_gradient(self, piece: slice, grad: torch.Tensor) -> torch.Tensor:
        """Gradient of a piece of the input, from that of its output."""
        rows = self.rows[piece].to(self.slope.dtype)
        grad_active = self._active(piece).mul_(self._factor[piece]).add_(self._offset[piece])
        grad_active.addcmul_(grad.to(rows.dtype), self._scale[piece])
        positive = torch_kernels.where_positive(grad_active, rows)
        negative = grad_active.sub_(positive)  # the gradient where the input is not above 0
        self._grad_slope += torch.dot(negative.flatten(), rows.flatten())
        return positive.addcmul_(negative, self.slope)

    @property
    def gradients(self) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Of slope, gamma and beta."""
        return self._grad_slope, self._grad_gamma, self._grad_beta

    def _active(self, piece: slice) -> torch.Tensor:
        return F.prelu(self.rows[piece].to(self.slope.dtype), self.slope)

    def _set_statistics(self, mean: torch.Tensor, rstd: torch.Tensor) -> None:
        self.mean, self.rstd = mean, rstd
        self._scale = self.gamma * rstd
        self._shift = self.beta - mean * self._scale

    def _over_item(self, values: torch.Tensor) -> torch.Tensor:
        """The mean over the rows of an item, for each row, (rows, 1)."""
        of_items = values.unflatten(0, (self.batch, -1))
        return of_items.mean(1, keepdim=True).expand_as(of_items).flatten(0, 1)

    def _over_batch(self, means: torch.Tensor) -> torch.Tensor:
        """The sums over batch and frames (channels), from means over frames."""
        return means.view(self.batch, -1).sum(0) * self.rows.shape[1]


class _DepthwiseConv:
    """A depthwise convolution as a sum of shifted rows; a CPU takes half as long as for groups.

    Args:
        batch: Items B.
        taps: Weight (channels, taps), an odd number of taps.
        bias: (channels) or None.
        dilation: Frames from one tap to the next.
    """

    def __init__(self, batch: int, taps: torch.Tensor, bias: Optional[torch.Tensor], dilation: int):
        self.batch, n_taps = batch, taps.shape[1]
        self.taps = taps.repeat(batch, 1)
        self.bias = None if bias is None else bias.repeat(batch)[:, None]
        self.shifts = [(tap - n_taps // 2) * dilation for tap in range(n_taps)]
        self._grad_taps: List[torch.Tensor] = []
        self._grad_bias: List[torch.Tensor] = []

    def output(self, piece: slice, rows: torch.Tensor) -> torch.Tensor:
        """The convolution of a piece of the rows, as long as they are."""
        output = _shifted_sum(rows, self.taps[piece], self.shifts)
        return output if self.bias is None else output.add_(self.bias[piece])

    def input_gradient(self, piece: slice, grad: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Gradient of a piece of the input; takes note of those of taps and bias."""
        products = (_overlap(grad, rows, shift) for shift in self.shifts)
        self._grad_taps.append(torch.stack([torch.linalg.vecdot(g, x) for g, x in products], 1))
        if self.bias is not None:
            self._grad_bias.append(grad.sum(1))
        return _shifted_sum(grad, self.taps[piece].flip(-1), self.shifts)

    @property
    def gradients(self) -> Tuple[torch.Tensor, Optional[torch.Tensor]]:
        """Of taps and bias."""
        taps, bias = (
            torch.cat(each).unflatten(0, (self.batch, -1)).sum(0) if each else None
            for each in (self._grad_taps, self._grad_bias)
        )
        assert taps is not None
        return taps, bias


def _shifted_sum(rows: torch.Tensor, taps: torch.Tensor, shifts: List[int]) -> torch.Tensor:
    """y[n] = sum_i taps[i] x[n + shift_i], x being zero outside its frames."""
    output = rows * taps[:, len(shifts) // 2, None]
    for tap, shift in enumerate(shifts):
        if shift:
            target, source = _overlap(output, rows, shift)
            target.addcmul_(source, taps[:, tap, None])
    return output


def _overlap(
    output: torch.Tensor, rows: torch.Tensor, shift: int
) -> Tuple[torch.Tensor, torch.Tensor]:
    """The frames output[n] and rows[n + shift] for which both exist; views, maybe empty."""
    n_frames = max(0, output.shape[-1] - abs(shift))
    return (
        output.narrow(-1, min(max(0, -shift), output.shape[-1]), n_frames),
        rows.narrow(-1, min(max(0, shift), output.shape[-1]), n_frames),
    )
