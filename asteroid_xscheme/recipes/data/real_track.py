"""The demo set's real track, made from the stem file that the stempeg package contains.

stempeg ships 6 seconds of "Falcon 69" by The Easton Ellises, a track of MUSDB18, under CC BY-NC-SA.
The file is read from the installed package and not redistributed. stempeg is not imported, because
that needs ffmpeg.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import List, Sequence, cast

from ...audio import read_audio, write_audio
from ..identity import Record, file_hash
from .errors import DataError
from .making import SongOrder
from .musdb import stem_streams

STEM_FILE = "data/The Easton Ellises - Falcon 69.stem.mp4"
CUT_SECONDS = 0.1  # a burst at both ends


def find_real_track() -> Path:
    """The path of the stem file in the installed stempeg package.

    Raises:
        DataError: If the package or the file is missing.
    """
    package = find_spec("stempeg")
    if package is None:
        raise DataError(
            "The real track of the demo comes with the stempeg package: `pip install stempeg`."
        )
    path = Path(cast(List[str], package.submodule_search_locations)[0]) / STEM_FILE
    if not path.is_file():
        raise DataError(
            f"Expected a stem file at {path}; `pip install --force-reinstall stempeg` restores it."
        )
    return path


class RealTrack(SongOrder):
    """The track as a song of the demo set: real/Falcon 69/, 44.1 kHz, stereo, 32-bit float.

    As in many real tracks, the sources do not add up exactly to the mixture: the difference is at
    -22 dB.
    """

    subset, name = "real", "Falcon 69"

    def record(self) -> Record:
        """Everything that the files of the track depend on.

        Raises:
            DataError: If the stempeg package is not installed.
        """
        return {"original": file_hash(find_real_track()), "cut": CUT_SECONDS}

    def make(self, folder: Path) -> Sequence[str]:
        for index, name in enumerate(stem_streams()):
            waveform, sample_rate = read_audio(find_real_track(), stream=index)
            cut = int(CUT_SECONDS * sample_rate)
            kept = waveform[:, cut : waveform.shape[1] - cut]
            write_audio(folder / f"{name}.wav", kept, sample_rate, subtype="FLOAT")
        return []
