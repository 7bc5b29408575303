"""Laws of reading, writing and resampling over any channels, rates, lengths and blocks."""

import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from asteroid_xscheme.audio import (
    AudioError,
    AudioReader,
    AudioWriter,
    Resampler,
    probe_audio,
    resampled_length,
)

QUICK = settings(derandomize=True, deadline=None, max_examples=25, database=None)
MANY = settings(derandomize=True, deadline=None, max_examples=2000, database=None)

shapes = some.tuples(some.integers(1, 9), some.integers(1, 3000))
rates = some.sampled_from([1, 8000, 11025, 22050, 44100, 48000, 96000, 192000])
blocks = some.integers(1, 4000)
lossless = some.sampled_from(
    [(".wav", "PCM_16"), (".wav", "PCM_24"), (".wav", "FLOAT"), (".flac", "PCM_16")]
)


def steps_of_16_bit(n_channels, n_samples):
    generator = torch.Generator().manual_seed(n_channels * 10007 + n_samples)
    return torch.randint(-(2**15), 2**15, (n_channels, n_samples), generator=generator) / 2**15


def read_in_blocks(path, size, skip):
    parts = []
    with AudioReader(path) as reader:
        skipped = reader.skip(skip)
        while (part := reader.read(size)).shape[-1]:
            parts.append(part)
        empty = part
    return torch.cat([*parts, empty], -1), skipped


def check_round_trip(shape, rate, size, skip, form):
    suffix, subtype = form
    if suffix == ".flac" and shape[0] > 8:
        shape = (8, shape[1])
    waveform = steps_of_16_bit(*shape)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        with AudioWriter(path, rate, shape[0], subtype) as writer:
            for block in waveform.split(size, -1):
                writer.write(block)
        info = probe_audio(path)
        assert (info.sample_rate, info.n_channels, info.n_samples) == (rate, *shape)
        assert not info.is_cut
        read, skipped = read_in_blocks(path, size, skip)
        assert skipped == min(skip, shape[1])
        assert torch.equal(read, waveform[:, skip:])
        assert list(Path(folder).iterdir()) == [path]


def check_resampling(shape, from_rate, to_rate, size):
    if resampled_length(shape[1], from_rate, to_rate) > 200000:
        return
    waveform = steps_of_16_bit(*shape)
    resampler = Resampler(from_rate, to_rate, shape[0])
    parts = [resampler.push(block) for block in waveform.split(size, -1)]
    parts.append(resampler.push(waveform[:, :0], last=True))
    assert torch.cat(parts, -1).shape == (shape[0], resampled_length(shape[1], from_rate, to_rate))


def check_mutation(name, position, new):
    """A file with some bytes replaced and its end cut off is read, or refused in one line."""
    waveform = steps_of_16_bit(2, 3000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        with AudioWriter(path, 8000, 2) as writer:
            writer.write(waveform)
        content = bytearray(path.read_bytes())
        at = int(position * len(content))
        content[at : at + len(new)] = new
        path.write_bytes(content[: len(content) - len(new) ** 2])
        try:
            read, _ = read_in_blocks(path, 1000, 10)
        except AudioError as error:
            assert "\n" not in str(error) and str(error).startswith(str(path))
        else:
            assert read.dtype == torch.float32


positions = some.one_of(some.floats(0, 0.02), some.floats(0, 1))
names = some.sampled_from(["a.wav", "a.flac", "a.ogg"])


@QUICK
@given(shapes, rates, blocks, some.integers(0, 4000), lossless)
def test_written_audio_reads_back_for_any_shape(shape, rate, size, skip, form):
    check_round_trip(shape, rate, size, skip, form)


@QUICK
@given(shapes, rates, rates, blocks)
def test_resampled_song_has_its_exact_length_for_any_block_size(shape, from_rate, to_rate, size):
    check_resampling(shape, from_rate, to_rate, size)


@QUICK
@given(names, positions, some.binary(min_size=1, max_size=8))
def test_damaged_file_is_read_or_refused_in_one_line(name, position, new):
    check_mutation(name, position, new)


@pytest.mark.slow
@pytest.mark.fuzz
@MANY
@given(shapes, rates, blocks, some.integers(0, 4000), lossless)
def test_written_audio_reads_back_for_many_shapes(shape, rate, size, skip, form):
    check_round_trip(shape, rate, size, skip, form)


@pytest.mark.slow
@pytest.mark.fuzz
@MANY
@given(names, positions, some.binary(min_size=1, max_size=8))
def test_many_damaged_files_are_read_or_refused_in_one_line(name, position, new):
    check_mutation(name, position, new)
