"""Read, write, resample and tag audio files; waveforms are (channel, time) float32 tensors.

Waveforms are handled as a whole or in blocks, so that a song does not have to fit into memory.
Alignment and length are exact: the delay that lossy encoders add is removed, and a resampled
waveform has exactly the length that follows from the two rates.
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
