"""Write tags into finished FLAC, MP3 and WAV files without changing the encoded samples.

The ffmpeg libraries would rewrite the file, an MP3 without the delay that keeps it aligned, and a
WAV without its cover.

References: the FLAC format, RFC 9639; ID3v2.4, https://id3.org/id3v2.4.0-structure; the INFO list,
Multimedia Programming Interface and Data Specifications 1.0 (1991).
"""

import struct
from pathlib import Path
from typing import BinaryIO, Dict, Iterator, Mapping, Optional, Tuple

from .tags import Cover, Tags

_BLOCK = 1 << 20  # bytes moved at a time
_FRONT_COVER = 3
_FLAC_PADDING, _FLAC_COMMENT, _FLAC_PICTURE = 1, 4, 6
#: by field: name in FLAC, frame in ID3v2.4, chunk in WAV
_NAMES: Dict[str, Tuple[str, bytes, Optional[bytes]]] = {
    "title": ("TITLE", b"TIT2", b"INAM"),
    "artist": ("ARTIST", b"TPE1", b"IART"),
    "album": ("ALBUM", b"TALB", b"IPRD"),
    "album_artist": ("ALBUMARTIST", b"TPE2", None),
    "composer": ("COMPOSER", b"TCOM", None),
    "genre": ("GENRE", b"TCON", b"IGNR"),
    "date": ("DATE", b"TDRC", b"ICRD"),
    "track": ("TRACKNUMBER", b"TRCK", b"IPRT"),
    "disc": ("DISCNUMBER", b"TPOS", None),
    "comment": ("COMMENT", b"COMM", b"ICMT"),
    "copyright": ("COPYRIGHT", b"TCOP", b"ICOP"),
    "publisher": ("PUBLISHER", b"TPUB", None),
    "bpm": ("BPM", b"TBPM", None),
    "key": ("INITIALKEY", b"TKEY", None),
}


def write_tags(path: Path, suffix: str, tags: Tags) -> None:
    """Write tags into a file that has none.

    Args:
        path: A finished file.
        suffix: Format of the file, one of `TAGGED`; the file's own suffix is ignored.
        tags: Tags to write.

    Raises:
        OSError: If they cannot be written, e.g. because the disk is full.
    """
    with open(path, "r+b") as file:
        _WRITERS[suffix](file, tags)


def _tag_flac(file: BinaryIO, tags: Tags) -> None:
    """Replace the metadata blocks of comments, pictures and padding, before the audio frames."""
    file.seek(4)
    blocks = list(_flac_blocks(file))
    replaced = _FLAC_PADDING, _FLAC_COMMENT, _FLAC_PICTURE
    made = [(kind, content) for kind, content in blocks if kind not in replaced]
    comment = next((content for kind, content in blocks if kind == _FLAC_COMMENT), bytes(4))
    (length,) = struct.unpack_from("<I", comment)
    made.append((_FLAC_COMMENT, _vorbis_comment(comment[4 : 4 + length], tags.fields)))
    if tags.cover:
        made.append((_FLAC_PICTURE, _flac_picture(tags.cover)))
    headers = [struct.pack(">I", kind << 24 | len(content)) for kind, content in made]
    headers[-1] = bytes([headers[-1][0] | 0x80]) + headers[-1][1:]  # no block follows
    content = b"".join(header + content for header, (_, content) in zip(headers, made))
    _replace(file, 4, file.tell(), content)


def _flac_blocks(file: BinaryIO) -> Iterator[Tuple[int, bytes]]:
    """Kind and content of each metadata block from the current position."""
    is_last = False
    while not is_last:
        (header,) = struct.unpack(">I", file.read(4))
        is_last = bool(header >> 31)
        yield header >> 24 & 0x7F, file.read(header & 0xFFFFFF)


def _vorbis_comment(vendor: bytes, fields: Mapping[str, str]) -> bytes:
    texts = [f"{_NAMES[name][0]}={text}".encode() for name, text in fields.items()]
    parts = [_counted("<I", vendor), struct.pack("<I", len(texts))]
    return b"".join([*parts, *(_counted("<I", text) for text in texts)])


def _flac_picture(cover: Cover) -> bytes:
    """A picture block without description; size and colours are 0, as the picture has them."""
    head = struct.pack(">I", _FRONT_COVER) + _counted(">I", cover.mime.encode())
    return head + bytes(4 + 4 * 4) + _counted(">I", cover.content)


def _counted(form: str, content: bytes) -> bytes:
    return struct.pack(form, len(content)) + content


def _tag_mp3(file: BinaryIO, tags: Tags) -> None:
    _replace(file, 0, 0, _id3(tags))


def _tag_wav(file: BinaryIO, tags: Tags) -> None:
    """Append an INFO list, and an ID3 tag for fields that INFO lacks; update the header's size."""
    end = file.seek(0, 2)
    file.write(bytes(end % 2))
    entries = [
        _chunk(chunk, text.encode() + b"\0")
        for name, text in tags.fields.items()
        if (chunk := _NAMES[name][2])
    ]
    file.write(_chunk(b"LIST", b"INFO" + b"".join(entries)) + _chunk(b"id3 ", _id3(tags)))
    size = file.tell() - 8
    file.seek(0)
    is_large = file.read(4) == b"RF64"
    file.seek(20 if is_large else 4)
    file.write(struct.pack("<Q" if is_large else "<I", size))


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + _counted("<I", content) + bytes(len(content) % 2)


def _id3(tags: Tags) -> bytes:
    """An ID3v2.4 tag."""
    frames = b"".join(_id3_text(name, text) for name, text in tags.fields.items())
    if tags.cover:
        kind = b"\0" + tags.cover.mime.encode() + b"\0" + bytes([_FRONT_COVER, 0])
        frames += _id3_frame(b"APIC", kind + tags.cover.content)
    return b"ID3\x04\0\0" + _seven_bits(len(frames)) + frames


def _id3_text(name: str, text: str) -> bytes:
    frame = _NAMES[name][1]
    language = b"und\0" if frame == b"COMM" else b""
    return _id3_frame(frame, b"\x03" + language + text.encode())


def _id3_frame(name: bytes, content: bytes) -> bytes:
    return name + _seven_bits(len(content)) + bytes(2) + content


def _seven_bits(number: int) -> bytes:
    """Encode a number in four bytes with seven bits each."""
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def _replace(file: BinaryIO, start: int, end: int, content: bytes) -> None:
    """Replace the bytes [start, end); the bytes after them move."""
    shift, size = len(content) - (end - start), file.seek(0, 2)
    places = range(end, size, _BLOCK)
    for at in reversed(places) if shift > 0 else places:
        file.seek(at)
        block = file.read(min(_BLOCK, size - at))
        file.seek(at + shift)
        file.write(block)
    file.truncate(size + shift)
    file.seek(start)
    file.write(content)


_WRITERS = {".flac": _tag_flac, ".mp3": _tag_mp3, ".wav": _tag_wav}
TAGGED = tuple(_WRITERS)
