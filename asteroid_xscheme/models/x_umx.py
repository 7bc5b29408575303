"""X-UMX (CrossNet-Open-Unmix): magnitudes of a mixture in, magnitudes of its sources out.

Each source has an Open-Unmix: a linear encoder, a recurrent network and a linear decoder that
makes a mask. Two bridges join them: the mean of the encoders' outputs feeds every recurrent
network, and the mean of [encoder, recurrent] feeds every decoder.

Parameters, names and outputs are those of asteroid's `XUMX`, so files move freely between both.

References:
    [1] R. Sawata, S. Uhlich, S. Takahashi and Y. Mitsufuji, "All for one and one for all:
        improving music separation by bridging networks", ICASSP 2021,
        https://arxiv.org/abs/2010.04228 (figure 2).
    [2] F.-R. Stoeter, S. Uhlich, A. Liutkus and Y. Mitsufuji, "Open-Unmix - A reference
        implementation for music source separation", JOSS 2019.
"""

from copy import deepcopy
from dataclasses import replace
from typing import Callable, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from torch import nn

from ..bridge import BridgeChoice
from .bridged_models import Statistics
from .checks import check_power, check_sizes
from .inference import Estimates, Inference, Map, RoundingEffect
from .open_unmix import (
    DecoderLayers,
    Decoders,
    EncoderLayers,
    Encoders,
    MeanScale,
    RecurrentLayers,
)
from .spectrogram import SpectrogramModel

_AFFINES = ("input_mean", "input_scale", "output_mean", "output_scale")
_DROPOUT = 0.4  # between the layers of a recurrent network, as in [2]


class XUMX(SpectrogramModel):
    """X-UMX, figure 2 in [1]; with `bridge=False` one independent Open-Unmix [2] per source.

    Args:
        sources: Names of the sources, such as ["bass", "drums", "other", "vocals"].
        window_length: Samples of the Hann window, at most `in_chan`.
        in_chan: Size of the Fourier transform in samples; it has F = in_chan // 2 + 1 bins.
        n_hop: Samples between two frames.
        hidden_size: Features H per frame.
        nb_channels: Channels C of the mixture; 1 reads the mean of the channels it is given.
        sample_rate: Rate of the waveforms in Hz.
        nb_layers: Number of recurrent layers.
        input_mean: Mean magnitude of each bin over the training mixtures, (>= max_bin,) array or
            tensor; it starts the input normalisation of every source, which is then trained.
        input_scale: Standard deviation of each bin, likewise, all positive.
        max_bin: Number of lowest bins that the networks look at; by default all.
        bidirectional: Whether the recurrent networks also run backwards.
        spec_power: Exponent p of the spectrograms |X|^p.
        return_time_signals: Whether `forward` also returns waveforms.
        bridge: True for both bridges, False for none, or names out of "encoder" and "recurrent".

    Raises:
        ValueError: If an argument, or two together, describe no such network; the message says
            which, what was expected and what came.
    """

    title = "X-UMX"
    bridge_points = ("encoder", "recurrent")
    default_bridge_points = bridge_points

    def __init__(
        self,
        sources: Sequence[str],
        window_length: int = 4096,
        in_chan: int = 4096,
        n_hop: int = 1024,
        hidden_size: int = 512,
        nb_channels: int = 2,
        sample_rate: float = 44100,
        nb_layers: int = 3,
        input_mean: Optional[Union[np.ndarray, torch.Tensor]] = None,
        input_scale: Optional[Union[np.ndarray, torch.Tensor]] = None,
        max_bin: Optional[int] = None,
        bidirectional: bool = True,
        spec_power: float = 1,
        return_time_signals: bool = False,
        bridge: BridgeChoice = True,
    ):
        super().__init__(sources, sample_rate, nb_channels, bridge)
        check_sizes(window_length=window_length, in_chan=in_chan, n_hop=n_hop)
        check_sizes(hidden_size=hidden_size, nb_layers=nb_layers)
        check_power(spec_power)
        if window_length > in_chan:
            raise ValueError(f"Expected a window_length of at most {in_chan}, got {window_length}.")
        if bidirectional and hidden_size % 2:
            raise ValueError(
                f"Expected an even hidden_size for a bidirectional LSTM, got {hidden_size}."
            )
        self.window_length = window_length
        self.in_chan = self.n_fft = in_chan
        self.n_hop = self.hop = n_hop
        self.nb_output_bins = in_chan // 2 + 1
        self.max_bin = _check_max_bin(max_bin, self.nb_output_bins)
        self.hidden_size = hidden_size
        self.nb_layers = nb_layers
        self.bidirectional = bidirectional
        self.spec_power = spec_power
        self.return_time_signals = return_time_signals

        window = nn.Parameter(torch.hann_window(window_length).clone(), requires_grad=False)
        self.encoder = nn.Sequential(_Window(window))
        self._keys = [_module_name(source) for source in self.sources]
        networks = [self._make_network() for _ in self.sources]
        encoders, recurrent, decoders = zip(*networks)
        self.layer_enc = Encoders(dict(zip(self._keys, encoders)))
        self.layer_lstm = RecurrentLayers(dict(zip(self._keys, recurrent)))
        self.layer_dec = Decoders(dict(zip(self._keys, decoders)))
        self.mean_scale = self._make_mean_scale(input_mean, input_scale)
        self.decoder = _Window(window)

    def _make_mean_scale(self, input_mean, input_scale) -> nn.ParameterDict:
        """Affine maps of each source's input and output, under the names that asteroid gives."""
        mean = _check_statistic("input_mean", input_mean, self.max_bin, default=0.0)
        scale = _check_statistic("input_scale", input_scale, self.max_bin, default=1.0)
        if input_scale is not None and not (scale > 0).all():
            raise ValueError(
                "Expected positive values in input_scale; replace those of silent bins by a small "
                "value."
            )
        starts = {
            "input_mean": -mean,
            "input_scale": 1.0 / scale,
            "output_mean": torch.ones(self.nb_output_bins),
            "output_scale": torch.ones(self.nb_output_bins),
        }
        return nn.ParameterDict(
            {
                f"{name}_{key}": nn.Parameter(start.clone())
                for key in self._keys
                for name, start in starts.items()
            }
        )

    def start_normalisation(self, measure: Callable[[], Statistics]) -> None:
        """Begin with the statistics as `input_mean` and `input_scale`."""
        starts = self._make_mean_scale(*measure())
        self.mean_scale.load_state_dict(starts.state_dict())

    def _make_network(self) -> Tuple[nn.Module, nn.Module, nn.Module]:
        """Encoder, recurrent network and decoder of one source."""
        directions = 2 if self.bidirectional else 1
        encoder = EncoderLayers(self.max_bin * self.nb_channels, self.hidden_size)
        recurrent = nn.LSTM(
            input_size=self.hidden_size,
            hidden_size=self.hidden_size // directions,
            num_layers=self.nb_layers,
            bidirectional=self.bidirectional,
            dropout=_DROPOUT if self.nb_layers > 1 else 0.0,
        )
        decoder = DecoderLayers(self.hidden_size, self.nb_output_bins * self.nb_channels)
        return encoder, recurrent, decoder

    @property
    def window(self) -> torch.Tensor:  # type: ignore[override]  # a parameter of a submodule
        """The analysis and synthesis window."""
        return self.decoder.window

    @property
    def inference(self) -> Inference:
        """How to separate songs; see :attr:`SpectrogramModel.inference`."""
        return replace(super().inference, bfloat16=RoundingEffect(deviation_db=-53, sdr_db=0.002))

    def estimate_magnitudes(self, magnitudes: torch.Tensor) -> torch.Tensor:
        """Magnitudes (N, B, C, F) of the mixture -> (J, N, B, C, F) of the sources; see [1]."""
        return self._decode(self._features(magnitudes), magnitudes)

    def estimate_by_frames(self, magnitudes: torch.Tensor) -> Estimates:
        """Recurrent networks at once, decoders on demand: their output is 16 times their input.

        Decoders keep the precision of the magnitudes: in bfloat16 they would change the estimates
        ten times as much as the other layers.
        """
        features = self._features(magnitudes)
        return lambda frames, items: self._decode(
            [x[frames, items].to(magnitudes.dtype) for x in features], magnitudes[frames, items]
        )

    def _decode(self, features: List[torch.Tensor], magnitudes: torch.Tensor) -> torch.Tensor:
        """Magnitudes (J, N, B, C, F) of the sources, of the features (N, B, 2H) of each."""
        masks = self.layer_dec(features, *self._affines("output"))
        masks = masks.unflatten(-1, (self.nb_channels, self.nb_output_bins))
        return masks * magnitudes if masks.requires_grad else masks.mul_(magnitudes)

    def _features(self, magnitudes: torch.Tensor) -> List[torch.Tensor]:
        """What the decoders of the sources read, (N, B, 2H) each."""
        encoded = self.layer_enc(
            magnitudes[..., : self.max_bin].flatten(2), *self._affines("input")
        )
        shared = self.bridges("encoder", encoded)
        joined = [torch.cat(pair, dim=-1) for pair in zip(encoded, self.layer_lstm(shared))]
        return self.bridges("recurrent", joined)

    def fold(self, run_each: Map = map) -> "XUMX":
        """A copy for inference: affine maps and normalisations joined with the linear layers.

        All encoders become one product, and `run_each` calls the recurrent networks. The copy
        separates and is exported; it cannot be saved.
        """
        if not self.mean_scale:
            return super().fold()
        with torch.no_grad():
            encoders = self.layer_enc.fold(*self._affines("input"))
            decoders = self.layer_dec.fold(*self._affines("output"))
        replaced = {
            id(self.layer_enc): encoders,
            id(self.layer_dec): decoders,
            id(self.mean_scale): nn.ParameterDict(),
        }
        folded = deepcopy(self, replaced)  # copies the rest
        folded.layer_lstm = folded.layer_lstm.fold(run_each)
        return folded.eval()

    def _affines(self, side: str) -> List[List[MeanScale]]:
        """Mean and scale of every source at its "input" or "output", repeated for every channel.

        As a list of arguments, which is empty in a folded model: its layers hold them.
        """
        if not self.mean_scale:
            return []
        names = [(f"{side}_mean_{key}", f"{side}_scale_{key}") for key in self._keys]
        repeat = self.nb_channels
        return [[tuple(self.mean_scale[x].repeat(repeat) for x in pair) for pair in names]]

    def weights_by_source(self) -> dict[Optional[str], dict[str, torch.Tensor]]:
        """By source, the tensors of its Open-Unmix; see :meth:`BridgedModel.weights_by_source`."""
        layers, affines = ("layer_enc", "layer_lstm", "layer_dec"), self.mean_scale.state_dict()
        return {
            source: {
                **{
                    f"{layer}.{name}": tensor
                    for layer in layers
                    for name, tensor in getattr(self, layer)[key].state_dict().items()
                },
                **{name: affines[f"{name}_{key}"] for name in _AFFINES},
            }
            for source, key in zip(self.sources, self._keys)
        }

    def get_model_args(self) -> dict:
        """Arguments that rebuild the model, those of asteroid's `XUMX` (and `bridge`, see base)."""
        return {
            "window_length": self.window_length,
            "in_chan": self.in_chan,
            "n_hop": self.n_hop,
            "hidden_size": self.hidden_size,
            "input_mean": None,  # the state dict holds them, as trained
            "input_scale": None,
            "max_bin": self.max_bin,
            "nb_layers": self.nb_layers,
            "bidirectional": self.bidirectional,
            "spec_power": self.spec_power,
            "return_time_signals": False,
            **super().get_model_args(),
        }


class _Window(nn.Module):
    """Holds the window of the STFT, which is in the state dict of asteroid's model twice."""

    def __init__(self, window: nn.Parameter):
        super().__init__()
        self.window = window


def _module_name(source: str) -> str:
    """Name of a source's modules: the source, or what torch accepts in its place.

    torch refuses dots and the names of a ModuleDict's own attributes, such as "keys".
    """
    name = source.replace("%", "%25").replace(".", "%2E")
    return f"%{name}" if name in dir(nn.ModuleDict()) else name


def _check_max_bin(max_bin: Optional[int], n_bins: int) -> int:
    max_bin = int(max_bin) if max_bin else n_bins  # files of asteroid's recipe hold numpy integers
    if not 0 < max_bin <= n_bins:
        raise ValueError(f"Expected max_bin within the {n_bins} bins of the STFT, got {max_bin}.")
    return max_bin


def _check_statistic(name: str, values, max_bin: int, default: float) -> torch.Tensor:
    """The first `max_bin` values of a statistic as a float tensor, or the default in each bin."""
    if values is None:
        return torch.full((max_bin,), default)
    tensor = torch.as_tensor(values, dtype=torch.float32).detach()
    if tensor.ndim != 1 or len(tensor) < max_bin:
        raise ValueError(
            f"Expected {name} of shape (>= {max_bin},), one value per bin up to max_bin, "
            f"got {tuple(tensor.shape)}."
        )
    return tensor[:max_bin]
