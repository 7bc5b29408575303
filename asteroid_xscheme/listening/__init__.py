"""Mixers for a song's sources, as HTML pages that need nothing but a browser.

`write_page` writes a page with one mixer. The report puts the same mixer into its own page.
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
