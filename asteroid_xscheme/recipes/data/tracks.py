"""List the tracks of a folder that has the layout of MUSDB18-HQ.

The layout is root/{train,test}/TRACK/SOURCE.wav, with mixture.wav beside the sources. Only headers
are read. Folders whose name starts with a dot are unfinished and ignored.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Tuple, Union

from ...audio import AudioInfo, probe_audio
from ..config import DataConfig
from ..identity import digest, file_hashes
from .errors import DataError
from .musdb import STEM_SUFFIX, SUBSETS

SUFFIX = ".wav"
MIXTURE = "mixture"
SourceMap = Mapping[str, Optional[str]]


@dataclass(frozen=True)
class Track:
    """One song and the files of its sources.

    Attributes:
        name: Name of the track's folder.
        root: The prepared folder.
        subset: "train", "test" or, in the demo, "real".
        sample_rate: Sample rate of all files in Hz.
        n_channels: Largest number of channels of a file; mono files are duplicated to match.
        n_samples: Length of the shortest file.
        source_files: For each source that the track has, the files that add up to it.
        is_part: Whether `source_map` leaves out files of the folder. The mixture is then the sum of
            the sources, as in training, and not the file of the whole song.
    """

    name: str
    root: Path
    subset: str
    sample_rate: int
    n_channels: int
    n_samples: int
    source_files: Mapping[str, Tuple[Path, ...]]
    is_part: bool = False

    @property
    def folder(self) -> Path:
        """The folder of the track."""
        return self.root / self.subset / self.name

    @property
    def mixture_file(self) -> Path:
        """The file of the mixture, which does not exist if the track has none."""
        return mixture_file(self.folder)

    @property
    def mixture_files(self) -> Tuple[Path, ...]:
        """The files that add up to the mixture: its own file, or those of the sources."""
        if self.mixture_file.is_file() and not self.is_part:
            return (self.mixture_file,)
        return tuple(path for paths in self.source_files.values() for path in paths)


def configured_tracks(config: DataConfig, subset: str) -> List[Track]:
    """The tracks that the options of a run select; applies `source_map`.

    Args:
        config: The options.
        subset: "train" for the tracks of all folders of `train_dir`; any other name ("test", or
            "real" in the demo) for that subset of `test_dir`.

    Raises:
        DataError: As `find_tracks`, or if `source_map` names a folder that is not among those of
            the options.
    """
    roots = config.roots if subset == "train" else [config.test_root]
    known = {root.name for root in [*config.roots, config.test_root]}
    unknown = sorted(set(config.source_map) - known)
    if unknown:
        raise DataError(
            f"source_map mentions {', '.join(unknown)}, but the folders of train_dir and test_dir "
            f"are {', '.join(sorted(known))}."
        )
    tracks = []
    for root in roots:
        source_map = config.source_map.get(root.name)
        tracks += find_tracks(root, subset, config.sources, config.sample_rate, source_map)
    return tracks


def track_contents(tracks: Sequence[Track]) -> Dict[str, str]:
    """Hash the contents of tracks, their sources and mixture, by "SUBSET/NAME".

    The location of the files does not matter. Tracks of the same name in several folders share one
    entry.
    """
    hashes = file_hashes([path for track in tracks for path in _files_of(track)])
    contents: Dict[str, List[str]] = {}
    for track in tracks:
        sources = {s: [hashes[path] for path in paths] for s, paths in track.source_files.items()}
        mixture = [hashes[path] for path in track.mixture_files]
        content = digest([sources, mixture, track.sample_rate])
        contents.setdefault(f"{track.subset}/{track.name}", []).append(content)
    return {name: of[0] if len(of) == 1 else digest(of) for name, of in contents.items()}


def find_tracks(
    root: Union[str, Path],
    subset: str,
    sources: Sequence[str],
    sample_rate: Optional[int] = None,
    source_map: Optional[SourceMap] = None,
) -> List[Track]:
    """Tracks of a prepared folder, sorted by name.

    Args:
        root: Folder with the layout of MUSDB18-HQ.
        subset: "train", "test" or "real".
        sources: Names of the sources in use; other files are ignored.
        sample_rate: Sample rate in Hz that all files must have; None accepts any.
        source_map: Name of a file -> name of a source, or None to leave the file out. Files with
            the same source are added up. Files named like a source need no entry.

    Returns:
        The tracks that have at least one of the sources.

    Raises:
        DataError: If there are none, sample rates differ, or `source_map` does not fit the files.
    """
    root = Path(root).expanduser()
    folders = track_folders(root, subset)
    files = {folder: source_files(folder) for folder in folders}
    if source_map:
        _check_source_map(root, source_map, sources, files)
    tracks = []
    for folder in folders:
        named = _by_our_name(files[folder], sources, source_map or {})
        if named:
            track = _probe_track(root, subset, folder, named, sample_rate)
            is_part = any((source_map or {}).get(name, name) is None for name in files[folder])
            tracks.append(replace(track, is_part=is_part))
    if not tracks:
        raise DataError(
            f"No track of {root / subset} has a file of {', '.join(sources)}. Its files are "
            f"{', '.join(_names(files)) or 'not .wav'}: name them in --sources, or map them to "
            "your sources in source_map in conf.yml."
        )
    return tracks


def track_folders(root: Path, subset: str) -> List[Path]:
    """The folders of the tracks, sorted by name.

    Raises:
        DataError: If there are none; the message guesses the mistake.
    """
    folder = root / subset
    folders = []
    if folder.is_dir():
        folders = [p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")]
    if not folders:
        raise DataError(f"No tracks in {folder}. {_guess_mistake(root, subset)}")
    return sorted(folders, key=lambda path: path.name)


def source_files(folder: Path) -> Dict[str, Path]:
    """The .wav files of a track by name, without its mixture."""
    return {path.stem: path for path in _wav_files(folder) if path.stem.lower() != MIXTURE}


def mixture_file(folder: Path) -> Path:
    """The mixture of a track, even if named "Mixture.WAV"; a missing file if there is none."""
    found = [path for path in _wav_files(folder) if path.stem.lower() == MIXTURE]
    return found[0] if found else folder / (MIXTURE + SUFFIX)


def _wav_files(folder: Path) -> List[Path]:
    return sorted(
        path
        for path in folder.glob("*")
        if path.suffix.lower() == SUFFIX and not path.name.startswith(".")
    )


def _files_of(track: Track) -> List[Path]:
    files = [path for paths in track.source_files.values() for path in paths]
    return list(dict.fromkeys([*files, *track.mixture_files]))


def _guess_mistake(root: Path, subset: str) -> str:
    if not root.is_dir():
        return f"There is no folder {root}: prepare it with `xscheme data prepare --root {root}`."
    if list(root.glob(f"{subset}/*{STEM_SUFFIX}")) or list(root.glob(f"*{STEM_SUFFIX}")):
        return (
            "It contains compressed stems: decode them into another folder with `xscheme data "
            f"prepare --dataset musdb18 --source_dir {root} --root NEW_FOLDER`."
        )
    inside = [p.parent for p in sorted(root.glob(f"*/{subset}")) if p.is_dir()]
    if inside:
        return f"It is one level too high: did you mean {inside[0]}?"
    if root.name in SUBSETS and list(root.glob(f"*/*{SUFFIX}")):
        return f"It is one level too low: did you mean {root.parent}?"
    return f"Expected {root}/{subset}/TRACK/SOURCE{SUFFIX}, the layout of MUSDB18-HQ."


def _names(files: Mapping[Path, Mapping[str, Path]]) -> List[str]:
    return sorted({name for of_track in files.values() for name in of_track})


def _check_source_map(
    root: Path,
    source_map: SourceMap,
    sources: Sequence[str],
    files: Mapping[Path, Mapping[str, Path]],
) -> None:
    """A map must have an entry for every name that is not a source, and only for existing names."""
    found = set(_names(files))
    absent = sorted(set(source_map) - found)
    if absent:
        raise DataError(
            f"source_map of {root.name} names {', '.join(absent)}, but no track there has such a "
            f"file; their files are {', '.join(sorted(found))}."
        )
    unsaid = sorted(found - set(source_map) - set(sources))
    if unsaid:
        raise DataError(
            f"source_map of {root.name} does not say what {', '.join(unsaid)} should be: one of "
            f"{', '.join(sources)}, or null to leave it out."
        )


def _by_our_name(
    files: Mapping[str, Path], sources: Sequence[str], source_map: SourceMap
) -> Dict[str, Tuple[Path, ...]]:
    """The files of each source, in the order of the sources."""
    by_source = {
        source: tuple(path for name, path in files.items() if source_map.get(name, name) == source)
        for source in sources
    }
    return {source: paths for source, paths in by_source.items() if paths}


def _probe_track(
    root: Path,
    subset: str,
    folder: Path,
    named: Mapping[str, Tuple[Path, ...]],
    sample_rate: Optional[int],
) -> Track:
    infos = {path: probe_audio(path) for paths in named.values() for path in paths}
    _check_rates(infos, sample_rate)
    return Track(
        name=folder.name,
        root=root,
        subset=subset,
        sample_rate=next(iter(infos.values())).sample_rate,
        n_channels=max(info.n_channels for info in infos.values()),
        n_samples=min(info.n_samples for info in infos.values()),
        source_files=named,
    )


def _check_rates(infos: Mapping[Path, AudioInfo], sample_rate: Optional[int]) -> None:
    expected = sample_rate or next(iter(infos.values())).sample_rate
    for path, info in infos.items():
        if info.sample_rate != expected:
            raise DataError(
                f"{path} has a sample rate of {info.sample_rate} Hz, expected {expected} Hz. "
                "Convert it with `xscheme data prepare --sample_rate`, or train with --sample_rate "
                f"{info.sample_rate}."
            )
