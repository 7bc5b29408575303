import random
from functools import partial
from math import ceil
from pathlib import Path

import numpy as np
import soundfile as sf
import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.distributed import DistributedSampler

from asteroid.data import MUSDB18Dataset

validation_tracks = [
    "Actions - One Minute Smile",
    "Clara Berry And Wooldog - Waltz For My Victims",
    "Johnny Lokke - Promises & Lies",
    "Patrick Talbot - A Reason To Leave",
    "Triviul - Angelsaint",
    "Alexander Ross - Goodbye Bolero",
    "Fergessen - Nos Palpitants",
    "Leaf - Summerghost",
    "Skelpolu - Human Mistakes",
    "Young Griffo - Pennies",
    "ANiMAL - Rockshow",
    "James May - On The Line",
    "Meaxic - Take A Step",
    "Traffic Experiment - Sirens",
]


class RandomMixes(MUSDB18Dataset):
    """Segments of all tracks of `train` but the validation tracks, mixed at random.

    Items are asked for by (epoch, index). Together with the seed, these decide what is drawn, in
    whatever process, so neither ranks nor workers nor epochs repeat each other's mixes.

    Args:
        data (dict): Group `data` of the configuration, see local/conf.yml.
    """

    def __init__(self, data):
        sources = data["sources"].split(",")
        super().__init__(
            root=data["train_dir"],
            sources=sources,
            targets=sources,
            segment=data["seq_dur"],
            samples_per_track=data["samples_per_track"],
            random_segments=True,
            random_track_mix=True,
            source_augmentations=partial(augment, data=data),
            sample_rate=data["sample_rate"],
        )
        self.seed = data["seed"]
        self.tracks = [t for t in self.tracks if t["path"].name not in validation_tracks]
        if not self.tracks:
            raise RuntimeError(
                f"{self.root}/train has no track of at least {self.segment} s to train on."
            )

    def __getitem__(self, key):
        random.seed("{}-{}-{}".format(self.seed, *key))
        return super().__getitem__(key[1])


def augment(audio, data):
    """A source with a random gain, its channels swapped and its polarity inverted or not."""
    audio = audio * random.uniform(data["gain_min"], data["gain_max"])
    if data["channelswap"] and random.random() < 0.5:
        audio = audio.flip(0)
    if data["polarity"] and random.random() < 0.5:
        audio = -audio
    return audio


class EpochSampler(DistributedSampler):
    """Each rank's (epoch, index), in a new order in each epoch, which Lightning sets."""

    def __iter__(self):
        return ((self.epoch, index) for index in super().__iter__())


class Chunks(Dataset):
    """The validation tracks in consecutive chunks: every sample once, whatever the ranks.

    Args:
        data (dict): Group `data` of the configuration, see local/conf.yml.
        chunk_dur (float): Longest chunk in seconds.
        multiple (int): Of what the number of chunks is a multiple: the number of ranks.
    """

    def __init__(self, data, chunk_dur, multiple=1):
        self.sources = data["sources"].split(",")
        self.chunks = []
        for path in (Path(data["train_dir"], "train", name) for name in validation_tracks):
            if path.is_dir():
                n_samples = check_track(path, self.sources, data["sample_rate"])
                n_chunks = multiple * ceil(n_samples / (multiple * chunk_dur * data["sample_rate"]))
                edges = [n_samples * k // n_chunks for k in range(n_chunks + 1)]
                self.chunks += [(path, *chunk) for chunk in zip(edges[:-1], edges[1:])]
        if not self.chunks:
            raise RuntimeError(f"{data['train_dir']}/train has none of the validation tracks.")

    def __len__(self):
        return len(self.chunks)

    def __getitem__(self, index):
        path, start, stop = self.chunks[index]
        sources = read_sources(path, self.sources, start, stop)
        return sources.sum(0), sources


def check_track(path, sources, sample_rate):
    """Number of samples that all sources of a track have."""
    infos = [sf.info(path / f"{source}.wav") for source in sources]
    for info in infos:
        if info.samplerate != sample_rate:
            raise RuntimeError(f"{info.name} has {info.samplerate} Hz instead of {sample_rate} Hz.")
    return min(info.frames for info in infos)


def read_sources(path, sources, start=0, stop=None):
    """Sources of a track from sample `start` to `stop`, tensor (source, channel, time)."""
    kwargs = dict(start=start, stop=stop, always_2d=True, dtype="float32")
    wavs = [sf.read(path / f"{source}.wav", **kwargs)[0] for source in sources]
    return torch.from_numpy(np.stack(wavs)).transpose(1, 2)


def make_loaders(conf, rank=0, world_size=1):
    """Loaders of one rank: of batches of training mixes, and of the validation chunks."""
    data, batch_size = conf["data"], conf["training"]["batch_size"]
    train_set = RandomMixes(data)
    valid_set = Chunks(data, conf["training"]["val_dur"], multiple=world_size)
    ranks = dict(num_replicas=world_size, rank=rank)
    train_sampler = EpochSampler(train_set, seed=data["seed"], drop_last=True, **ranks)
    valid_sampler = DistributedSampler(valid_set, shuffle=False, **ranks)
    workers = dict(num_workers=data["num_workers"], pin_memory=torch.cuda.is_available())
    train_loader = DataLoader(
        train_set, batch_size, sampler=train_sampler, drop_last=True, **workers
    )
    if not len(train_loader):
        raise RuntimeError(
            f"{len(train_set)} segments make no batch of {batch_size} on each of {world_size} "
            "devices: raise samples_per_track or lower batch_size."
        )
    return train_loader, DataLoader(valid_set, sampler=valid_sampler, **workers)
