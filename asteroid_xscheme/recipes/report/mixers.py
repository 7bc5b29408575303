"""Make the mixer of a song from its sounds in all runs: an excerpt, and the worst seconds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import soundfile

from ...listening import Chunk, Mixer, Scene, Track
from .media import Media, preview_rate

_CLIP = (-1, 2)  # start and end of a clip, in seconds from the start of the worst second

_Where = Tuple[int, Optional[int]]  # scene and row


@dataclass(frozen=True)
class Place:
    """What a link plays: a row of a scene, within a region, from a second of the song."""

    region: int
    second: int
    scene: int
    row: int

    def __str__(self) -> str:
        return f"{self.region} {self.second} {self.scene} {self.row}"


class SongMixer:
    """Collects the sounds of a song.

    Args:
        media: The folder of media, which writes the sounds.
        folder: Name of the song's folder inside it.
        rows: Names of the sources.
        excerpt: First and last second (exclusive) of the excerpt.
    """

    def __init__(self, media: Media, folder: str, rows: Sequence[str], excerpt: Tuple[int, int]):
        self.media, self.folder = media, media.folder / folder
        self.rows, self.regions = list(rows), [excerpt]
        self.scenes: List[str] = []
        self.files: Dict[_Where, Tuple[str, Sequence[Path]]] = {}
        self.chunks: Dict[_Where, List[Chunk]] = {}

    def add_scene(self, name: str) -> int:
        """Add a scene and return its index."""
        self.scenes.append(name)
        return len(self.scenes) - 1

    def add(self, scene: int, row: Optional[int], name: str, files: Sequence[Path]) -> None:
        """Add the sum of files as a row of a scene.

        Args:
            scene: Index of the scene.
            row: Index of the source; None for a sound that is not a source, such as the mixture.
            name: Name for the scripts to write.
            files: Audio files to add up.
        """
        self.files[scene, row] = name, files
        chunk = self.media.sound(self.folder / f"{name}.js", files, *self.regions[0], 0)
        self.chunks[scene, row] = [chunk]

    def place(self, scene: int, row: int, second: int) -> Place:
        """Where a second can be heard: in the excerpt, or else in a clip that is added for it."""
        first, last = self.regions[0]
        if first <= second < last:
            return Place(0, second, scene, row)
        span = max(0, second + _CLIP[0]), second + _CLIP[1]
        if span not in self.regions:
            self.regions.append(span)
        region = self.regions.index(span)
        chunks = self.chunks[scene, row]
        if region not in [chunk.region for chunk in chunks]:
            name, files = self.files[scene, row]
            path = self.folder / f"{name}-at-{second}.js"
            chunks.append(self.media.sound(path, files, *span, region))
        return Place(region, span[0], scene, row)

    def finish(self, scene: int) -> Optional[Mixer]:
        """The mixer, which starts with the given scene; None if there are no sounds."""
        if not self.files:
            return None
        files = next(iter(self.files.values()))[1]
        info = soundfile.info(str(files[0]))
        ends = [0] * len(self.regions)
        for chunk in (chunk for chunks in self.chunks.values() for chunk in chunks):
            ends[chunk.region] = max(ends[chunk.region], chunk.at + chunk.length)
        rate = preview_rate(info.samplerate)
        return Mixer(
            sample_rate=rate,
            channels=min(2, info.channels),
            rows=self.rows,
            notes=[""] * len(self.rows),
            scenes=[Scene(name) for name in self.scenes],
            tracks=[Track(*where, chunks) for where, chunks in self.chunks.items()],
            regions=[(first * rate, end) for (first, _), end in zip(self.regions, ends)],
            scene=scene,
        )
