"""The built-in demo set: songs composed and rendered on this machine, and one real track.

`render_demo` makes 36 songs with four sources each, laid out as MUSDB18-HQ: tempo, key, chords,
rhythms, instruments and voices differ from song to song and follow from its number alone. They are
for tests and for a first training run without any download, and about as hard to separate as real
music: a ratio mask reaches 8 dB, an equaliser 2 dB.
"""

from .real_track import REAL_TRACK, unpack_real_track
from .rendering import VALID_TRACKS, render_demo

__all__ = ["REAL_TRACK", "VALID_TRACKS", "render_demo", "unpack_real_track"]
