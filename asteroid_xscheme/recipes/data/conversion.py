"""Convert the files of one song to .wav files with the same sample rate and length.

Samples are stored with 16 bits as in MUSDB18-HQ, or as 32-bit floats if 16 bits would clip them:
decoded AAC exceeds full scale, and clipped sources no longer add up to their mixture.
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

#: Increase this when the conversion of the same files changes, so that old songs are made again.
CONVERSION_VERSION = 1

_MOST_PADDING = 4096  # samples by which streams of one song may differ in length
_LARGEST = 1.0 - 2.0**-16  # 16 bits clip larger samples


def convert_stems(path: Path, folder: Path, sample_rate: int) -> None:
    """Decode the five streams of a .stem.mp4, aligned and cut to the length of the shortest.

    Args:
        path: The .stem.mp4.
        folder: Folder that receives mixture.wav, drums.wav, bass.wav, other.wav and vocals.wav.
        sample_rate: Sample rate to convert to, in Hz.

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
            f"{path}: its streams differ in length ({listed(lengths)} samples), so it is "
            "truncated. Download it again."
        )
    if max(lengths.values()) > shortest:
        _cut_to_shortest([folder / (name + SUFFIX) for name in lengths])


def convert_hq(files: Mapping[str, Path], folder: Path, sample_rate: int, link: bool) -> None:
    """Take over the files of a song of MUSDB18-HQ; only other sample rates are converted.

    Args:
        files: Files by name ("mixture", "bass", ...).
        folder: Folder that receives NAME.wav.
        sample_rate: Sample rate to convert to, in Hz.
        link: Whether to link to the files instead of moving them.

    Raises:
        DataError: If a file is broken, or the files differ in length, which means that some are
            truncated.
    """
    lengths = {name: probe_audio(path).n_samples for name, path in files.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(
            f"Its files differ in length ({listed(lengths)} samples), so some are truncated. "
            "Download them again."
        )
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
    """Convert a song's files, of any format, to one sample rate, length and number of channels.

    Shorter files are padded with silence at the end, and mono files among others are duplicated. A
    missing mixture is made as the sum of the sources.

    Args:
        files: Files by name: a source, or "mixture".
        folder: Folder that receives NAME.wav.
        sample_rate: Sample rate to convert to, in Hz.
        left_out: Sources to leave out of a mixture that is made.

    Returns:
        One sentence for each file that was padded by more than an encoder's padding.

    Raises:
        DataError: If a file is broken, or the numbers of channels do not fit together.
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
    """One sentence for each waveform that is much shorter than the longest."""
    longest = max(waveform.shape[-1] for waveform in waveforms.values())
    missing = {name: longest - waveform.shape[-1] for name, waveform in waveforms.items()}
    return [
        f"{name} ends {n_samples / sample_rate:.2f} s before the longest file; silence was added."
        for name, n_samples in missing.items()
        if n_samples > _MOST_PADDING
    ]


def _equalise(waveforms: Mapping[str, torch.Tensor]) -> Dict[str, torch.Tensor]:
    """Extend all waveforms to the most channels and the greatest length among them."""
    n_samples = max(waveform.shape[-1] for waveform in waveforms.values())
    n_channels = max(waveform.shape[0] for waveform in waveforms.values())
    equal = {}
    for name, waveform in waveforms.items():
        if len(waveform) not in (1, n_channels):
            raise DataError(
                f"{name} has {len(waveform)} channels, but another file has {n_channels}. Expected "
                "mono files and files with one other number of channels."
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
    """Put a file under another name: link to the user's file, or move the unpacked one."""
    if not link:
        os.replace(path, target)
        return
    try:
        target.symlink_to(path.resolve())
    except OSError:  # the file system or the account does not support links
        shutil.copyfile(path, target)


def listed(values: Mapping[str, int]) -> str:
    """Names and values for a message, such as "bass 500, drums 8000"."""
    return ", ".join(f"{name} {value}" for name, value in values.items())
