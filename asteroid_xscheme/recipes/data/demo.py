"""The demo set: the list of its songs, each rendered when it is prepared.

The songs are the same on every machine, up to rounding of the last bit, and a song does not depend
on the number of songs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence

from scipy.io import wavfile

from demo_songs import GENERATOR_VERSION, SAMPLE_RATE, render_song

from ..identity import Record
from .errors import DataError
from .making import SongOrder, discard, recorded_songs

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
_PARTS = tuple(_SECOND_WORDS)


@dataclass(frozen=True)
class DemoSong(SongOrder):
    """One song of the set: 16 bit, stereo, 44.1 kHz.

    Attributes:
        part: "train", "valid" or "test".
        index: Number of the song in its part, which determines its name and music.
        seconds: Length of the song.
    """

    part: str
    index: int
    seconds: float

    @property
    def name(self) -> str:
        """Title of the song, the name of its folder."""
        second_words, n_first = _SECOND_WORDS[self.part], len(_FIRST_WORDS)
        second = (self.index + self.index // n_first) % len(second_words)
        return f"{_FIRST_WORDS[self.index % n_first]} {second_words[second]}"

    @property
    def subset(self) -> str:
        """ "train" or "test"; validation songs are in train/, as in MUSDB18-HQ."""
        return "test" if self.part == "test" else "train"

    def record(self) -> Record:
        return {
            "demo_songs": GENERATOR_VERSION,
            "seed": [_PARTS.index(self.part), self.index],
            "seconds": self.seconds,
        }

    def make(self, folder: Path) -> Sequence[str]:
        seed = (_PARTS.index(self.part), self.index)
        for name, signal in render_song(seed, self.seconds).items():
            wavfile.write(folder / f"{name}.wav", SAMPLE_RATE, signal.T)
        return []


#: Names of the validation songs of the default set.
VALID_TRACKS = tuple(DemoSong("valid", index, 0.0).name for index in range(6))


def demo_set(
    n_train: int = 24, n_valid: int = 6, n_test: int = 6, seconds: float = 20.0
) -> List[DemoSong]:
    """The songs of the demo set.

    Args:
        n_train, n_valid, n_test: Numbers of songs. The validation songs are in train/; the first
            six are VALID_TRACKS.
        seconds: Length of each song.

    Raises:
        DataError: If the songs would be shorter than 1 s, or there are more songs than names.
    """
    if seconds < 1:
        raise DataError(f"Demo songs must be at least 1 second long, got {seconds}.")
    counts = dict(zip(_PARTS, (n_train, n_valid, n_test)))
    for part, count in counts.items():
        most = len(_FIRST_WORDS) * len(_SECOND_WORDS[part])
        if not 0 <= count <= most:
            raise DataError(f"Expected 0 to {most} {part} songs, got {count}.")
    return [
        DemoSong(part, index, float(seconds))
        for part, count in counts.items()
        for index in range(count)
    ]


def remove_others(root: Path, songs: Sequence[DemoSong]) -> None:
    """Remove rendered songs that are not in the set; leave all other files alone."""
    wanted = {song.title for song in songs}
    for title, record in recorded_songs(root).items():
        if "demo_songs" in record and title not in wanted:
            discard(root, title)
