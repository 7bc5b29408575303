"""The demo set on disk: a folder in, rendered songs in the layout of MUSDB18-HQ out.

Each song is rendered in a folder of its own and moved to its place when it is complete, so the set
may be interrupted at any moment and is continued by the next call; songs that are there already
are kept.
"""

import json
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Dict, List, Sequence, Union

from filelock import FileLock
from scipy.io import wavfile
from tqdm import tqdm

from demo_songs import GENERATOR_VERSION, SAMPLE_RATE, SOURCES, render_song

#: Beside the audio of each song, what it was made from.
SONG_FILE = "song.json"
_WORKING_FOLDER = ".rendering"
_FIRST_WORDS = (
    "Amber,Blue,Clay,Distant,Early,Feather,Golden,Hidden,Indigo,Juniper,Kinder,Lantern,"
    "Marble,Northern,Open,Paper,Quiet,River,Silver,Thunder,Velvet,Winter,Yellow,Zephyr"
).split(",")
_SECOND_WORDS = {
    "train": (
        "Harbour,Morning,Avenue,Orchard,Signal,Carousel,Meadow,Parade,Compass,Window,Garden,Train,"
        "Letters,Shoreline,Circus,Embers,Mountain,Station,Weather,Horizon,Bridges,Sparrow,Tide,Road"
    ).split(","),
    "valid": "Satellite,Lullaby,Mirror,Canyon,Ferry,Almanac".split(","),
    "test": "Telephone,Island,Cathedral,Bicycle,Monsoon,Daylight".split(","),
}
_SUBSETS = tuple(_SECOND_WORDS)


@dataclass(frozen=True)
class SongRequest:
    """One song of the set.

    Attributes:
        subset: "train", "valid" or "test".
        index: Its number in the subset; it decides the name and the music.
        seconds: Its length.
    """

    subset: str
    index: int
    seconds: float

    @property
    def name(self) -> str:
        """Title of the song, the name of its folder."""
        second_words, n_first = _SECOND_WORDS[self.subset], len(_FIRST_WORDS)
        second = (self.index + self.index // n_first) % len(second_words)
        return f"{_FIRST_WORDS[self.index % n_first]} {second_words[second]}"

    def folder(self, root: Path) -> Path:
        """Where the song lies; validation songs lie among those of training, as in MUSDB18-HQ."""
        return root / ("test" if self.subset == "test" else "train") / self.name

    def description(self) -> dict:
        """What the song is made from."""
        return {"generator_version": GENERATOR_VERSION, **asdict(self)}

    def is_rendered(self, root: Path) -> bool:
        """Whether the song is there, whole and of this version of the generator."""
        folder = self.folder(root)
        description = folder / SONG_FILE
        if not description.is_file() or json.loads(description.read_text()) != self.description():
            return False
        n_bytes = 4 * int(self.seconds * SAMPLE_RATE)  # of two channels of 16 bits, at least
        files = [folder / f"{name}.wav" for name in ("mixture", *SOURCES)]
        return all(file.is_file() and file.stat().st_size >= n_bytes for file in files)


#: Names of the validation songs of the usual set.
VALID_TRACKS = tuple(SongRequest("valid", index, 0.0).name for index in range(6))


def render_demo(
    root: Union[str, Path],
    n_train: int = 24,
    n_valid: int = 6,
    n_test: int = 6,
    seconds: float = 20.0,
    jobs: int = 2,
    progress: bool = True,
) -> Path:
    """Render the demo set, or what is missing or outdated of it.

    The songs are the same on every machine up to the last bit of rounding, and a song does not
    depend on how many there are. Songs of an earlier call that are not asked for are removed.

    Args:
        root: Folder of the set; gets train/TRACK and test/TRACK with a .wav file for the mixture
            and for each source, 16 bit, stereo, 44.1 kHz.
        n_train, n_valid, n_test: Numbers of songs. The validation songs lie in train/, the first
            six are VALID_TRACKS.
        seconds: Length of each.
        jobs: Songs rendered at a time.
        progress: Whether to show a bar, on a terminal only.

    Returns:
        The root.

    Raises:
        ValueError: If songs are asked for that are too short or too many to have names.
    """
    root = Path(root)
    requests = _list_requests(dict(zip(_SUBSETS, (n_train, n_valid, n_test))), float(seconds))
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / ".rendering.lock"):
        shutil.rmtree(root / _WORKING_FOLDER, ignore_errors=True)
        _remove_outdated(root, requests)
        missing = [request for request in requests if not request.is_rendered(root)]
        _render_all(root, missing, jobs, progress)
        shutil.rmtree(root / _WORKING_FOLDER, ignore_errors=True)
    return root


def _list_requests(counts: Dict[str, int], seconds: float) -> List[SongRequest]:
    """All songs of a set; ValueError for a set that cannot be rendered."""
    if seconds < 1:
        raise ValueError(f"Demo songs last at least 1 second, but {seconds} were asked for.")
    for subset, count in counts.items():
        most = len(_FIRST_WORDS) * len(_SECOND_WORDS[subset])
        if not 0 <= count <= most:
            raise ValueError(f"There are 0 to {most} {subset} songs, but {count} were asked for.")
    return [
        SongRequest(subset, index, seconds)
        for subset, count in counts.items()
        for index in range(count)
    ]


def _remove_outdated(root: Path, requests: Sequence[SongRequest]) -> None:
    """Remove rendered songs that are not part of the set; other folders are left alone."""
    wanted = {request.folder(root): request for request in requests}
    for description in root.glob(f"t*/*/{SONG_FILE}"):
        request = wanted.get(description.parent)
        if request is None or not request.is_rendered(root):
            shutil.rmtree(description.parent)


def _render_all(root: Path, requests: List[SongRequest], jobs: int, progress: bool) -> None:
    """Render songs in some threads (nearly all of it runs outside Python) and show how far."""
    pool = ThreadPoolExecutor(max(1, jobs))
    try:
        songs = [pool.submit(_render, root, request) for request in requests]
        disable = None if progress else True  # None shows the bar on a terminal only
        for song in tqdm(as_completed(songs), "Rendering songs", len(songs), disable=disable):
            song.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _render(root: Path, request: SongRequest) -> None:
    """Render one song and move it to its place when it is complete."""
    working_folder = root / _WORKING_FOLDER
    working_folder.mkdir(parents=True, exist_ok=True)
    working = Path(tempfile.mkdtemp(dir=working_folder))
    seed = (_SUBSETS.index(request.subset), request.index)
    for name, signal in render_song(seed, request.seconds).items():
        wavfile.write(working / f"{name}.wav", SAMPLE_RATE, signal.T)
    (working / SONG_FILE).write_text(json.dumps(request.description()))
    target = request.folder(root)
    target.parent.mkdir(exist_ok=True)
    working.chmod(0o755)  # temporary folders are private
    os.rename(working, target)
