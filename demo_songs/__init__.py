"""The built-in songs: composed and rendered on this machine, from a number alone.

Tempo, key, chords, rhythms, instruments and voices differ from song to song. They are for tests and
for a first training without any download, and about as hard to separate as real music: a ratio mask
reaches 8 dB, an equaliser 2 dB.
"""

from .song import GENERATOR_VERSION, SOURCES, render_song
from .synthesis import SAMPLE_RATE

__all__ = ["GENERATOR_VERSION", "SAMPLE_RATE", "SOURCES", "render_song"]
