"""asteroid's `Conv1DBlock` in fewer passes over memory: the same parameters, the same values.

A block is memory-bound outside its two 1x1 convolutions. Here PReLU and global layer norm keep one
tensor for the backward pass instead of asteroid's many, and a dilated depthwise convolution is a
sum of shifted signals, which on a CPU costs half of what a grouped convolution does.

Reference: Y. Luo and N. Mesgarani, "Conv-TasNet: surpassing ideal time-frequency magnitude masking
for speech separation", TASLP 2019, https://arxiv.org/abs/1809.07454, figure 1 (c).
"""

from typing import Tuple

import torch
import torch.nn.functional as F
from asteroid.masknn.convolutional import Conv1DBlock
from asteroid.masknn.norms import GlobLN
from torch import nn
from torch.autograd.function import once_differentiable

from . import torch_kernels

_EPS = 1e-8  # asteroid's, under the root of every norm


def hidden_features(block: Conv1DBlock, features: torch.Tensor) -> torch.Tensor:
    """The block up to its output convolutions: features (B, channels, N) -> (B, hidden, N)."""
    in_conv, prelu, norm, depthwise, second_prelu, second_norm = block.shared_block
    hidden = _prelu_and_norm(in_conv(features), prelu, norm)
    return _prelu_and_norm(_depthwise(hidden, depthwise), second_prelu, second_norm)


def normalize(features: torch.Tensor, norm: nn.Module) -> torch.Tensor:
    """One of asteroid's norms of (B, channels, N), the global one in a single pass."""
    if isinstance(norm, GlobLN):
        return F.group_norm(features, 1, norm.gamma, norm.beta, _EPS)
    return norm(features)


def _prelu_and_norm(features: torch.Tensor, prelu: nn.PReLU, norm: nn.Module) -> torch.Tensor:
    if isinstance(norm, GlobLN):
        return _PReLUGlobalNorm.apply(features, prelu.weight, norm.gamma, norm.beta)
    return norm(prelu(features))


def _depthwise(features: torch.Tensor, conv: nn.Conv1d) -> torch.Tensor:
    weight = conv.weight[:, 0].to(features.dtype)
    output = _ShiftedSum.apply(features, weight, conv.dilation[0])
    return output if conv.bias is None else output + conv.bias[:, None].to(features.dtype)


class _PReLUGlobalNorm(torch.autograd.Function):
    """PReLU of one slope, then global layer norm; keeps its input, recomputes the rest.

    Statistics are computed in the parameters' precision, also where features are half as wide.
    """

    @staticmethod
    def forward(ctx, features, slope, gamma, beta):
        active = F.prelu(features.to(gamma.dtype).contiguous(), slope)
        output, mean, rstd = torch_kernels.group_norm(active, gamma, beta, _EPS)
        ctx.save_for_backward(features, slope, gamma, mean, rstd)
        return output.to(features.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        features, slope, gamma, mean, rstd = ctx.saved_tensors
        wide = features.to(gamma.dtype).contiguous()
        grad, grad_gamma, grad_beta = torch_kernels.group_norm_backward(
            grad_output.to(gamma.dtype).contiguous(), F.prelu(wide, slope), mean, rstd, gamma
        )
        positive = torch_kernels.where_positive(grad, wide)
        negative = grad - positive  # the gradient where the features are not above 0
        grad_slope = torch.dot(negative.flatten(), wide.flatten())[None]
        grad_features = torch.addcmul(positive, negative, slope).to(features.dtype)
        return grad_features, grad_slope, grad_gamma, grad_beta


class _ShiftedSum(torch.autograd.Function):
    """Depthwise convolution of odd length, output as long as the input.

    Features (B, channels, N), weight (channels, taps), dilation in frames -> (B, channels, N).
    """

    @staticmethod
    def forward(ctx, features, weight, dilation):
        ctx.save_for_backward(features, weight)
        ctx.dilation = dilation
        return _shifted_sum(features, weight, dilation)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        features, weight = ctx.saved_tensors
        grad_features = _shifted_sum(grad_output, weight.flip(-1), ctx.dilation)
        shifts = _shifts(weight.shape[-1], ctx.dilation)
        products = [_overlap(grad_output, features, shift) for shift in shifts]
        grad_weight = torch.stack([torch.linalg.vecdot(g, x).sum(0) for g, x in products], dim=-1)
        return grad_features, grad_weight, None


def _shifted_sum(features: torch.Tensor, weight: torch.Tensor, dilation: int) -> torch.Tensor:
    """y[n] = sum_i weight[i] x[n + shift_i], x being zero outside its frames."""
    n_taps = weight.shape[-1]
    output = features * weight[:, n_taps // 2, None]
    for tap, shift in enumerate(_shifts(n_taps, dilation)):
        if shift:
            target, source = _overlap(output, features, shift)
            target.addcmul_(source, weight[:, tap, None])
    return output


def _shifts(n_taps: int, dilation: int):
    return [(tap - n_taps // 2) * dilation for tap in range(n_taps)]


def _overlap(
    output: torch.Tensor, features: torch.Tensor, shift: int
) -> Tuple[torch.Tensor, torch.Tensor]:
    """The frames output[n] and features[n + shift] for which both exist; views, maybe empty."""
    n_frames = max(0, output.shape[-1] - abs(shift))
    return (
        output.narrow(-1, min(max(0, -shift), output.shape[-1]), n_frames),
        features.narrow(-1, min(max(0, shift), output.shape[-1]), n_frames),
    )
