"""The encoders, recurrent layers and decoders of J Open-Unmix networks.

An encoder turns a frame of magnitudes into features; a decoder turns features into a mask. Each
scales and shifts its input or output. Asteroid's files store these scales and shifts separately;
here every call merges them into the weights of the neighbouring layer, so that no large tensor is
copied. For inference, `fold` merges them and the normalisation into linear layers for good.

Reference: F.-R. Stoeter, S. Uhlich, A. Liutkus and Y. Mitsufuji, "Open-Unmix - A reference
implementation for music source separation", Journal of Open Source Software, 2019.
"""

from typing import Iterable, List, Mapping, Sequence, Tuple, Union, cast

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from .inference import Map

MeanScale = Tuple[torch.Tensor, torch.Tensor]  # of each input or output
WeightBias = Tuple[torch.Tensor, torch.Tensor]  # of a linear layer
_Encoder = Tuple[nn.Linear, nn.BatchNorm1d]
_Decoder = Tuple[nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear, nn.BatchNorm1d]


class EncoderLayers(nn.Module):
    """The encoder of one source; `enc` is its name in the state dict."""

    def __init__(self, n_inputs: int, hidden_size: int):
        super().__init__()
        layers = nn.Sequential(
            nn.Linear(n_inputs, hidden_size, bias=False), nn.BatchNorm1d(hidden_size)
        )
        self.enc = cast(_Encoder, layers)

    def forward(self, mixture: torch.Tensor, affine: MeanScale) -> torch.Tensor:
        """Features (N, B, H) in [-1, 1] of magnitudes x (N, B, C * bins).

        W((x + mean) * scale) is computed as (W * scale) x + (W * scale) mean: the mixture is not
        copied for every source, and the gradients of mean and scale cost no product of their own.
        """
        linear, norm = self.enc
        hidden = F.linear(mixture.flatten(0, 1), *_after_affine(linear.weight, affine))
        return torch.tanh(norm(hidden)).unflatten(0, mixture.shape[:2])


class DecoderLayers(nn.Module):
    """The decoder of one source; `dec` is its name in the state dict."""

    def __init__(self, hidden_size: int, n_outputs: int):
        super().__init__()
        layers = nn.Sequential(
            nn.Linear(2 * hidden_size, hidden_size, bias=False),
            nn.BatchNorm1d(hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, n_outputs, bias=False),
            nn.BatchNorm1d(n_outputs),
        )
        self.dec = cast(_Decoder, layers)

    def forward(self, features: torch.Tensor, affine: MeanScale) -> torch.Tensor:
        """Mask (N, B, C * F), not yet rectified, of features (N, B, 2H).

        Mean and scale of the output join those of the last normalisation.
        """
        mean, scale = affine
        linear, norm, relu, last_linear, last_norm = self.dec
        hidden = last_linear(relu(norm(linear(features.flatten(0, 1)))))
        joined = {"weight": last_norm.weight * scale, "bias": last_norm.bias * scale + mean}
        return functional_call(last_norm, joined, (hidden,)).unflatten(0, features.shape[:2])


class Encoders(nn.ModuleDict):
    """The encoders of all sources."""

    def forward(self, mixture: torch.Tensor, affines: Sequence[MeanScale]) -> List[torch.Tensor]:
        """Features (N, B, H) of every source, of magnitudes (N, B, C * bins)."""
        return [encoder(mixture, affine) for encoder, affine in zip(self.values(), affines)]

    def fold(self, affines: Sequence[MeanScale]) -> "FoldedEncoders":
        """An equivalent single linear layer for eval mode, equal up to rounding."""
        layers = []
        for encoder, affine in zip(cast(Iterable[EncoderLayers], self.values()), affines):
            linear, norm = encoder.enc
            layers.append(_before_norm(*_after_affine(linear.weight.double(), affine), norm))
        return FoldedEncoders(layers)


class Decoders(nn.ModuleDict):
    """The decoders of all sources."""

    def forward(
        self, features: Sequence[torch.Tensor], affines: Sequence[MeanScale]
    ) -> torch.Tensor:
        """Masks (J, N, B, C * F) >= 0, of the features (N, B, 2H) of every source."""
        masks = [decoder(x, affine) for decoder, x, affine in zip(self.values(), features, affines)]
        return torch.stack(masks).relu_()

    def fold(self, affines: Sequence[MeanScale]) -> "FoldedDecoders":
        """Equivalent decoders for eval mode without normalisation, equal up to rounding."""
        first, last = [], []
        decoders = cast(Iterable[DecoderLayers], self.values())
        for decoder, (mean, scale) in zip(decoders, affines):
            linear, norm, _, last_linear, last_norm = decoder.dec
            first.append(_before_norm(linear.weight.double(), 0.0, norm))
            weight, bias = _before_norm(last_linear.weight.double(), 0.0, last_norm)
            last.append((scale[:, None] * weight, scale * bias + mean))
        return FoldedDecoders(first, last)


class RecurrentLayers(nn.ModuleDict):
    """The recurrent layers of all sources."""

    def forward(self, features: Sequence[torch.Tensor]) -> List[torch.Tensor]:
        """Run the recurrent layer of every source, (N, B, H) -> (N, B, H)."""
        return [layer(x)[0] for layer, x in zip(self.values(), features)]

    def fold(self, run_each: Map = map) -> "FoldedRecurrentLayers":
        """The same layers, called through `run_each`."""
        return FoldedRecurrentLayers(dict(self.items()), run_each)


class FoldedEncoders(nn.Module):
    """Result of `Encoders.fold`: one matrix product for all sources."""

    def __init__(self, layers: Sequence[WeightBias]):
        super().__init__()
        self.n_sources = len(layers)
        weights, biases = zip(*layers)
        self.linear = _make_linear(torch.cat(weights), torch.cat(biases))

    def forward(self, mixture: torch.Tensor) -> List[torch.Tensor]:
        """Features (N, B, H) of every source, of magnitudes (N, B, C * bins)."""
        return list(self.linear(mixture).tanh_().chunk(self.n_sources, dim=-1))


class FoldedRecurrentLayers(RecurrentLayers):
    """Result of `RecurrentLayers.fold`: it can run several sources at the same time.

    Threads that share one layer wait for each other at every frame, and a frame is too little work
    to share.
    """

    def __init__(self, layers: Mapping[str, nn.Module], run_each: Map):
        super().__init__(layers)
        self.run_each = run_each

    def forward(self, features: Sequence[torch.Tensor]) -> List[torch.Tensor]:
        """Run the recurrent layer of every source, (N, B, H) -> (N, B, H)."""
        return [output for output, _ in self.run_each(nn.LSTM.__call__, self.values(), features)]


class FoldedDecoders(nn.Module):
    """Result of `Decoders.fold`: the last layers of all sources are one batched product."""

    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(self, first: Sequence[WeightBias], last: Sequence[WeightBias]):
        super().__init__()
        self.first = nn.ModuleList(_make_linear(*layer) for layer in first)
        weights, biases = (torch.stack(tensors).float() for tensors in zip(*last))
        self.register_buffer("weight", weights.transpose(1, 2).contiguous())
        self.register_buffer("bias", biases[:, None])

    def forward(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Masks (J, N, B, C * F) >= 0, of the features (N, B, 2H) of every source."""
        hidden = [layer(x.flatten(0, 1)).relu_() for layer, x in zip(self.first, features)]
        masks = torch.baddbmm(self.bias, torch.stack(hidden), self.weight).relu_()
        return masks.unflatten(1, features[0].shape[:2])


def _after_affine(weight: torch.Tensor, affine: MeanScale) -> WeightBias:
    """Weight and bias of a linear layer that follows (x + mean) * scale."""
    mean, scale = affine
    weight = weight * scale
    return weight, weight @ mean.to(weight)


def _before_norm(
    weight: torch.Tensor, bias: Union[float, torch.Tensor], norm: nn.BatchNorm1d
) -> WeightBias:
    """Weight and bias of a linear layer that a normalisation in eval mode follows."""
    scale = norm.weight.double() / torch.sqrt(norm.get_buffer("running_var").double() + norm.eps)
    return scale[:, None] * weight, scale * (bias - norm.get_buffer("running_mean")) + norm.bias


def _make_linear(weight: torch.Tensor, bias: torch.Tensor) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    linear.weight = nn.Parameter(weight.float().contiguous(), requires_grad=False)
    linear.bias = nn.Parameter(bias.float(), requires_grad=False)
    return linear
