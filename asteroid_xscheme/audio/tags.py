"""The tags and the cover of a song, for the files that are made of it.

The ffmpeg libraries read them, which know the tags of all formats. Taken is what is also true of a
part of the song: neither its loudness nor what identifies the recording.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Dict, Iterable, Optional, Tuple, Union

from .errors import AudioError

if TYPE_CHECKING:
    import av

#: fields by the names that the ffmpeg libraries and tagging programs give them
_FIELDS = {
    **{name: name for name in ("title", "artist", "album", "album_artist", "composer", "genre")},
    **{name: name for name in ("date", "track", "disc", "comment", "copyright", "publisher")},
    **{"year": "date", "tyer": "date", "tracknumber": "track", "discnumber": "disc"},
    **{"albumartist": "album_artist", "bpm": "bpm", "tbpm": "bpm", "tmpo": "bpm"},
    **{"initialkey": "key", "tkey": "key"},
}
_PICTURES = {
    "mjpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "webp": "image/webp",
}
_LONGEST_TEXT = 1 << 16  # characters
_LARGEST_COVER = (1 << 24) - (1 << 10)  # bytes; FLAC counts those of a block in 24 bits


@dataclass(frozen=True)
class Cover:
    """A picture as it is stored, and its type, such as "image/jpeg"."""

    content: bytes
    mime: str


@dataclass(frozen=True)
class Tags:
    """What a file says of its music.

    Attributes:
        fields: Texts by name: title, artist, album, album_artist, composer, genre, date, track,
            disc, comment, copyright, publisher, bpm, key; only those that are there.
        cover: The picture.
        note: What of the song's tags was left out, in words.
    """

    fields: Dict[str, str] = field(default_factory=dict)
    cover: Optional[Cover] = None
    note: Optional[str] = None

    def __bool__(self) -> bool:
        return bool(self.fields or self.cover)

    def of_stem(self, stem: str, track: str) -> "Tags":
        """The same with a title such as "Yesterday (no vocals)"; nothing stays nothing.

        Args:
            stem: Its name.
            track: What stands for a title that is missing.
        """
        if not self:
            return self
        title = f"{self.fields.get('title', track)} ({stem.replace('_', ' ')})"
        return replace(self, fields={**self.fields, "title": title})


def read_tags(path: Union[str, Path]) -> Tags:
    """The tags of an audio file.

    Text that is no UTF-8 is read as Windows-1252.

    Raises:
        AudioError: If the ffmpeg libraries cannot read the file.
    """
    import av

    try:
        with open(path, "rb") as file:
            with av.open(file, "r", metadata_errors="surrogateescape") as container:
                found = [container.metadata, *(s.metadata for s in container.streams.audio)]
                cover = _cover(container)
    except av.error.FFmpegError as error:
        raise AudioError(f"{path}: its tags cannot be read ({error.strerror}).") from error
    fields = dict(_known(item for metadata in reversed(found) for item in metadata.items()))
    if cover is not None and len(cover.content) > _LARGEST_COVER:
        note = f"its cover of {len(cover.content) / 1e6:.0f} MB is left out, more than files hold"
        return Tags(fields, None, note)
    return Tags(fields, cover)


def _known(items: Iterable[Tuple[str, str]]) -> Iterable[Tuple[str, str]]:
    for name, value in items:
        text = _text(value)
        if text and len(text) <= _LONGEST_TEXT and name.casefold() in _FIELDS:
            yield _FIELDS[name.casefold()], text


def _text(value: str) -> str:
    """Text of a tag, whatever its bytes."""
    content = value.encode("utf-8", "surrogateescape")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    return text.replace("\0", "").strip()


def _cover(container: "av.container.InputContainer") -> Optional[Cover]:
    """The first picture of a file; where there is a video, it is none."""
    for stream in container.streams.video:
        codec = stream.codec_context.name if stream.codec_context else None
        if codec in _PICTURES:
            packet = next(iter(container.demux(stream)), None)
            if packet is not None and packet.size:
                return Cover(bytes(packet), _PICTURES[codec])
    return None
