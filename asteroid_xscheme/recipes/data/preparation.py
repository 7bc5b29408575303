"""Originals -> a folder in the layout of MUSDB18-HQ, one song after the other, once each.

A song is made in a folder whose name begins with a dot and takes its own name when it is finished,
so preparation may be stopped at any moment and continues with the songs that are missing.
"""

import contextlib
import json
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

from filelock import FileLock
from tqdm import tqdm

from ...atomic import write_json
from ...audio import AudioError
from ..config import DataConfig
from ...download import download
from .conversion import convert_files, convert_hq, convert_stems
from .demo import render_demo
from .errors import DataError
from .musdb import ARCHIVES, N_TRACKS, SUBSETS
from .originals import Originals, Song, list_songs, open_originals
from .real_track import unpack_real_track
from .tracks import MARKER, SourceMap

_PART = ".part"
_DEMO_RATE = 44100


def prepare(
    config: DataConfig,
    root: Union[str, Path],
    *,
    jobs: Optional[int] = None,
    progress: bool = True,
) -> Path:
    """Make a data set ready for training: stage 0 of a recipe. Again, it does only what is missing.

    The songs come from `config.source_dir` (a folder or zip, which is only read), or from Zenodo:
    then the zip is kept beside `root`. MUSDB18's stems are decoded, MUSDB18-HQ's files unpacked
    or, from a folder, linked; one's own ("folder") are brought to one rate, length and number of
    channels per song, and get a mixture if they have none. Files have 16 bits as MUSDB18-HQ, or
    32-bit floats where 16 bits would clip: decoded stems exceed full scale.

    Args:
        config: `dataset`, `source_dir`, `sample_rate` and `source_map` are used.
        root: The folder to make.
        jobs: Songs converted at a time; None is one per CPU, at most 4.
        progress: Whether to show bars, on a terminal only.

    Returns:
        `root`.

    Raises:
        DataError: If originals or `root` are not as they have to be, or songs failed; the others
            are finished.
        DownloadError: If the originals cannot be fetched.
    """
    root = Path(root).expanduser()
    _check_root(root, config)
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / ".prepare.lock"):
        if config.dataset == "demo":
            _write_marker(root, config)
            render_demo(root, jobs=jobs or 2, progress=progress)
            unpack_real_track(root)
        elif not _is_complete(root, config.dataset):
            originals = open_originals(config.source_dir or _fetch_archive(root, config, progress))
            songs = list_songs(originals, config.dataset)
            _write_marker(root, config)
            jobs = jobs or min(4, os.cpu_count() or 1)
            _prepare_songs(songs, originals, root, config, jobs, progress)
    return root


def _check_root(root: Path, config: DataConfig) -> None:
    """Refuse a folder that is somebody else's or holds other data."""
    if config.dataset == "demo" and config.sample_rate != _DEMO_RATE:
        raise DataError(f"The demo songs have {_DEMO_RATE} Hz, not {config.sample_rate}.")
    marker = root / MARKER
    if marker.exists():
        found = json.loads(marker.read_text())
        if found != _description(config):
            raise DataError(
                f"{root} was prepared as {found}, not {_description(config)}. Choose another "
                "folder, or delete this one."
            )
        return
    if config.source_dir is not None:
        source = Path(config.source_dir).expanduser().resolve()
        if source == root.resolve() or source in root.resolve().parents:
            raise DataError(
                f"{root} lies in --source_dir, which is only read. Choose another folder for the "
                "prepared data."
            )
    if config.dataset != "demo" and any((root / subset).exists() for subset in SUBSETS):
        raise DataError(
            f"{root} holds data that was not prepared here. If it has the layout of MUSDB18-HQ, "
            f"train on it as it is (--train_dir {root}); if not, choose another folder."
        )


def _description(config: DataConfig) -> Dict[str, Any]:
    return {"dataset": config.dataset, "sample_rate": config.sample_rate}


def _write_marker(root: Path, config: DataConfig) -> None:
    write_json(root / MARKER, _description(config))


def _is_complete(root: Path, dataset: str) -> bool:
    """Whether all songs of an official set are there, so that the originals are not needed."""
    return dataset in ARCHIVES and all(
        len(_finished(root / subset)) >= N_TRACKS[subset] for subset in SUBSETS
    )


def _finished(folder: Path) -> List[str]:
    if not folder.is_dir():
        return []
    return [path.name for path in folder.iterdir() if not path.name.startswith(".")]


def _fetch_archive(root: Path, config: DataConfig, progress: bool) -> Path:
    if config.dataset not in ARCHIVES:
        raise DataError("--dataset folder wants --source_dir, the folder with your songs.")
    archive = ARCHIVES[config.dataset]
    target = root.parent / archive.name
    return download(archive.url, target, checksum=archive.checksum, progress=progress)


def _prepare_songs(
    songs: Sequence[Song],
    originals: Originals,
    root: Path,
    config: DataConfig,
    jobs: int,
    progress: bool,
) -> None:
    for subset in SUBSETS:
        for leftover in (root / subset).glob(f".*{_PART}"):
            shutil.rmtree(leftover)
    missing = [song for song in songs if song.name not in _finished(root / song.subset)]
    failures = []
    with ThreadPoolExecutor(jobs) as pool:
        pending = {
            pool.submit(_prepare_song, song, originals, root, config): song for song in missing
        }
        bar = tqdm(total=len(missing), desc="prepare", disable=None if progress else True)
        with bar, _cancelled_on_error(pool):
            for future in as_completed(pending):
                try:
                    future.result()
                except (AudioError, DataError) as error:
                    failures.append(f"{pending[future].name}: {error}")
                bar.update()
    if failures:
        shown = "\n".join(sorted(failures)[:10])
        raise DataError(
            f"{len(failures)} of {len(songs)} songs could not be prepared (the others are done; "
            f"mend these and prepare again):\n{shown}"
        )


@contextlib.contextmanager
def _cancelled_on_error(pool: ThreadPoolExecutor):
    """Do not begin further songs after an error that ends the preparation."""
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _prepare_song(song: Song, originals: Originals, root: Path, config: DataConfig) -> None:
    final = root / song.subset / song.name
    part = final.with_name(f".{song.name}{_PART}")
    part.mkdir(parents=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".original", dir=part) as scratch:
            files = {n: originals.fetch(m, Path(scratch)) for n, m in song.files.items()}
            _convert(files, part, config, root, link=not originals.is_temporary)
        os.replace(part, final)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _convert(
    files: Mapping[str, Path], folder: Path, config: DataConfig, root: Path, link: bool
) -> None:
    if config.dataset == "musdb18":
        convert_stems(files[""], folder, config.sample_rate)
    elif config.dataset == "musdb18hq":
        convert_hq(files, folder, config.sample_rate, link)
    else:
        source_map: SourceMap = config.source_map.get(root.name, {})
        left_out = [name for name, ours in source_map.items() if ours is None]
        convert_files(files, folder, config.sample_rate, left_out)
