"""Files of a song's sources -> one HTML file with a mixer and the sound itself.

How it stays in step and in bounds: the sound stands in the page as FLAC, in chunks of ten seconds
of each source, coded. A page that was opened as a file may not read other files, and players of
whole files drift; so the page decodes a chunk of every source shortly before it is heard, starts
them in the same frame of one clock and drops them afterwards. Decoded, two chunks of a source are
in memory (4 sources in stereo at 44.1 kHz: 28 MB), whatever the length of the song. Writing reads
the files in the same chunks, twice.
"""

from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from html import escape
from itertools import zip_longest
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, TextIO

import numpy as np

from ..atomic import replacing
from ..separation import Song
from .coding import RATES, code_waveform, read_chunks, waveform_peaks
from .errors import ListeningError
from .mixer import Chunk, Mixer, Scene, Track, page_style, script, style

CHUNK_SECONDS = 10
_MARK = '<meta name="generator" content="asteroid_xscheme listening">'
_MOST = 32  # sources of a song
_STEP = 2.0**-15  # of 16 bits
_FULL_SCALE = 1 - _STEP
_HELP = """<p><kbd>space</kbd> plays and pauses, <kbd>1</kbd> to <kbd>9</kbd> solo a source (with
<kbd>Shift</kbd>: mute), <kbd>←</kbd> <kbd>→</kbd> go 5 seconds back and on, <kbd>↑</kbd>
<kbd>↓</kbd> compare with the mixture. A click into a waveform goes there; drag across one to loop a
part, or mark its ends with <kbd>[</kbd> and <kbd>]</kbd>; <kbd>L</kbd> ends the loop.</p>"""


def write_page(
    path: Path,
    title: str,
    sources: Mapping[str, Song],
    mixture: Optional[Song] = None,
    gain: float = 1.0,
) -> Path:
    """Write a page with a mixer.

    Sources that end earlier are silent from there on, which the page says. Of a song of more than
    two channels the first two are heard, which it says too.

    Args:
        path: The page; one that this function wrote before is replaced.
        title: Name of the song.
        sources: By name, in the order of the rows; all of one rate.
        mixture: What they were separated from; without, their sum is heard for comparison.
        gain: What the sources were multiplied with, to bring the mixture to their level.

    Raises:
        ListeningError: If there are no sources, their rates differ, or something else is there.
        AudioError: If a file cannot be read.
    """
    check_page(path)
    _check_sources(sources, mixture)
    survey = _survey(list(sources.values()), mixture, gain)
    description = _describe(list(sources), list(sources.values()), survey)
    with replacing(path) as part, open(part, "w", encoding="utf-8", newline="\n") as file:
        _write_head(file, title, description, _remark(list(sources.values()), survey))
        songs = [*sources.values(), *([mixture] if survey.has_mixture and mixture else [])]
        _write_sound(file, songs, survey, gain)
        file.write("</body>\n</html>\n")
    return path


def check_page(path: Path) -> None:
    """Raise if something is at `path` that `write_page` did not write.

    Raises:
        ListeningError: If so.
    """
    if not path.exists():
        return
    head = ""
    with suppress(UnicodeDecodeError):  # then it is none of ours
        if path.is_file():
            with open(path, encoding="utf-8") as file:
                head = file.read(300)
    if _MARK not in head:
        raise ListeningError(f"{path}: is not a page that xscheme wrote; move it away first.")


@dataclass
class _Survey:
    """What one has to know of all of a song before it is written.

    Attributes:
        peaks: Of every track (the mixture last), of each chunk.
        lengths: Samples of every track.
        loudest: The largest magnitude.
        rest: The largest magnitude of the mixture minus the sum of the sources.
        has_mixture: Whether the mixture is more than that sum, and stands in the page.
    """

    n_sources: int
    peaks: List[List[bytes]] = field(default_factory=list)
    lengths: List[int] = field(default_factory=list)
    loudest: float = 0.0
    rest: float = 0.0
    is_given: bool = False

    @property
    def has_mixture(self) -> bool:
        return self.is_given and self.rest > (self.n_sources + 1) * _STEP

    @property
    def scale(self) -> float:
        """Of the page against the files, lest it clip."""
        return min(1.0, _FULL_SCALE / self.loudest) if self.loudest else 1.0


def _check_sources(sources: Mapping[str, Song], mixture: Optional[Song]) -> None:
    if not 0 < len(sources) <= _MOST:
        raise ListeningError(f"Expected 1 to {_MOST} sources of a song, got {len(sources)}.")
    songs = {**sources, **({"the mixture": mixture} if mixture else {})}
    first = next(iter(sources))
    for name, song in songs.items():
        if song.sample_rate != songs[first].sample_rate:
            raise ListeningError(
                f"{first} has {songs[first].sample_rate} Hz and {name} {song.sample_rate} Hz: "
                "bring all files to one rate first."
            )
    if not RATES[0] <= songs[first].sample_rate <= RATES[1]:
        raise ListeningError(
            f"Browsers play {RATES[0]} to {RATES[1]} Hz, got {songs[first].sample_rate} Hz: "
            "resample the files first."
        )


def _read_together(
    songs: Sequence[Song], mixture: Optional[Song], gain: float
) -> Iterator[List[np.ndarray]]:
    """Chunks (T, C) of all sources, then of the mixture at their level; empty after the end."""
    of_all = [*songs, *([mixture] if mixture else [])]
    length = CHUNK_SECONDS * of_all[0].sample_rate
    empty = np.zeros((0, 1), np.float32)
    for chunks in zip_longest(*(read_chunks(song, length) for song in of_all), fillvalue=empty):
        yield [*chunks[: len(songs)], *(gain * chunk for chunk in chunks[len(songs) :])]


def _survey(songs: Sequence[Song], mixture: Optional[Song], gain: float) -> _Survey:
    survey = _Survey(len(songs), is_given=mixture is not None)
    n_tracks = len(songs) + survey.is_given
    survey.peaks, survey.lengths = [[] for _ in range(n_tracks)], [0] * n_tracks
    for chunks in _read_together(songs, mixture, gain):
        for i, chunk in enumerate(chunks):
            survey.peaks[i].append(waveform_peaks(chunk))
            survey.lengths[i] += len(chunk)
            survey.loudest = max(survey.loudest, float(np.abs(chunk).max(initial=0.0)))
        if survey.is_given:
            rest = _added([chunks[-1], *(-chunk for chunk in chunks[:-1])])
            survey.rest = max(survey.rest, float(np.abs(rest).max(initial=0.0)))
    if not max(survey.lengths):
        raise ListeningError("There is nothing to hear: the files hold no samples.")
    return survey


def _added(chunks: Sequence[np.ndarray]) -> np.ndarray:
    """The sum of (T, C) of different lengths; mono goes to both channels."""
    total = np.zeros((max(map(len, chunks)), max(chunk.shape[1] for chunk in chunks)))
    for chunk in chunks:
        total[: len(chunk)] += chunk
    return total


def _describe(names: Sequence[str], songs: Sequence[Song], survey: _Survey) -> Mixer:
    rate, n_samples = songs[0].sample_rate, max(survey.lengths)
    n_tracks = len(songs) + survey.has_mixture
    tracks = []
    for i in range(n_tracks):
        is_source = i < len(songs)
        tracks.append(
            Track(0 if is_source else 1, i if is_source else None, _chunks(i, survey, rate))
        )
    second = Scene("mixture") if survey.has_mixture else Scene(_name_of_sum(survey), sum_of=0)
    lengths = survey.lengths[: len(songs)]
    notes = [f"ends at {_clock(n, rate)}" if n < n_samples else "" for n in lengths]
    channels = min(2, max(song.n_channels for song in songs))
    rows = [_words(name) for name in names]
    scenes = [Scene("sources"), second]
    return Mixer(rate, channels, rows, notes, scenes, tracks, [(0, n_samples)])


def _name_of_sum(survey: _Survey) -> str:
    return "mixture" if survey.is_given else "everything"


def _chunks(track: int, survey: _Survey, rate: int) -> List[Chunk]:
    chunks, left = [], survey.lengths[track]
    for k, peaks in enumerate(survey.peaks[track]):
        length = min(left, CHUNK_SECONDS * rate)
        left -= length
        if length:
            key = f"sound-{track}-{k}"
            heights = b64encode(peaks).decode("ascii")
            chunks.append(Chunk(k * CHUNK_SECONDS * rate, length, key, heights))
    return chunks


def _remark(songs: Sequence[Song], survey: _Survey) -> str:
    """What the mixture of the page is, and what else differs from the files."""
    parts: Dict[str, bool] = {
        "The mixture is the song itself.": survey.has_mixture,
        "The mixture is the sum of the sources, which is the song: the largest difference is "
        f"{survey.rest / _STEP:.0f} of 32768 steps.": survey.is_given
        and not survey.has_mixture,
        "Everything is the sum of the sources; no mixture was given.": not survey.is_given,
        f"Everything is {-20 * np.log10(survey.scale):.1f} dB softer than the files, which exceed "
        "full scale.": survey.scale < 1,
        "The first two channels are heard.": max(song.n_channels for song in songs) > 2,
    }
    return " ".join(words for words, holds in parts.items() if holds)


def _write_head(file: TextIO, title: str, description: Mixer, remark: str) -> None:
    name = escape(_words(title))
    file.write(
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{_MARK}\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{name}</title>\n<link rel="icon" href="data:,">\n'
        f"<style>{page_style()}{style()}</style>\n</head>\n<body>\n<h1>{name}</h1>\n"
        '<main><div data-mixer="song"></div>\n'
        "<noscript><p>The mixer needs JavaScript.</p></noscript>\n"
        f"<p>{escape(remark)}</p>\n{_HELP}</main>\n"
        f'<script type="application/json" id="song">{description.json()}</script>\n'
        f"<script>{script()}startMixers();</script>\n"
    )


def _write_sound(file: TextIO, songs: Sequence[Song], survey: _Survey, gain: float) -> None:
    """Elements of coded chunks, the earliest of all tracks first."""
    n_sources = survey.n_sources
    mixture = songs[n_sources] if len(songs) > n_sources else None
    rate = songs[0].sample_rate
    for k, chunks in enumerate(_read_together(songs[:n_sources], mixture, gain)):
        for i, chunk in enumerate(chunks):
            if len(chunk):
                coded = code_waveform(survey.scale * chunk, rate)
                file.write(f'<script type="text/plain" id="sound-{i}-{k}">{coded}</script>\n')


def _clock(n_samples: int, rate: int) -> str:
    seconds = n_samples // rate
    return f"{seconds // 60}:{seconds % 60:02d}"


def _words(name: str) -> str:
    """A name with the bytes replaced that are no UTF-8, as names of files may have."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
