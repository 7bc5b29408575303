"""Read the tags and cover of a song, to be copied to its stems.

The ffmpeg libraries read the tags of all formats. Only fields that are also true of a stem are
kept: neither loudness nor identifiers of the recording.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Dict, Iterable, Optional, Tuple, Union

from .errors import AudioError

if TYPE_CHECKING:
    import av

#: our names of fields, by the names that ffmpeg and tagging programs use
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
_LARGEST_COVER = (1 << 24) - (1 << 10)  # bytes; FLAC stores the size of a block in 24 bits


@dataclass(frozen=True)
class Cover:
    """An encoded picture, and its type, such as "image/jpeg"."""

    content: bytes
    mime: str


@dataclass(frozen=True)
class Tags:
    """The tags of an audio file.

    Attributes:
        fields: Text by name: title, artist, album, album_artist, composer, genre, date, track,
            disc, comment, copyright, publisher, bpm, key. Missing fields are left out.
        cover: The cover picture, if any.
        note: A sentence on tags of the song that were left out, if any.
    """

    fields: Dict[str, str] = field(default_factory=dict)
    cover: Optional[Cover] = None
    note: Optional[str] = None

    def __bool__(self) -> bool:
        return bool(self.fields or self.cover)

    def of_stem(self, stem: str, track: str) -> "Tags":
        """Copy the tags for a stem, with a title such as "Yesterday (no vocals)".

        Args:
            stem: Name of the stem.
            track: Title to use if the song has none.

        Returns:
            The tags; unchanged if the song has no tags at all.
        """
        if not self:
            return self
        title = f"{self.fields.get('title', track)} ({stem.replace('_', ' ')})"
        return replace(self, fields={**self.fields, "title": title})


def read_tags(path: Union[str, Path]) -> Tags:
    """Read the tags of an audio file.

    Text that is not valid UTF-8 is read as Windows-1252.

    Raises:
        AudioError: If the ffmpeg libraries cannot read the file.
        OSError: If the file cannot be opened.
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
        note = f"its cover ({len(cover.content) / 1e6:.0f} MB) is too large and was left out"
        return Tags(fields, None, note)
    return Tags(fields, cover)


def _known(items: Iterable[Tuple[str, str]]) -> Iterable[Tuple[str, str]]:
    for name, value in items:
        text = _text(value)
        if text and len(text) <= _LONGEST_TEXT and name.casefold() in _FIELDS:
            yield _FIELDS[name.casefold()], text


def _text(value: str) -> str:
    """Decode the text of a tag."""
    content = value.encode("utf-8", "surrogateescape")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    return text.replace("\0", "").strip()


def _cover(container: "av.container.InputContainer") -> Optional[Cover]:
    """The first picture of a file; video streams do not count."""
    for stream in container.streams.video:
        codec = stream.codec_context.name if stream.codec_context else None
        if codec in _PICTURES:
            packet = next(iter(container.demux(stream)), None)
            if packet is not None and packet.size:
                return Cover(bytes(packet), _PICTURES[codec])
    return None
