"""Downloads against a server on loopback that behaves as badly as real ones do."""

import errno
import hashlib

import pytest

from asteroid_xscheme.download import DownloadError, attempt, check_file, download
from tests.loopback import LoopbackHandler, LoopbackServer

BODY = bytes(range(256)) * 4000  # 1 MB
MD5 = "md5:" + hashlib.md5(BODY).hexdigest()


class _Server(LoopbackServer):
    """Answers with `script`, one behaviour per request (the last one for ever), and keeps a log."""

    def __init__(self):
        super().__init__(_Handler)
        self.url += "/file.bin"
        self.body, self.etag, self.script, self.requests = BODY, None, ["good"], []


class _Handler(LoopbackHandler):
    def do_GET(self):
        server = self.server
        behaviour = server.script.pop(0) if len(server.script) > 1 else server.script[0]
        server.requests.append(self.headers.get("Range"))
        if isinstance(behaviour, int):
            return self.answer(behaviour, b"no")
        if behaviour == "html":
            return self.answer(200, b"<html>log in</html>", {"Content-Type": "text/html"})
        if behaviour == "endless":
            return self._send_without_end({})
        if behaviour == "more than announced":
            chunked = {"Transfer-Encoding": "chunked", "Content-Length": str(len(BODY))}
            return self._send_without_end(chunked)
        if behaviour == "html in disguise":
            return self.answer(200, b"\n<!DOCTYPE html><html>log in</html>")
        self._send_file(behaviour)

    def _send_file(self, behaviour):
        body, status, headers = self.server.body, 200, {}
        if self.server.etag:
            headers["ETag"] = self.server.etag
        asked = self.headers.get("Range")
        valid = self.headers.get("If-Range") in (None, self.server.etag)
        if asked and valid and behaviour != "ignore range":
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                return self.answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            body, status = body[start:], 206
        cut = len(body) // 2 if behaviour in ("cut", "ignore range and cut") else len(body)
        if behaviour == "ignore range and cut":
            body, status = self.server.body, 200
            headers.pop("Content-Range", None)
        self.answer(status, body[:cut], headers, length=len(body))

    def _send_without_end(self, headers):
        """Fifty bodies without a length: more than any test takes, and no disk is filled."""
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        size = f"{len(BODY):x}\r\n".encode() if headers else b""
        for _ in range(50):
            self.wfile.write(size + BODY + (b"\r\n" if headers else b""))


@pytest.fixture
def server():
    with _Server() as server:
        yield server


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "file.bin"


def fetch(server, target, **options):
    return download(server.url, target, progress=False, **{"backoff": 0.001, **options})


def test_file_arrives_complete_and_nothing_else_is_left(server, target):
    assert fetch(server, target, checksum=MD5) == target
    assert target.read_bytes() == BODY
    assert [p.name for p in target.parent.iterdir() if not p.name.endswith(".lock")] == ["file.bin"]


def test_existing_file_is_not_fetched_again(server, target):
    target.parent.mkdir()
    target.write_bytes(b"there")
    fetch(server, target)
    assert target.read_bytes() == b"there" and server.requests == []


def test_broken_connection_is_resumed_where_it_broke(server, target):
    server.script = ["cut", "cut", "good"]
    fetch(server, target)
    assert target.read_bytes() == BODY
    starts = [int(asked.removeprefix("bytes=").rstrip("-")) for asked in server.requests[1:]]
    assert 0 < starts[0] <= len(BODY) // 2 and starts[0] < starts[1]


def test_server_that_ignores_ranges_is_read_from_the_start(server, target):
    server.script = ["cut", "ignore range"]
    fetch(server, target)
    assert target.read_bytes() == BODY


def test_download_that_keeps_breaking_is_given_up_and_the_part_is_kept(server, target):
    server.script = ["cut", "ignore range and cut"]
    with pytest.raises(DownloadError, match="could not be downloaded in 3 attempts.*resumes"):
        fetch(server, target, retries=2)
    assert not target.exists()
    assert target.with_name("file.bin.part").stat().st_size > 0


def test_part_is_resumed_if_the_checksum_can_verify_it(server, target):
    target.parent.mkdir()
    target.with_name("file.bin.part").write_bytes(BODY[:1000])
    fetch(server, target, checksum=MD5)
    assert server.requests == ["bytes=1000-"] and target.read_bytes() == BODY


def test_part_is_resumed_if_the_etag_can_verify_it(server, target):
    server.etag, server.script = '"v1"', ["cut", 503]
    with pytest.raises(DownloadError, match="503"):
        fetch(server, target, retries=1)
    server.script, server.requests = ["good"], []
    fetch(server, target)
    assert server.requests[0].startswith("bytes=") and target.read_bytes() == BODY


def test_part_of_an_older_version_is_discarded(server, target):
    server.etag, server.script = '"v1"', ["cut", 503]
    with pytest.raises(DownloadError, match="503"):
        fetch(server, target, retries=1)
    server.etag, server.body, server.script = '"v2"', BODY[::-1], ["good"]
    fetch(server, target)
    assert target.read_bytes() == BODY[::-1]


def test_part_that_cannot_be_verified_is_not_resumed(server, target):
    target.parent.mkdir()
    target.with_name("file.bin.part").write_bytes(b"something else")
    fetch(server, target)
    assert server.requests == [None] and target.read_bytes() == BODY


@pytest.mark.parametrize("stale", [b"x" * 1000, b"x" * (len(BODY) + 1), BODY])
def test_stale_part_is_detected_by_the_checksum(server, target, stale):
    target.parent.mkdir()
    target.with_name("file.bin.part").write_bytes(stale)
    fetch(server, target, checksum=MD5)
    assert target.read_bytes() == BODY


def test_wrong_checksum_leaves_no_file(server, target):
    with pytest.raises(DownloadError, match="does not match the checksum md5:0000.*deleted"):
        fetch(server, target, checksum="md5:" + "0" * 32)
    assert not target.exists() and not target.with_name("file.bin.part").exists()


def test_malformed_checksum_is_refused_before_the_transfer(server, target):
    with pytest.raises(ValueError, match="Expected a checksum such as md5"):
        fetch(server, target, checksum="md5:123")
    assert server.requests == []


@pytest.mark.parametrize("behaviour", ["html", "html in disguise"])
def test_web_page_instead_of_the_file_is_refused(server, target, behaviour):
    server.script = [behaviour]
    with pytest.raises(DownloadError, match="a web page instead.*in a browser"):
        fetch(server, target)
    assert not target.exists() and len(server.requests) == 1


@pytest.mark.parametrize(
    "status, message", [(403, "access denied"), (404, "not found"), (410, "moved"), (418, "418")]
)
def test_refusal_is_reported_at_once_with_a_remedy(server, target, status, message):
    server.script = [status]
    with pytest.raises(DownloadError, match=f"{message}.*by hand to"):
        fetch(server, target)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_busy_server_is_retried(server, target, status):
    server.script = [status, status, "good"]
    fetch(server, target)
    assert target.read_bytes() == BODY and len(server.requests) == 3


def test_retries_are_announced_with_their_pause(server, target, caplog):
    server.script = [503, 503, "good"]
    fetch(server, target, retries=4, backoff=0.002)
    assert [record.getMessage() for record in caplog.records] == [
        f"{server.url}: the server answered 503. Trying again in 0.002 s (attempt 2 of 5).",
        f"{server.url}: the server answered 503. Trying again in 0.004 s (attempt 3 of 5).",
    ]
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_unreachable_server_is_an_error_with_a_remedy(target):
    with pytest.raises(DownloadError, match="no connection.*Check the network and the proxy"):
        download("http://127.0.0.1:9/file", target, progress=False, retries=1, backoff=0.001)


@pytest.mark.parametrize(
    "url", ["nonsense", "http://", "http:///file", "http://host:port/file", "http://[::1/file"]
)
def test_malformed_url_is_an_error(target, url):
    with pytest.raises(DownloadError, match="cannot be requested") as raised:
        download(url, target, progress=False)
    assert str(raised.value).startswith(url) and "\n" not in str(raised.value)


def test_url_scheme_may_be_in_capitals(server, target):
    download(server.url.replace("http", "HTTP"), target, progress=False)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize(
    "behaviour, free, bound", [("endless", 5e6, "2"), ("more than announced", 1e9, "1")]
)
def test_endless_body_is_stopped_and_deleted(server, target, monkeypatch, behaviour, free, bound):
    monkeypatch.setattr(attempt.shutil, "disk_usage", lambda path: _Usage(free=int(free)))
    server.script = [behaviour]
    with pytest.raises(DownloadError, match=f"was stopped after {bound} MB.*deleted"):
        fetch(server, target)
    assert not target.exists() and not target.with_name("file.bin.part").exists()
    assert len(server.requests) == 1


def test_file_without_an_announced_length_arrives(server, target, monkeypatch):
    monkeypatch.setattr(attempt.shutil, "disk_usage", lambda path: _Usage(free=10**9))
    server.script = ["endless"]
    fetch(server, target)
    assert target.read_bytes() == 50 * BODY


def test_offline_uses_existing_files_and_says_how_to_get_others(server, target):
    with pytest.raises(DownloadError, match=r"offline.*put it there"):
        fetch(server, target, offline=True)
    assert server.requests == []
    fetch(server, target)
    assert fetch(server, target, offline=True).read_bytes() == BODY


def test_full_disk_is_reported_before_the_transfer(server, target, monkeypatch):
    monkeypatch.setattr(attempt.shutil, "disk_usage", lambda path: _Usage(free=10))
    with pytest.raises(DownloadError, match="needs 1 MB in.*0 MB are free"):
        fetch(server, target)


class _Usage:
    def __init__(self, free):
        self.free = free


def test_disk_that_fills_up_is_not_mistaken_for_a_broken_network(server, target, monkeypatch):
    def write(block):
        raise OSError(errno.ENOSPC, "No space left on device")

    def open_full_disk(path, mode):
        file = open(path, mode)
        return _Wrapped(file, write)

    monkeypatch.setattr(attempt, "open", open_full_disk, raising=False)
    with pytest.raises(DownloadError, match="is full. Make room and try again"):
        fetch(server, target)
    assert len(server.requests) == 1


class _Wrapped:
    """A file whose `write` is another function."""

    def __init__(self, file, write):
        self.file, self.write, self.tell = file, write, file.tell

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()


def test_checksum_of_a_file_is_read_with_or_without_its_name(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(BODY)
    for algorithm in ("md5", "sha1", "sha256"):
        digits = hashlib.new(algorithm, BODY).hexdigest()
        assert check_file(path, f"{algorithm}:{digits}") and check_file(path, digits.upper())
        assert not check_file(path, digits[::-1])
