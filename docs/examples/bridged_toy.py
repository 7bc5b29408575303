"""Add bridges, MDL and CL to your own network: `python docs/examples/bridged_toy.py`."""

import torch
from torch import Tensor, nn

from asteroid_xscheme import MultiDomainLoss, Separator
from asteroid_xscheme.models import SpectrogramModel

SOURCES = ["hum", "hiss"]


class Network(nn.Module):
    """The network of one source: encoder, body and decoder of magnitudes (N, B, C * F)."""

    def __init__(self, n_inputs: int, hidden: int):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(n_inputs, hidden), nn.Tanh())
        self.body = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU())
        self.decoder = nn.Sequential(nn.Linear(hidden, n_inputs), nn.Sigmoid())


class BridgedToy(SpectrogramModel):
    """One `Network` per source; each masks the mixture."""

    bridge_points = default_bridge_points = ("encoder", "body")

    def __init__(self, sources, nb_channels=2, sample_rate=8000, hidden=16, bridge=True):
        super().__init__(sources, sample_rate, nb_channels, bridge)
        self.n_fft, self.hop, self.hidden = 512, 128, hidden
        self.register_buffer("window", torch.hann_window(self.n_fft), persistent=False)
        n_inputs = nb_channels * (self.n_fft // 2 + 1)
        self.networks = nn.ModuleList(Network(n_inputs, hidden) for _ in self.sources)

    def estimate_magnitudes(self, magnitudes: Tensor) -> Tensor:
        """Magnitudes (N, B, C, F) of the mixture -> (J, N, B, C, F) of the sources."""
        mixture = magnitudes.flatten(2)
        own = [network.encoder(mixture) for network in self.networks]
        shared = self.bridges("encoder", own)
        bodies = [net.body(x) + y for net, x, y in zip(self.networks, shared, own)]  # own skip
        features = self.bridges("body", bodies)
        masks = [net.decoder(x) for net, x in zip(self.networks, features)]
        return torch.stack([mask.view_as(magnitudes) * magnitudes for mask in masks])

    def get_model_args(self) -> dict:
        """Arguments that rebuild the model."""
        return {**super().get_model_args(), "hidden": self.hidden}


def make_songs(n_songs: int, n_samples: int = 8000) -> Tensor:
    """Sources (B, J, C, T): a 200 Hz hum and hiss."""
    time = torch.arange(n_samples) / 8000
    hum = (2 * torch.pi * (200 * time + torch.rand(n_songs, 1, 1))).sin().expand(-1, 2, -1)
    return torch.stack([hum, 0.3 * torch.randn(hum.shape)], dim=1)


def train(model: BridgedToy, n_steps: int) -> float:
    """Train with MDL and CL; the last loss."""
    loss_function = MultiDomainLoss(512, 512, 128, 1, model.nb_channels, True, True, 10.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(n_steps):
        sources = make_songs(n_songs=4)
        loss = loss_function(model(sources.sum(1)), sources)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


if __name__ == "__main__":
    for bridge in (False, ["encoder"], True):
        torch.manual_seed(0)
        toy = BridgedToy(SOURCES, bridge=bridge)
        n_parameters = sum(parameter.numel() for parameter in toy.parameters())
        print(f"bridge={bridge}: {n_parameters} parameters, loss {train(toy, n_steps=100):.3f}")
    toy = BridgedToy.from_pretrained(toy.serialize())
    print(f"separated into {', '.join(Separator(toy).separate(make_songs(1)[0].sum(0)))}")
