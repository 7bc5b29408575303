"""What a mixer is told about a song, and the style and script that make one of it.

A position is a sample of the song. The page may show a part of it only: its regions. Rows are
sources; scenes are what one compares, such as the separated sources and the mixture.
"""

import json
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from typing import List, Optional, Tuple

from .coding import SAMPLES_PER_PEAK


@dataclass(frozen=True)
class Chunk:
    """A coded part of a track.

    Attributes:
        at: Its first sample.
        length: Its samples.
        key: Of the script that holds its sound.
        peaks: Heights of its waveform in base64; see `waveform_peaks`.
        url: Of that script, if it stands beside the page and not in it.
        region: In which of the mixer's regions it is heard.
    """

    at: int
    length: int
    key: str
    peaks: str
    url: str = ""
    region: int = 0


@dataclass(frozen=True)
class Track:
    """Chunks of a sound in a scene, of the source of a row; of all of them if that is None."""

    scene: int
    row: Optional[int]
    chunks: List[Chunk]


@dataclass(frozen=True)
class Scene:
    """Something to compare; with `sum_of`, all tracks of that scene as they are."""

    name: str
    sum_of: Optional[int] = None


@dataclass(frozen=True)
class Mixer:
    """All that a mixer is told.

    Attributes:
        sample_rate: In Hz.
        channels: 1 or 2.
        rows: Names of the sources.
        notes: A few words on each, or none.
        scenes: What is compared.
        tracks: What is heard.
        regions: First and last sample (exclusive) of the parts that can be played.
        scene: The one that is heard first.
    """

    sample_rate: int
    channels: int
    rows: List[str]
    notes: List[str]
    scenes: List[Scene]
    tracks: List[Track]
    regions: List[Tuple[int, int]]
    scene: int = 0
    samples_per_peak: int = field(default=SAMPLES_PER_PEAK, init=False)

    def json(self) -> str:
        """The description, fit to stand in a script element, whatever names it holds."""
        return json.dumps(asdict(self)).replace("<", "\\u003c")


def style() -> str:
    """The style sheet of mixers."""
    return _asset("mixer.css")


def page_style() -> str:
    """The style sheet of a page that holds a mixer alone."""
    return _asset("page.css")


def script() -> str:
    """The script of mixers; `startMixers()` starts those of a page."""
    return "".join(_asset(name) for name in ("engine.js", "drawing.js", "mixer.js"))


def script_of(key: str, coded: str) -> str:
    """The script that stands beside a page and brings the sound of a key."""
    return f'mixerAudio({json.dumps(key)}, "{coded}");\n'


def _asset(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
