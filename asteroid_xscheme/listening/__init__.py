"""Sources of a song -> a mixer to hear them with, in a page that needs nothing but a browser.

`write_page` makes a page of its own; the report builds the same mixer into its page.
"""

from .coding import RATES, code_waveform, read_chunks, waveform_peaks
from .errors import ListeningError
from .mixer import Chunk, Mixer, Scene, Track, script, script_of, style
from .page import check_page, write_page

__all__ = [
    "Chunk",
    "ListeningError",
    "Mixer",
    "RATES",
    "Scene",
    "Track",
    "check_page",
    "code_waveform",
    "read_chunks",
    "script",
    "script_of",
    "style",
    "waveform_peaks",
    "write_page",
]
