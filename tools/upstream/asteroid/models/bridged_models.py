import torch

from ..bridge import Bridges
from .base_models import BaseModel


class BridgedModel(BaseModel):
    """Base class for sets of networks, one per source, that share features at bridging points.

    Subclasses overwrite `bridge_points`, `default_bridge_points`, `forward` and `forward_wav`, and
    extend `get_model_args`.

    Args:
        sources (list of str): Names of the sources.
        sample_rate (float): Sampling rate of the waveforms.
        nb_channels (int): Number of channels of the waveforms. A mono model reads the mean of the
            channels that it is given.
        bridge (bool, str or list of str): True for `default_bridge_points`, False for independent
            networks, or names out of `bridge_points`.
    """

    bridge_points = ()
    default_bridge_points = ()

    def __init__(self, sources, sample_rate, nb_channels, bridge):
        super().__init__(sample_rate, in_channels=nb_channels)
        self.sources = list(sources)
        self.nb_channels = nb_channels
        self.bridges = Bridges(bridge, self.bridge_points, self.default_bridge_points)

    def get_model_args(self):
        """Arguments needed to re-instantiate the model; `bridge` only if it is not the default."""
        args = {
            "sources": self.sources,
            "sample_rate": self.sample_rate,
            "nb_channels": self.nb_channels,
        }
        if self.bridges.open != self.default_bridge_points:
            args["bridge"] = list(self.bridges.open) or False
        return args


def as_batch(wav: torch.Tensor, n_channels: int) -> torch.Tensor:
    """Bring waveforms of 1, 2 or 3 dimensions to $(batch, channels, time)$.

    As in other models, waveforms of 1 or 2 dimensions have one channel; it feeds all channels.

    Args:
        wav (torch.Tensor): waveform tensor. 1D, 2D or 3D tensor, time last.
        n_channels (int): Channels of the model; a mono model takes any number.

    Returns:
        torch.Tensor, of shape $(batch, channels, time)$.
    """
    if wav.ndim < 3:
        wav = wav.reshape(-1, 1, wav.shape[-1])
    if wav.shape[1] == 1:
        return wav.expand(-1, n_channels, -1)
    if n_channels not in (1, wav.shape[1]):
        raise ValueError(f"Expected waveforms of {n_channels} channels, got {tuple(wav.shape)}.")
    return wav
