"""Write one HTML file with a mixer and the sound of a song's sources.

The page contains the sound as FLAC, in chunks of ten seconds per source, because a page opened from
disk cannot read other files, and players of whole files drift apart. It decodes one chunk of every
source shortly before playing it, starts all of them at the same sample of one clock, and drops them
afterwards. At most two decoded chunks per source are in memory (28 MB for 4 stereo sources at 44.1
kHz), regardless of the song's length. Writing reads the files in the same chunks, twice.
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
_STEP = 2.0**-15  # of 16-bit samples
_FULL_SCALE = 1 - _STEP
_HELP = """<p><kbd>space</kbd> plays and pauses, <kbd>1</kbd> to <kbd>9</kbd> solo a source (with
<kbd>Shift</kbd>: mute), <kbd>←</kbd> <kbd>→</kbd> go 5 seconds back or forward, <kbd>↑</kbd>
<kbd>↓</kbd> compare with the mixture. Click a waveform to go there; drag across it to loop a part,
or mark the ends of a loop with <kbd>[</kbd> and <kbd>]</kbd>; <kbd>L</kbd> ends the loop.</p>"""


def write_page(
    path: Path,
    title: str,
    sources: Mapping[str, Song],
    mixture: Optional[Song] = None,
    gain: float = 1.0,
) -> Path:
    """Write a page with a mixer.

    A source that ends early is silent from there on. Only the first two channels are played. The
    page says so in both cases.

    Args:
        path: File to write; replaced if it is a page that this function wrote.
        title: Name of the song.
        sources: Sources by name, in the order of the rows, with equal sample rates.
        mixture: The song that they were separated from; None to compare with the sum of the
            sources.
        gain: Gain of the source files relative to the mixture; the mixture is scaled to match.

    Returns:
        `path`.

    Raises:
        ListeningError: If there are no sources, their rates differ or cannot be played, or `path`
            exists and is not such a page.
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
    """Check that `path` is free or a page that `write_page` wrote.

    Raises:
        ListeningError: If it is not.
    """
    if not path.exists():
        return
    head = ""
    with suppress(UnicodeDecodeError):  # not a page of ours
        if path.is_file():
            with open(path, encoding="utf-8") as file:
                head = file.read(300)
    if _MARK not in head:
        raise ListeningError(f"{path}: is not a page that xscheme wrote; move it away first.")


@dataclass
class _Survey:
    """Facts about a whole song that are needed before the page can be written.

    Attributes:
        n_sources: Number of sources.
        peaks: For each track (the mixture last), the peaks of each chunk.
        lengths: Samples of each track.
        loudest: Largest magnitude of a sample.
        rest: Largest magnitude of the mixture minus the sum of the sources.
        is_given: Whether there is a mixture.
    """

    n_sources: int
    peaks: List[List[bytes]] = field(default_factory=list)
    lengths: List[int] = field(default_factory=list)
    loudest: float = 0.0
    rest: float = 0.0
    is_given: bool = False

    @property
    def has_mixture(self) -> bool:
        """Whether the mixture differs from the sum of the sources, so that the page contains it."""
        return self.is_given and self.rest > (self.n_sources + 1) * _STEP

    @property
    def scale(self) -> float:
        """Gain of the page relative to the files, so that it does not clip."""
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
                "resample all files to one rate first."
            )
    if not RATES[0] <= songs[first].sample_rate <= RATES[1]:
        raise ListeningError(
            f"Browsers play {RATES[0]} to {RATES[1]} Hz, got {songs[first].sample_rate} Hz: "
            "resample the files first."
        )


def _read_together(
    songs: Sequence[Song], mixture: Optional[Song], gain: float
) -> Iterator[List[np.ndarray]]:
    """Chunks (T, C) of all sources, then of the mixture at their level; empty past the end."""
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
        raise ListeningError("There is nothing to play: the files contain no samples.")
    return survey


def _added(chunks: Sequence[np.ndarray]) -> np.ndarray:
    """The sum of chunks (T, C) of different lengths; mono goes to both channels."""
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
    """Sentences on what the page's mixture is, and on differences from the files."""
    parts: Dict[str, bool] = {
        "The mixture is the song itself.": survey.has_mixture,
        "The mixture is the sum of the sources, which equals the song: the largest difference is "
        f"{survey.rest / _STEP:.0f} of 32768 steps.": survey.is_given
        and not survey.has_mixture,
        '"Everything" is the sum of the sources; no mixture was given.': not survey.is_given,
        f"The page is {-20 * np.log10(survey.scale):.1f} dB quieter than the files, which exceed "
        "full scale.": survey.scale < 1,
        "Only the first two channels are played.": max(song.n_channels for song in songs) > 2,
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
    """Write an element for each encoded chunk, in the order of their positions."""
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
    """A name with bytes replaced that are not UTF-8, which file names may contain."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
