"""Write the media of a report: excerpts to listen to, and spectrograms.

An excerpt is an MP3 inside a script, because a page that is opened as a file can load only scripts.
A record of what the media were made from lies beside them; media that would be the same are not
made again.
"""

from base64 import b64encode
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import soundfile
import torch
from scipy.signal import resample_poly

from ...atomic import replacing, write_text
from ...audio import AudioWriter, mp3_bitrates
from ...listening import Chunk, script_of, waveform_peaks
from ..identity import RECORD_FILE, compare, file_hashes, read_record, write_record

MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # Hz
_KILOBITS = 96  # of an MP3, per second
BYTES_PER_SECOND = 1000 * _KILOBITS // 6  # in base64
_IMAGE = (420, 132)  # pixels
_RANGE = 80.0  # dB shown below the loudest point of the reference
_N_FFT = 2048
_LOWEST = 40.0  # Hz


class Media:
    """The folder of a report's sounds and pictures; `finish` removes everything else from it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._before = read_record(folder) or {} if folder.is_dir() else {}
        self._made_of: Dict[str, Any] = {}
        (folder / RECORD_FILE).unlink(missing_ok=True)

    def sound(self, path: Path, files: Sequence[Path], first: int, last: int, region: int) -> Chunk:
        """Write the sum of files between two seconds as a script.

        Args:
            path: Script to write.
            files: Audio files to add up.
            first, last: First and last second (exclusive).
            region: Index of the region of the mixer that the sound belongs to.

        Returns:
            The sound as an entry of a mixer.
        """
        waveform, rate = at_preview_rate(*read_excerpt(files, (first, last)))
        key = self._name(path)
        if self._is_missing(path, [files], (first, last)):
            path.parent.mkdir(parents=True, exist_ok=True)
            coded = b64encode(encode_preview(waveform, rate)).decode("ascii")
            write_text(path, script_of(key, coded))
        peaks = b64encode(waveform_peaks(waveform)).decode("ascii")
        return Chunk(first * rate, len(waveform), key, peaks, f"{self.folder.name}/{key}", region)

    def spectrograms(
        self,
        paths: Sequence[Path],
        reference: Sequence[Path],
        estimate: Sequence[Path],
        seconds: Tuple[float, float],
    ) -> None:
        """Write pictures of a reference, its estimate and their difference; see
        `write_spectrograms`."""
        if any([self._is_missing(path, [reference, estimate], seconds) for path in paths]):
            waveform, sample_rate = read_excerpt(reference, seconds)
            write_spectrograms(paths, waveform, read_excerpt(estimate, seconds)[0], sample_rate)

    def finish(self) -> None:
        """Remove files that this report does not use, and write the record of the others."""
        for path in [p for p in self.folder.rglob("*") if p.is_file()]:
            if self._name(path) not in self._made_of:
                path.unlink()
        if self._made_of:
            write_record(self.folder, self._made_of)

    def _is_missing(
        self, path: Path, files: Sequence[Sequence[Path]], seconds: Tuple[float, float]
    ) -> bool:
        hashes = file_hashes([each for of in files for each in of])
        made_of = {"seconds": seconds, "files": [[hashes[path] for path in of] for of in files]}
        name = self._name(path)
        self._made_of[name] = made_of
        return not (path.is_file() and compare(self._before.get(name), made_of).is_same)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


def read_excerpt(paths: Sequence[Path], seconds: Tuple[float, float]) -> Tuple[np.ndarray, int]:
    """The sum of files between two seconds, (T, C) with one or two channels; the rate in Hz."""
    total: np.ndarray = np.zeros((1, 1), np.float32)
    sample_rate = 0
    for path in paths:
        with soundfile.SoundFile(str(path)) as file:
            sample_rate = file.samplerate
            first, last = (min(int(s * sample_rate), file.frames) for s in seconds)
            file.seek(first)
            total = total + file.read(last - first, dtype="float32", always_2d=True)[:, :2]
    return total, sample_rate


def preview_rate(sample_rate: int) -> int:
    """The sample rate in Hz to use for an MP3: the lowest that is not below the given rate."""
    return next((rate for rate in MP3_RATES if rate >= sample_rate), MP3_RATES[-1])


def at_preview_rate(waveform: np.ndarray, sample_rate: int) -> Tuple[np.ndarray, int]:
    """Resample a waveform (T, C) to the sample rate of its MP3; returns both."""
    rate = preview_rate(sample_rate)
    if rate != sample_rate:
        waveform = resample_poly(waveform, rate, sample_rate, axis=0)
    return waveform, rate


def encode_preview(waveform: np.ndarray, sample_rate: int) -> bytes:
    """Encode a waveform (T, C), clipped to full scale, as MP3."""
    bitrate = min(_KILOBITS, mp3_bitrates(sample_rate)[-1])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "preview.mp3"
        with AudioWriter(path, sample_rate, waveform.shape[1], bitrate=bitrate) as writer:
            writer.write(torch.from_numpy(np.clip(waveform, -1.0, 1.0).T))
        return path.read_bytes()


def write_spectrograms(
    paths: Sequence[Path], reference: np.ndarray, estimate: np.ndarray, sample_rate: int
) -> None:
    """Write pictures of a reference, its estimate and their difference, on the same colour scale.

    Args:
        paths: The three PNG files to write.
        reference: Waveform (T, C) of the true source.
        estimate: Waveform (T, C) of the estimate.
        sample_rate: In Hz.
    """
    from matplotlib import colormaps
    from PIL import Image

    palette = (255 * colormaps["magma"](np.arange(256))[:, :3]).astype(np.uint8)
    length = min(len(reference), len(estimate))
    signals = (reference, estimate, reference[:length] - estimate[:length])
    levels = [_levels(signal.mean(1), sample_rate) for signal in signals]
    top = levels[0].max()
    for path, level in zip(paths, levels):
        path.parent.mkdir(parents=True, exist_ok=True)
        shades = np.clip((level - top + _RANGE) / _RANGE, 0, 1)
        image = Image.fromarray((255 * shades).astype(np.uint8)[::-1])
        image.putpalette(palette.tobytes())
        with replacing(path) as part:
            image.save(part, format="PNG", optimize=True)


def spectrogram_axes(path: Path, seconds: Tuple[int, int]) -> Dict[str, List[Tuple[str, float]]]:
    """Ticks of the spectrograms of a file: labels, and their positions from 0 to 1.

    Args:
        path: An audio file of the song.
        seconds: First and last second (exclusive) of the excerpt.

    Returns:
        Ticks by axis: "frequency" (from the bottom up, logarithmic from `_LOWEST` to half the
        sample rate) and "time".
    """
    info = soundfile.info(str(path))
    highest = info.samplerate / 2
    last = min(seconds[1], info.duration)
    frequencies = [
        (f"{hertz // 1000} kHz" if hertz >= 1000 else f"{hertz} Hz", hertz)
        for hertz in (100, 1000, 10_000)
        if hertz < highest
    ]
    return {
        "frequency": [
            (words, float(np.log(hertz / _LOWEST) / np.log(highest / _LOWEST)))
            for words, hertz in frequencies
        ],
        "time": [
            (f"{second:g} s", (second - seconds[0]) / (last - seconds[0]))
            for second in np.linspace(seconds[0], last, 3).round(1)
        ],
    }


def _levels(signal: np.ndarray, sample_rate: int) -> np.ndarray:
    """Levels in dB, one per pixel: frequency (logarithmic, lowest first) by time."""
    n_columns, n_rows = _IMAGE
    hop = max(1, (len(signal) - 1) // n_columns)
    padded = np.pad(signal, (_N_FFT // 2, _N_FFT // 2 + hop * n_columns))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::hop][:n_columns]
    power = abs(np.fft.rfft(frames * np.hanning(_N_FFT).astype(np.float32))) ** 2
    edges = np.geomspace(_LOWEST, sample_rate / 2, n_rows + 1) * _N_FFT / sample_rate
    total = np.pad(np.cumsum(power, axis=1), ((0, 0), (1, 0)))
    bins = np.arange(power.shape[1] + 1)
    at_edges = np.stack([np.interp(edges, bins, row) for row in total])
    density = np.diff(at_edges) / np.diff(edges)
    return 10 * np.log10(np.maximum(density, 1e-10)).T
