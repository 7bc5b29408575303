import random
from functools import partial
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

musdb18_license = dict(
    title="MUSDB18",
    title_link="https://doi.org/10.5281/zenodo.1117372",
    author="Zafar Rafii, Antoine Liutkus, Fabian-Robert Stöter, Stylianos Ioannis Mimilakis "
    "and Rachel Bittner",
    author_link="https://sigsep.github.io/datasets/musdb.html",
    license="Academic use only, most tracks CC BY-NC-SA",
    license_link="https://sigsep.github.io/datasets/musdb.html",
    non_commercial=True,
)


class RandomMixes(MUSDB18Dataset):
    """Segments of all tracks of `train` but the validation tracks, mixed at random.

    Items are asked for by (epoch, index). Together with the seed, these decide what is drawn, in
    whatever process, so neither ranks nor workers nor epochs repeat each other's mixes.

    Args:
        seed (int): Seed of the mixes.
        **kwargs: Arguments of :class:`MUSDB18Dataset`.
    """

    def __init__(self, seed, **kwargs):
        super().__init__(split="train", random_segments=True, random_track_mix=True, **kwargs)
        self.seed = seed
        self.tracks = [t for t in self.tracks if t["path"].name not in validation_tracks]
        self.tracks.sort(key=lambda track: track["path"].name)
        if not self.tracks:
            raise RuntimeError(
                f"{self.root}/train has no track of at least {self.segment} s to train on."
            )

    def __getitem__(self, key):
        random.seed("{}-{}-{}".format(self.seed, *key))
        return super().__getitem__(key[1])

    def get_infos(self):
        """Dataset infos, for publishing models."""
        return dict(dataset="MUSDB18", task="music_separation", licenses=[musdb18_license])


class EpochSampler(DistributedSampler):
    """Each rank's (epoch, index), in a new order in each epoch, which Lightning sets."""

    def __iter__(self):
        return ((self.epoch, index) for index in super().__iter__())


class Chunks(Dataset):
    """The validation tracks in consecutive chunks: every sample once, whatever the ranks.

    Args:
        root (str): Path of the dataset.
        sources (list of str): Names of the sources.
        sample_rate (int): Sample rate of the files.
        chunk_dur (float): Longest chunk in seconds.
        multiple (int): Of what the number of chunks is a multiple: the number of ranks.
    """

    def __init__(self, root, sources, sample_rate, chunk_dur, multiple=1):
        self.sources = sources
        self.chunks = []
        for path in (Path(root, "train", name) for name in sorted(validation_tracks)):
            if path.is_dir():
                n_samples = check_track(path, sources, sample_rate)
                n_chunks = int(np.ceil(n_samples / (chunk_dur * sample_rate)))
                edges = np.linspace(0, n_samples, n_chunks + 1).astype(int)
                self.chunks += [(path, *edge) for edge in zip(edges[:-1], edges[1:])]
        if not self.chunks:
            raise RuntimeError(f"{root}/train has none of the validation tracks.")
        while len(self.chunks) % multiple:
            longest = max(range(len(self.chunks)), key=lambda k: np.diff(self.chunks[k][1:]))
            path, start, stop = self.chunks[longest]
            middle = (start + stop) // 2
            self.chunks[longest : longest + 1] = [(path, start, middle), (path, middle, stop)]

    def __len__(self):
        return len(self.chunks)

    def __getitem__(self, index):
        sources = read_sources(self.chunks[index][0], self.sources, *self.chunks[index][1:])
        return sources.sum(0), sources


def check_track(path, sources, sample_rate):
    """Number of samples that all sources of a track have."""
    infos = [sf.info(str(path / f"{source}.wav")) for source in sources]
    for source, info in zip(sources, infos):
        if info.samplerate != sample_rate:
            raise RuntimeError(
                f"{path / source}.wav has {info.samplerate} Hz where {sample_rate} Hz are expected."
            )
    return min(info.frames for info in infos)


def read_sources(path, sources, start=0, stop=None):
    """Sources of a track from sample `start` to `stop`, tensor (source, channel, time)."""
    kwargs = dict(start=int(start), stop=stop and int(stop), always_2d=True, dtype="float32")
    return torch.stack(
        [torch.from_numpy(sf.read(str(path / f"{name}.wav"), **kwargs)[0].T) for name in sources]
    )


def make_loaders(conf, rank=0, world_size=1):
    """Loaders of the training mixes and the validation chunks of one rank.

    Args:
        conf (dict): Configuration, as in local/conf.yml.
        rank (int): Number of the process.
        world_size (int): How many processes there are.

    Returns:
        (DataLoader, DataLoader), of batches (mixture, sources).
    """
    data, training = conf["data"], conf["training"]
    sources = data["sources"].split(",")
    train_set = RandomMixes(
        seed=data["seed"],
        root=data["train_dir"],
        sources=sources,
        targets=sources,
        segment=data["seq_dur"],
        samples_per_track=data["samples_per_track"],
        sample_rate=data["sample_rate"],
        source_augmentations=make_augmentation(data),
    )
    valid_set = Chunks(
        data["train_dir"], sources, data["sample_rate"], training["val_dur"], world_size
    )
    ranks = dict(num_replicas=world_size, rank=rank)
    workers = dict(num_workers=data["num_workers"], pin_memory=torch.cuda.is_available())
    train_loader = DataLoader(
        train_set,
        sampler=EpochSampler(train_set, seed=data["seed"], drop_last=True, **ranks),
        batch_size=training["batch_size"],
        drop_last=True,
        **workers,
    )
    if not len(train_loader):
        raise RuntimeError(
            f"{len(train_set)} segments make no batch of {training['batch_size']} on each of "
            f"{world_size} devices: raise samples_per_track or lower batch_size."
        )
    valid_sampler = DistributedSampler(valid_set, shuffle=False, **ranks)
    return train_loader, DataLoader(valid_set, sampler=valid_sampler, batch_size=1, **workers)


def make_augmentation(data):
    """What happens to each source, by the comma separated names in the configuration."""
    available = dict(
        gain=partial(augment_gain, low=data["gain_min"], high=data["gain_max"]),
        channelswap=augment_channelswap,
        polarity=augment_polarity,
    )
    return Compose([available[name] for name in data["source_augmentations"].split(",") if name])


def augment_gain(audio, low, high):
    """Applies a random gain between `low` and `high`."""
    return audio * random.uniform(low, high)


def augment_channelswap(audio):
    """Reverses the order of the channels of every other source."""
    return audio.flip(0) if random.random() < 0.5 else audio


def augment_polarity(audio):
    """Inverts every other source."""
    return -audio if random.random() < 0.5 else audio


class Compose(object):
    """Composes several augmentation transforms.

    Args:
        transforms (list of callable): The transforms.
    """

    def __init__(self, transforms):
        self.transforms = transforms

    def __call__(self, audio):
        for transform in self.transforms:
            audio = transform(audio)
        return audio
