"""Built-in songs: composed and rendered on this machine from a seed.

Tempo, key, chords, rhythms, instruments and voices differ from song to song. The songs serve tests
and a first training without downloads. They are about as hard to separate as real music: a
ratio-mask oracle reaches 8 dB SDR, an equaliser 2 dB.
"""

from .song import GENERATOR_VERSION, SOURCES, render_song
from .synthesis import SAMPLE_RATE

__all__ = ["GENERATOR_VERSION", "SAMPLE_RATE", "SOURCES", "render_song"]
