"""The files of one song -> its folder of .wav files of one rate and one length.

Samples are stored in 16 bits like those of MUSDB18-HQ, or as 32-bit floats where 16 bits would clip
them: what AAC decodes to exceeds full scale, and a clipped source is no part of its mixture.
"""

import os
import shutil
from pathlib import Path
from typing import Dict, List, Mapping, Sequence

import torch

from ...audio import probe_audio, read_audio, resample, write_audio
from .errors import DataError
from .musdb import stem_streams
from .soundness import check_sound, read_sound
from .tracks import MIXTURE, SUFFIX

#: Counts up whenever the same files are converted to others, so that old ones are made anew.
CONVERSION_VERSION = 1

_MOST_PADDING = 4096  # samples by which streams of one song may differ in length
_LARGEST = 1.0 - 2.0**-16  # a sample beyond it is clipped by 16 bits


def convert_stems(path: Path, folder: Path, sample_rate: int) -> None:
    """Decode the five streams of a .stem.mp4, aligned and cut to the shortest of them.

    Args:
        path: The file.
        folder: Receives mixture.wav, drums.wav, bass.wav, other.wav and vocals.wav.
        sample_rate: In Hz; other rates are converted.

    Raises:
        DataError: If the streams differ in length by more than an encoder's padding.
    """
    lengths = {}
    for stream, name in enumerate(stem_streams()):
        waveform, rate = read_sound(path, stream)
        lengths[name] = waveform.shape[-1]
        _write(folder, name, resample(waveform, rate, sample_rate), sample_rate)
    shortest = min(lengths.values())
    if max(lengths.values()) - shortest > _MOST_PADDING:
        raise DataError(
            f"{path}: streams of {lengths} samples. It is truncated: download it again."
        )
    if max(lengths.values()) > shortest:
        _cut_to_shortest([folder / (name + SUFFIX) for name in lengths])


def convert_hq(files: Mapping[str, Path], folder: Path, sample_rate: int, link: bool) -> None:
    """Take over the files of a song of MUSDB18-HQ as they are, but for their rate.

    Args:
        files: By name ("mixture", "bass", ...) the files.
        folder: Receives NAME.wav.
        sample_rate: In Hz; other rates are converted.
        link: Whether to link to the files instead of moving them.

    Raises:
        DataError: If a file is broken, or they differ in length: then some were cut.
    """
    lengths = {name: probe_audio(path).n_samples for name, path in files.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"Files of {lengths} samples. Some are truncated: download them again.")
    for name, path in files.items():
        if probe_audio(path).sample_rate == sample_rate:
            check_sound(path)
            _take(path, folder / (name + SUFFIX), link)
        else:
            waveform, rate = read_sound(path)
            _write(folder, name, resample(waveform, rate, sample_rate), sample_rate)


def convert_files(
    files: Mapping[str, Path], folder: Path, sample_rate: int, left_out: Sequence[str] = ()
) -> List[str]:
    """Bring a song's files, of any formats, to one rate, length and number of channels.

    Shorter files are padded with silence at the end, mono files beside others duplicated. Where
    there is no mixture, it is the sum of the sources.

    Args:
        files: By name of the source ("mixture" is none) the files.
        folder: Receives NAME.wav.
        sample_rate: In Hz.
        left_out: Sources that do not count for a mixture that is made.

    Returns:
        Which files were padded by more than encoders do, in sentences.

    Raises:
        DataError: If a file is broken, or their channels do not go together.
    """
    waveforms = {}
    for name, path in files.items():
        waveform, rate = read_sound(path)
        waveforms[name] = resample(waveform, rate, sample_rate)
    padded = _padded(waveforms, sample_rate)
    waveforms = _equalise(waveforms)
    if MIXTURE not in waveforms:
        parts = [waveform for name, waveform in waveforms.items() if name not in left_out]
        if not parts:
            raise DataError(f"source_map leaves out all of {', '.join(files)}.")
        waveforms[MIXTURE] = sum(parts[1:], start=parts[0])
    for name, waveform in waveforms.items():
        _write(folder, name, waveform, sample_rate)
    return padded


def _padded(waveforms: Mapping[str, torch.Tensor], sample_rate: int) -> List[str]:
    """Which waveforms are much shorter than the longest, in sentences."""
    longest = max(waveform.shape[-1] for waveform in waveforms.values())
    missing = {name: longest - waveform.shape[-1] for name, waveform in waveforms.items()}
    return [
        f"{name} ends {n_samples / sample_rate:.2f} s before the longest file; silence was added."
        for name, n_samples in missing.items()
        if n_samples > _MOST_PADDING
    ]


def _equalise(waveforms: Mapping[str, torch.Tensor]) -> Dict[str, torch.Tensor]:
    """Waveforms of the most channels and of the length of the longest."""
    n_samples = max(waveform.shape[-1] for waveform in waveforms.values())
    n_channels = max(waveform.shape[0] for waveform in waveforms.values())
    equal = {}
    for name, waveform in waveforms.items():
        if len(waveform) not in (1, n_channels):
            raise DataError(
                f"{name} has {len(waveform)} channels, another file {n_channels}. "
                "Expected the same number of channels in all files, or mono."
            )
        padded = torch.nn.functional.pad(waveform, (0, n_samples - waveform.shape[-1]))
        equal[name] = padded.expand(n_channels, n_samples)
    return equal


def _cut_to_shortest(paths: Sequence[Path]) -> None:
    shortest = min(probe_audio(path).n_samples for path in paths)
    for path in paths:
        waveform, rate = read_audio(path, n_samples=shortest)
        _write(path.parent, path.name[: -len(SUFFIX)], waveform, rate)


def _write(folder: Path, name: str, waveform: torch.Tensor, sample_rate: int) -> None:
    clips = bool(waveform.numel()) and (waveform.max() > _LARGEST or waveform.min() < -1.0)
    write_audio(folder / (name + SUFFIX), waveform, sample_rate, "FLOAT" if clips else "PCM_16")


def _take(path: Path, target: Path, link: bool) -> None:
    """The file under another name: a link to the user's, or the unpacked one itself."""
    if not link:
        os.replace(path, target)
        return
    try:
        target.symlink_to(path.resolve())
    except OSError:  # file systems and accounts that have no links
        shutil.copyfile(path, target)
