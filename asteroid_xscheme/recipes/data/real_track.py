"""A real track to test on: the stem file of the stempeg package in, a track of the demo set out.

stempeg ships 6 seconds of "Falcon 69" by The Easton Ellises, a track of MUSDB18, under CC BY-NC-SA:
it is read where pip installed it and not passed on. stempeg is not imported, as it wants ffmpeg.
"""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Union

from ...audio import read_audio, write_audio

REAL_TRACK = "Falcon 69"
STEM_FILE = "data/The Easton Ellises - Falcon 69.stem.mp4"
#: The streams of a stem file, in their order.
STREAMS = ("mixture", "drums", "bass", "other", "vocals")
CUT_SECONDS = 0.1  # a burst at both ends


def find_real_track() -> Path:
    """The stem file in the installed stempeg package.

    Raises:
        FileNotFoundError: If there is none.
    """
    package = find_spec("stempeg")
    if package is None:
        raise FileNotFoundError(
            "The real track of the demo comes with the stempeg package: `pip install stempeg`."
        )
    path = Path(package.submodule_search_locations[0]) / STEM_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected a stem file at {path}; `pip install --force-reinstall stempeg` restores it."
        )
    return path


def unpack_real_track(root: Union[str, Path]) -> Path:
    """Decode the real track, unless it is there.

    It is written in floating point, as it was decoded. Like those of many real tracks its sources
    do not add up to its mixture exactly: the difference lies at -22 dB.

    Args:
        root: Folder of the demo set; gets real/Falcon 69/ with a .wav file for the mixture and for
            each source, 44.1 kHz, stereo.

    Returns:
        The folder of the track.
    """
    target = Path(root) / "real" / REAL_TRACK
    if target.is_dir():
        return target
    stem_file = find_real_track()
    working = target.with_name(f".{REAL_TRACK}")
    shutil.rmtree(working, ignore_errors=True)
    working.mkdir(parents=True)
    for index, name in enumerate(STREAMS):
        waveform, sample_rate = read_audio(stem_file, stream=index)
        cut = int(CUT_SECONDS * sample_rate)
        kept = waveform[:, cut : waveform.shape[1] - cut]
        write_audio(working / f"{name}.wav", kept, sample_rate, subtype="FLOAT")
    working.rename(target)
    return target
