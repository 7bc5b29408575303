"""Prepare a folder with the layout of MUSDB18-HQ, as the options of a run describe it.

This module decides which songs the folder should contain. ownership.py makes sure that only our own
folders are written to, and making.py that every song is complete and up to date.
"""

import logging
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence, Union

from ...download import download
from ..config import DataConfig
from ..identity import Record
from .conversion import CONVERSION_VERSION, convert_files, convert_hq, convert_stems
from .demo import demo_set, remove_others
from .errors import DataError
from .making import SongOrder, make_songs, recorded_songs
from .musdb import ARCHIVES, N_TRACKS, SUBSETS
from .originals import Originals, open_originals
from .ownership import check_ours, owned
from .real_track import RealTrack
from .songs import Song, list_songs
from .tracks import MIXTURE

_DEMO_RATE = 44100

log = logging.getLogger(__name__)


def prepare(
    config: DataConfig,
    root: Union[str, Path],
    *,
    jobs: Optional[int] = None,
    progress: bool = True,
) -> Path:
    """Prepare a data set for training: stage 0 of a recipe.

    The songs come from `config.source_dir` (a folder or zip, which is not changed), or from Zenodo.
    A downloaded zip is kept in `root`; a zip beside `root` is used instead of a download. Stems of
    MUSDB18 are decoded. Files of MUSDB18-HQ are unpacked, or linked if they are in a folder. Your
    own songs ("folder") are converted to one sample rate, length and number of channels per song,
    and a missing mixture is added. Files are stored with 16 bits like MUSDB18-HQ, or as 32-bit
    floats if 16 bits would clip, since decoded stems exceed full scale.

    A second call makes only the songs that are missing, or whose originals or options have changed.
    Songs that are made again, left alone or left out are logged as warnings.

    Args:
        config: Options, of which `dataset`, `source_dir`, `demo_songs`, `sample_rate` and
            `source_map` are used.
        root: The folder to prepare: missing, empty or made by this function.
        jobs: Songs to convert at once; None means one per core, at most 4.
        progress: Whether to show progress bars on a terminal.

    Returns:
        `root`.

    Raises:
        DataError: If the originals or `root` are not as they should be, or some songs failed; the
            other songs are then finished.
        DownloadError: If the originals cannot be downloaded.
    """
    root = Path(root).expanduser()
    description = {"dataset": config.dataset, "sample_rate": config.sample_rate}
    _check_options(root, config)
    check_ours(root, description)
    # before anything is written, so that a mistake in --source_dir leaves no files behind
    orders = _orders_of_originals(root, config, config.source_dir) if config.source_dir else None
    with owned(root, description):
        if orders is None:
            orders = _orders_without_source(root, config, progress)
        make_songs(root, orders, jobs or min(4, os.cpu_count() or 1), progress)
    return root


def _check_options(root: Path, config: DataConfig) -> None:
    """Refuse options that contradict each other."""
    if config.dataset == "demo" and config.sample_rate != _DEMO_RATE:
        raise DataError(
            f"The demo songs are rendered at {_DEMO_RATE} Hz: leave out --sample_rate "
            f"{config.sample_rate}."
        )
    if config.dataset == "demo" and config.source_dir is not None:
        raise DataError(
            "The demo songs are rendered on this machine: leave out --source_dir, or choose "
            "another --dataset."
        )
    if config.dataset == "folder" and config.source_dir is None:
        raise DataError("--dataset folder needs --source_dir, the folder with your songs.")
    if config.source_dir is not None:
        source = Path(config.source_dir).expanduser().resolve()
        if root.resolve().is_relative_to(source):
            raise DataError(
                f"{root} is inside --source_dir, where nothing is written. Choose another folder "
                "for the prepared data."
            )


def _orders_without_source(root: Path, config: DataConfig, progress: bool) -> List[SongOrder]:
    """The songs of the demo, or of an official set, which is downloaded if necessary."""
    if config.dataset == "demo":
        songs = demo_set(config.demo_songs)
        remove_others(root, songs)
        return [*songs, RealTrack()]
    if _is_complete(root):
        return []
    return _orders_of_originals(root, config, _fetch_archive(root, config, progress))


def _is_complete(root: Path) -> bool:
    """Whether all songs of an official set are prepared, so that the originals are not needed."""
    return all(len(_finished(root / subset)) >= N_TRACKS[subset] for subset in SUBSETS)


def _finished(folder: Path) -> List[str]:
    if not folder.is_dir():
        return []
    return [path.name for path in folder.iterdir() if not path.name.startswith(".")]


def _fetch_archive(root: Path, config: DataConfig, progress: bool) -> Path:
    """The zip of an official set: beside the folder if it is there, else downloaded into it."""
    archive = ARCHIVES[config.dataset]
    beside = root.parent / archive.name
    if beside.is_file():
        return beside
    return download(archive.url, root / archive.name, checksum=archive.checksum, progress=progress)


def _orders_of_originals(
    root: Path, config: DataConfig, source_dir: Union[str, Path]
) -> List[SongOrder]:
    """All songs of a folder or zip; files that are left out are logged."""
    originals = open_originals(source_dir)
    listing = list_songs(originals, config.dataset)
    if listing.left_out:
        log.warning("Left out of %s:\n%s", originals.path, listing)
    source_map = config.source_map.get(root.name, {})
    unused = tuple(name for name, ours in source_map.items() if ours is None)
    orders: List[SongOrder] = [
        OriginalSong(song, originals, config, unused) for song in listing.songs
    ]
    _log_songs_without_original(root, orders, originals)
    return orders


def _log_songs_without_original(
    root: Path, orders: Sequence[SongOrder], originals: Originals
) -> None:
    gone = sorted({*recorded_songs(root)} - {order.title for order in orders})
    if gone:
        log.warning(
            "%d songs of %s are not in %s and are kept (%s%s).",
            *(len(gone), root, originals.path, ", ".join(gone[:3]), ", ..." if gone[3:] else ""),
        )


@dataclass(frozen=True)
class OriginalSong(SongOrder):
    """A song of a folder or zip.

    Attributes:
        song: The files of the song.
        originals: Where the files are.
        config: Options, of which `dataset` and `sample_rate` are used.
        unused: Sources to leave out of a mixture that is made.
    """

    song: Song
    originals: Originals
    config: DataConfig
    unused: Sequence[str] = ()

    @property
    def subset(self) -> str:
        return self.song.subset

    @property
    def name(self) -> str:
        return self.song.name

    def record(self) -> Record:
        """Everything that the files of the song depend on.

        Raises:
            DataError: If two files are the same source.
        """
        for name, files in self.song.files.items():
            if len(files) > 1:
                raise DataError(
                    f"{' and '.join(files)} are the same source, {name or 'stems'}: remove all but "
                    "one."
                )
        contents = self.originals.contents([file for file, in self.song.files.values()])
        return {
            "originals": {name: contents[file] for name, (file,) in self.song.files.items()},
            "dataset": self.config.dataset,
            "sample_rate": self.config.sample_rate,
            "not in the mixture": self._left_out_of_mixture(),
            "conversion": CONVERSION_VERSION,
        }

    def make(self, folder: Path) -> Sequence[str]:
        rate = self.config.sample_rate
        with tempfile.TemporaryDirectory(prefix=".original", dir=folder) as scratch:
            files = {
                n: self._fetch(n, file, Path(scratch)) for n, (file,) in self.song.files.items()
            }
            if self.config.dataset == "musdb18":
                convert_stems(files[""], folder, rate)
            elif self.config.dataset == "musdb18hq":
                convert_hq(files, folder, rate, link=not self.originals.is_temporary)
            else:
                return convert_files(files, folder, rate, self._left_out_of_mixture())
        return []

    def _fetch(self, name: str, file: str, scratch: Path) -> Path:
        """A file of the song; each one is unpacked into its own folder."""
        place = scratch / str(list(self.song.files).index(name))
        place.mkdir()
        return self.originals.fetch(file, place)

    def _left_out_of_mixture(self) -> List[str]:
        """Sources to leave out of the mixture; none if the song already has a mixture."""
        if MIXTURE in self.song.files:
            return []
        return sorted(set(self.unused) & set(self.song.files))
