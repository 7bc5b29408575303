"""Decode files with the ffmpeg libraries: MP3, AAC, M4A, MP4 with several streams, and others."""

from pathlib import Path
from typing import Iterator, List, cast

import av
import numpy as np

from .errors import AudioError
from .source import AudioInfo, Encoded, Source, opened

_ESTIMATED = {"aac", "ac3", "eac3"}  # formats without a header, whose length ffmpeg guesses


class FfmpegSource(Source):
    """A file decoded by the ffmpeg libraries; the samples equal those of the ffmpeg command.

    Args:
        file: Path or content.
        name: Name for messages.
        stream: Index among the audio streams.

    Raises:
        av.error.FFmpegError: If ffmpeg does not recognize the format.
        AudioError: If the stream does not exist or cannot be decoded.
    """

    length_is_exact = False

    def __init__(self, file: Encoded, name: str, stream: int):
        self.name = name
        # "file:" so that a name such as "12:30.mp3" is not parsed as a URL
        self.container = av.open(
            f"file:{file}" if isinstance(file, Path) else opened(file),
            "r",
            metadata_errors="ignore",  # tags may have any encoding
        )
        try:
            self.info = self._info_of(stream)
        except BaseException:
            self.container.close()
            raise
        self.blocks = self._decode(self.container.streams.audio[stream])
        self.buffer = np.zeros((self.info.n_channels, 0), np.float32)

    def _info_of(self, stream: int) -> AudioInfo:
        streams = self.container.streams.audio
        if stream >= len(streams):
            raise AudioError(
                f"{self.name}: has {len(streams)} audio stream(s), but no stream {stream}."
            )
        audio = streams[stream]
        if audio.codec_context is None:
            raise AudioError(f"{self.name}: neither libsndfile nor ffmpeg supports its codec.")
        seconds = 0.0
        if self.container.format.name not in _ESTIMATED:
            seconds = float((audio.duration or 0) * (audio.time_base or 0)) or (
                (self.container.duration or 0) / av.time_base
            )
        return AudioInfo(audio.rate, audio.channels, round(seconds * audio.rate))

    def read(self, n_samples: int) -> np.ndarray:
        blocks, n_ready = [self.buffer], self.buffer.shape[1]
        while n_ready < n_samples and (block := next(self.blocks, None)) is not None:
            blocks.append(block)
            n_ready += block.shape[1]
        samples = np.concatenate(blocks, axis=1)
        self.buffer = samples[:, n_samples:]
        return samples[:, :n_samples]

    def close(self) -> None:
        self.container.close()

    def _decode(self, audio: "av.AudioStream") -> Iterator[np.ndarray]:
        """Blocks (C, T) of the stream.

        Packets that do not decode at the start or end were cut and are dropped, as ffmpeg does. In
        between, dropping one would shift everything after it, so that is an error.
        """
        to_planes = av.AudioResampler(format="fltp")
        broken, n_samples = None, 0
        for packet in self._packets(audio):
            try:
                frames = cast("List[av.AudioFrame]", packet.decode())
            except av.error.FFmpegError as error:
                broken = error
                continue
            seconds = n_samples / self.info.sample_rate
            if frames and packet.size and broken is not None and n_samples:
                raise AudioError(f"{self.name}: is damaged at {seconds:.1f} s ({broken.strerror}).")
            for frame in frames:
                self._check(frame, seconds)
                for plane in to_planes.resample(frame):
                    n_samples += plane.samples
                    yield plane.to_ndarray()
        if not n_samples:
            raise AudioError(f"{self.name}: contains no samples that can be decoded.")

    def _packets(self, audio: "av.AudioStream") -> Iterator["av.Packet"]:
        """Packets up to the end, or up to the point where the file was cut."""
        try:
            yield from self.container.demux(audio)
        except av.error.InvalidDataError as error:
            if not self.info.n_samples:
                raise AudioError(f"{self.name}: is damaged ({error.strerror}).") from error
        except av.error.FFmpegError as error:
            raise AudioError(f"{self.name}: cannot be read ({error.strerror}).") from error

    def _check(self, frame: "av.AudioFrame", seconds: float) -> None:
        """Raise if the rate or the number of channels changes within the stream."""
        found = frame.sample_rate, len(frame.layout.channels)
        expected = self.info.sample_rate, self.info.n_channels
        if found != expected:
            raise AudioError(
                f"{self.name}: changes at {seconds:.1f} s: {found[0]} Hz and {found[1]} channel(s) "
                f"instead of {expected[0]} Hz and {expected[1]}; convert it to one format first."
            )
