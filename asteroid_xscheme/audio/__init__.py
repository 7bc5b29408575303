"""Audio files <-> (channel, time) float32 tensors: read any format, write, resample, tag.

What goes in and comes out is a path and a waveform of any length, whole or in blocks, so that a
song never has to fit into memory. Alignment and length are exact: the delay that lossy encoders
add is taken off again, and a resampled waveform has the length its rate asks for.
"""

from .errors import AudioError
from .reading import AudioReader, probe_audio, read_audio
from .resampling import Resampler, resample, resampled_length
from .source import AudioInfo, falls_short
from .tags import Tags, read_tags
from .writing import MP3_BITRATES, SUBTYPES, AudioWriter, mp3_bitrates, write_audio

__all__ = [
    "AudioError",
    "AudioInfo",
    "AudioReader",
    "AudioWriter",
    "MP3_BITRATES",
    "Resampler",
    "SUBTYPES",
    "Tags",
    "falls_short",
    "mp3_bitrates",
    "probe_audio",
    "read_audio",
    "read_tags",
    "resample",
    "resampled_length",
    "write_audio",
]
