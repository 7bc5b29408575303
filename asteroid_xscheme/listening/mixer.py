"""The description of a song that a mixer reads, and the style sheet and script of mixers.

Positions are samples of the song. A page may contain only parts of the song, its regions. Rows are
sources. Scenes are what the listener compares, such as the separated sources and the mixture.
"""

import json
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from typing import List, Optional, Tuple

from .coding import SAMPLES_PER_PEAK


@dataclass(frozen=True)
class Chunk:
    """An encoded part of a track.

    Attributes:
        at: Position of its first sample.
        length: Number of samples.
        key: Key of the script with its sound.
        peaks: Peaks of its waveform in base64; see `waveform_peaks`.
        url: URL of that script, if it is a file next to the page instead of in the page.
        region: Index of its region.
    """

    at: int
    length: int
    key: str
    peaks: str
    url: str = ""
    region: int = 0


@dataclass(frozen=True)
class Track:
    """The chunks of one source in a scene.

    Attributes:
        scene: Index of the scene.
        row: Index of the source, or None for all sources together.
        chunks: In the order of their positions.
    """

    scene: int
    row: Optional[int]
    chunks: List[Chunk]


@dataclass(frozen=True)
class Scene:
    """Something to compare.

    Attributes:
        name: Label for the listener.
        sum_of: Index of another scene, whose tracks are all played unchanged; None for a scene
            with its own tracks.
    """

    name: str
    sum_of: Optional[int] = None


@dataclass(frozen=True)
class Mixer:
    """The description of a mixer.

    Attributes:
        sample_rate: In Hz.
        channels: 1 or 2.
        rows: Names of the sources.
        notes: A few words on each source; may be empty.
        scenes: What the listener can compare.
        tracks: The sounds of all scenes.
        regions: First and last sample (exclusive) of each part that can be played.
        scene: Index of the scene to start with.
        samples_per_peak: Samples per byte of `Chunk.peaks`.
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
        """The description as JSON, escaped for a script element."""
        return json.dumps(asdict(self)).replace("<", "\\u003c")


def style() -> str:
    """The style sheet of mixers."""
    return _asset("mixer.css")


def page_style() -> str:
    """The style sheet of a page with a single mixer."""
    return _asset("page.css")


def script() -> str:
    """The script of mixers; `startMixers()` starts all mixers of a page."""
    return "".join(_asset(name) for name in ("engine.js", "drawing.js", "mixer.js"))


def script_of(key: str, coded: str) -> str:
    """The content of a script file next to a page, with the sound for a key.

    Args:
        key: `Chunk.key`.
        coded: Sound from `code_waveform`.
    """
    return f'mixerAudio({json.dumps(key)}, "{coded}");\n'


def _asset(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
