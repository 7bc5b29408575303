"""Tags: the ffmpeg libraries read what was written, and no sample changes."""

import struct
import zlib

import pytest
import soundfile
import torch

from asteroid_xscheme.audio import AudioError, AudioWriter, Tags, read_audio, read_tags, write_audio
from asteroid_xscheme.audio.tags import Cover

FIELDS = {
    **{"title": "Grüße ☂", "artist": "Ärtist", "album": "Alkali", "album_artist": "V. A."},
    **{"composer": "B", "genre": "Jazz", "date": "2020-05-17", "track": "3/9", "disc": "1/2"},
    **{"comment": "two\nlines", "copyright": "© me", "publisher": "P", "bpm": "121", "key": "Am"},
}


def png(n_bytes=0):
    """A picture of one pixel, followed by this number of bytes, which viewers ignore."""

    def chunk(name, content):
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    size = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", size), chunk(b"IDAT", zlib.compress(bytes(4))), chunk(b"IEND", b"")
    return Cover(b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + bytes(n_bytes), "image/png")


def noise(n_samples=8001):
    generator = torch.Generator().manual_seed(0)
    return 0.3 * torch.randn(1, n_samples, generator=generator).clamp(-3, 3)


def write(path, tags, n_samples=8001, **options):
    with AudioWriter(path, 8000, 1, tags=tags, **options) as writer:
        writer.write(noise(n_samples))
    return path


# of FLAC more than is moved at a time
@pytest.mark.parametrize("suffix, n_samples", [(".flac", 800_001), (".mp3", 8001), (".wav", 8001)])
def test_tags_and_cover_are_read_back_and_no_sample_changes(tmp_path, suffix, n_samples):
    tags = Tags(FIELDS, png(2_000_000))
    path = write(tmp_path / f"tagged{suffix}", tags, n_samples)
    plain = write(tmp_path / f"plain{suffix}", Tags(), n_samples)
    found = read_tags(path)
    assert found.fields == FIELDS
    assert found.cover == tags.cover
    assert torch.equal(read_audio(path)[0], read_audio(plain)[0])
    assert soundfile.info(path).frames == soundfile.info(plain).frames
    assert not read_tags(plain)


def test_wav_of_more_than_four_gigabytes_counts_its_tags(tmp_path):
    path = write(tmp_path / "a.wav", Tags(FIELDS), n_samples=99)
    with AudioWriter(tmp_path / "b.wav", 8000, 1, n_samples=1 << 33, tags=Tags(FIELDS)) as writer:
        writer.write(noise())
    content = (tmp_path / "b.wav").read_bytes()
    assert content[:4] == b"RF64" and struct.unpack("<Q", content[20:28])[0] == len(content) - 8
    assert read_tags(tmp_path / "b.wav").fields["title"] == FIELDS["title"]
    assert read_audio(tmp_path / "b.wav")[0].shape == (1, 8001)
    assert struct.unpack("<I", path.read_bytes()[4:8])[0] == path.stat().st_size - 8


def test_title_names_the_stem():
    tags = Tags({"title": "Yesterday", "artist": "B"})
    assert tags.of_stem("no_vocals", "01").fields == {
        "title": "Yesterday (no vocals)",
        "artist": "B",
    }
    assert Tags({"artist": "B"}).of_stem("bass", "01").fields["title"] == "01 (bass)"
    assert not Tags().of_stem("bass", "01")


def latin_id3v1(path):
    """An ID3v1 tag, which declares no encoding, at the end of an MP3."""
    write_audio(path, noise(), 8000)
    title, artist = "Grüße".encode("cp1252"), b"Ana\xefs"
    tag = b"TAG" + title.ljust(30, b"\0") + artist.ljust(30, b"\0")
    path.write_bytes(path.read_bytes() + tag.ljust(128, b"\0"))


def latin_info(path):
    """An INFO list in the Windows-1252 encoding."""
    content = write(path, Tags({"title": "XXXXX", "artist": "YYYYY"})).read_bytes()
    content = content.replace(b"XXXXX", "Grüße".encode("cp1252")).replace(b"YYYYY", b"Ana\xefs")
    path.write_bytes(content)


@pytest.mark.parametrize("suffix, make", [(".mp3", latin_id3v1), (".wav", latin_info)])
def test_tags_in_undeclared_encodings_are_decoded(tmp_path, suffix, make):
    path = tmp_path / f"a{suffix}"
    make(path)
    fields = read_tags(path).fields
    assert (fields["title"], fields["artist"]) == ("Grüße", "Anaïs")
    assert read_audio(path)[0].shape == (1, 8001)


def test_loudness_and_recording_identifiers_are_not_copied(tmp_path):
    names = ("REPLAYGAIN_TRACK_GAIN", "MUSICBRAINZ_TRACKID", "ISRC")
    content = write(tmp_path / "a.flac", Tags({"title": "t", "artist": "x" * 40})).read_bytes()
    for name in names:
        other = f"{name}={'x' * (len('ARTIST=') + 40 - len(name) - 1)}".encode()
        (tmp_path / "b.flac").write_bytes(content.replace(b"ARTIST=" + b"x" * 40, other))
        assert read_tags(tmp_path / "b.flac").fields == {"title": "t"}


def test_unsupported_cover_is_left_out_with_a_note(tmp_path):
    path = write(tmp_path / "a.mp3", Tags({"title": "t"}, png(1 << 24)))
    tags = read_tags(path)
    assert (tags.fields, tags.cover) == ({"title": "t"}, None)
    assert tags.note == "its cover (17 MB) is too large and was left out"


def test_unsupported_and_unreadable_tags_are_reported(tmp_path):
    with pytest.raises(AudioError, match="a.ogg: tags are written to .flac, .mp3, .wav only"):
        AudioWriter(tmp_path / "a.ogg", 8000, 1, tags=Tags({"title": "t"}))
    (tmp_path / "a.wav").write_bytes(b"text")
    with pytest.raises(AudioError, match="a.wav: its tags cannot be read"):
        read_tags(tmp_path / "a.wav")
