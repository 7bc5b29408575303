"""Configurations of D3Net, including the official ones.

A configuration is a frozen dataclass or the dictionary of plain values that it is saved as. It is
checked once, here, so that the networks need no checks of their own.

Source of the official configurations and of the names in them: N. Takahashi and Y. Mitsufuji,
"D3Net: Densely connected multidilated DenseNet for music source separation", arXiv 2010.01733,
and the configurations that its authors published with their trained networks.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Tuple, Union

from .checks import check_arguments, check_sizes

FeatureShape = Tuple[int, int]  # (channels, bins) of a feature map


@dataclass(frozen=True)
class PathConfig:
    """One multi-scale path of 2n + 1 D3 blocks: n going down, the bottleneck, n going up.

    Args:
        init_channels: Channels of the convolution before the first block.
        growth: For each D3 block its growth rate k, which is also its number of channels.
        layers: For each D3 block the layers L of its D2 blocks.
        blocks: For each D3 block its number M of D2 blocks.
    """

    init_channels: int
    growth: Tuple[int, ...]
    layers: Tuple[int, ...]
    blocks: Tuple[int, ...]

    def __post_init__(self):
        _as_tuples(self, "growth", "layers", "blocks")
        lengths = {len(self.growth), len(self.layers), len(self.blocks)}
        if len(lengths) != 1 or len(self.growth) % 2 == 0:
            raise ValueError(
                "Expected an odd number of D3 blocks, with one value each of growth, layers and "
                f"blocks, got {len(self.growth)}, {len(self.layers)} and {len(self.blocks)} values."
            )
        if min(self.init_channels, *self.growth, *self.layers, *self.blocks) < 1:
            raise ValueError(f"Expected all numbers of a path to be at least 1, got {self}.")

    @property
    def depth(self) -> int:
        """Number n of times that the path halves its feature maps."""
        return len(self.growth) // 2


@dataclass(frozen=True)
class D3NetConfig:
    """The network of one source: a path per frequency band, one for all bands, a final D2 block.

    Args:
        valid_bins: Number of lowest bins that the network reads and estimates.
        splits: The bins, in ascending order, at which a new band begins; one fewer than bands.
        bands: The path of each band, from low to high.
        full: The path of all valid bins.
        final_growth: Growth rate of the final D2 block.
        final_layers: Layers of the final D2 block.
        patch_frames: Frames that the network processes at once in whole songs.
        patch_shift: Frames from one such patch to the next, a divisor of `patch_frames`.
    """

    valid_bins: int
    splits: Tuple[int, ...]
    bands: Tuple[PathConfig, ...]
    full: PathConfig
    final_growth: int = 12
    final_layers: int = 3
    patch_frames: int = 256
    patch_shift: int = 128

    def __post_init__(self):
        check_sizes(valid_bins=self.valid_bins, patch_frames=self.patch_frames)
        check_sizes(final_growth=self.final_growth, final_layers=self.final_layers)
        _as_tuples(self, "splits", "bands")
        widths = self.band_widths
        if len(widths) != len(self.bands) or min(widths) < 1:
            raise ValueError(
                f"Expected {len(self.bands) - 1} ascending splits within {self.valid_bins} bins "
                f"for {len(self.bands)} bands, got {list(self.splits)}."
            )
        for path, width in zip((*self.bands, self.full), (*widths, self.valid_bins)):
            if width % 2**path.depth:
                raise ValueError(
                    f"A path that halves its feature maps {path.depth} times needs a number of "
                    f"bins divisible by {2 ** path.depth}, got {width}; move the splits or "
                    "valid_bins."
                )
        if self.patch_shift < 1 or self.patch_frames % self.patch_shift:
            raise ValueError(
                f"Expected patch_shift to divide patch_frames, got {self.patch_shift} and "
                f"{self.patch_frames}."
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "D3NetConfig":
        """The configuration of a dictionary as :meth:`to_dict` makes it."""
        if not isinstance(values, Mapping):
            raise ValueError(f"Expected the name or dictionary of a network, got {values!r:.80}.")
        values = dict(values)
        if isinstance(values.get("bands"), (list, tuple)):
            values["bands"] = [_path(band) for band in values["bands"]]
        if "full" in values:
            values["full"] = _path(values["full"])
        check_arguments(cls, **values)
        return cls(**values)

    def with_patches(self, n_frames: int) -> "D3NetConfig":
        """The same network, for songs in patches of `n_frames` or one less, shifted by half."""
        shift = max(1, n_frames // 2)
        return dataclasses.replace(self, patch_frames=2 * shift, patch_shift=shift)

    def to_dict(self) -> Dict[str, Any]:
        """The same as dictionaries, lists and integers, as it is saved in a file."""
        return _plain(dataclasses.asdict(self))

    @property
    def band_widths(self) -> Tuple[int, ...]:
        """Number of bins of each band."""
        edges = (0, *self.splits, self.valid_bins)
        return tuple(high - low for low, high in zip(edges, edges[1:]))

    @property
    def band_channels(self) -> int:
        """Channels of the bands where they are joined: the most that one of them has."""
        return max(band.growth[-1] for band in self.bands)

    @property
    def pooling(self) -> int:
        """The number of frames that the network takes at once is a multiple of this."""
        return 2 ** max(path.depth for path in (*self.bands, self.full))

    def feature_shapes(self, point: str) -> Tuple[FeatureShape, ...]:
        """Channels and bins of the feature maps at a bridging point, one for each path there."""
        paths = tuple(zip((*self.bands, self.full), (*self.band_widths, self.valid_bins)))
        channels = {
            "bands": self.band_channels,
            "full": self.full.growth[-1],
            "concat": self.band_channels + self.full.growth[-1],
            "final": self.final_growth,
        }
        if point == "init":
            return tuple((path.init_channels, width) for path, width in paths)
        if point == "first_block":
            return tuple((path.growth[0], width) for path, width in paths)
        return ((channels[point], self.valid_bins),)

    def scaled(self, n_fft: int, to_n_fft: int) -> "D3NetConfig":
        """The same bands in Hz at another size of the Fourier transform.

        Band edges move to the nearest multiple that the paths can halve.

        >>> OFFICIAL["vocals"].scaled(4096, 2048).valid_bins
        800
        """
        step = self.pooling
        edges = [
            max(step, step * round(edge * to_n_fft / n_fft / step))
            for edge in (*self.splits, self.valid_bins)
        ]
        return dataclasses.replace(self, splits=tuple(edges[:-1]), valid_bins=edges[-1])


def _path(values: Any) -> PathConfig:
    """The path of a dictionary."""
    if not isinstance(values, Mapping):
        raise ValueError(f"Expected the dictionary of a path, got {values!r:.80}.")
    check_arguments(PathConfig, **values)
    return PathConfig(**values)


def _as_tuples(config: Any, *names: str) -> None:
    for name in names:
        object.__setattr__(config, name, tuple(getattr(config, name)))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _low(layers: Tuple[int, ...], growth: Tuple[int, ...]) -> PathConfig:
    return PathConfig(32, growth, layers, (2,) * 7)


def _high(depth: int) -> PathConfig:
    ones = (1,) * (2 * depth + 1)
    return PathConfig(8, (2,) * len(ones), ones, ones)


def _full(layers: Tuple[int, ...], growth: Tuple[int, ...]) -> PathConfig:
    return PathConfig(32, growth, layers, (2,) * 9)


_VOCALS = D3NetConfig(
    valid_bins=1600,
    splits=(256,),
    bands=(_low((5, 5, 5, 5, 4, 4, 4), (16, 18, 20, 22, 20, 18, 16)), _high(2)),
    full=_full((4, 5, 6, 7, 8, 6, 5, 4, 4), (13, 14, 15, 16, 17, 16, 14, 12, 11)),
)
_DRUMS = D3NetConfig(
    valid_bins=1600,
    splits=(128,),
    bands=(_low((5, 5, 5, 4, 4, 4, 4), (16, 18, 20, 22, 20, 18, 16)), _high(2)),
    full=_full((4, 5, 6, 7, 8, 6, 6, 4, 4), (13, 14, 15, 16, 16, 16, 14, 12, 11)),
)
_BASS = D3NetConfig(
    valid_bins=1600,
    splits=(192,),
    bands=(_low((5, 5, 5, 5, 4, 4, 4), (16, 18, 18, 20, 18, 16, 16)), _high(3)),
    full=_full((4, 5, 6, 7, 8, 6, 6, 4, 4), (10, 10, 12, 14, 16, 14, 12, 8, 8)),
    patch_frames=384,
    patch_shift=192,
)
_SMALL = D3NetConfig(
    valid_bins=1600,
    splits=(256,),
    bands=(PathConfig(8, (6, 8, 6), (3, 3, 3), (1, 1, 1)), PathConfig(4, (2,), (1,), (1,))),
    full=PathConfig(8, (4, 6, 8, 6, 4), (2, 3, 3, 3, 2), (1,) * 5),
    final_growth=6,
    final_layers=2,
    patch_frames=64,
    patch_shift=32,
)

REFERENCE_N_FFT = 4096  # of the configurations below
OFFICIAL: Mapping[str, D3NetConfig] = {
    "bass": _BASS,
    "drums": _DRUMS,
    "other": _VOCALS,
    "vocals": _VOCALS,
}
NAMED: Mapping[str, D3NetConfig] = {**OFFICIAL, "small": _SMALL}


def configuration(choice: Union[str, Mapping[str, Any], D3NetConfig], n_fft: int) -> D3NetConfig:
    """The configuration for a name or a configuration.

    Args:
        choice: A name in `NAMED`, scaled to `n_fft`; or a configuration, unchanged.
        n_fft: Size of the Fourier transform.

    Raises:
        ValueError: If the name is unknown or the valid bins exceed the transform's.
    """
    if isinstance(choice, str):
        if choice not in NAMED:
            raise ValueError(f"Unknown D3Net {choice!r}; known are {sorted(NAMED)}.")
        chosen = NAMED[choice].scaled(REFERENCE_N_FFT, n_fft)
    elif isinstance(choice, D3NetConfig):
        chosen = choice
    else:
        chosen = D3NetConfig.from_dict(choice)
    if chosen.valid_bins > n_fft // 2 + 1:
        raise ValueError(
            f"The network needs {chosen.valid_bins} valid bins, but a Fourier transform of "
            f"{n_fft} samples has {n_fft // 2 + 1}."
        )
    return chosen
