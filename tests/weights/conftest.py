"""A small package, a separate cache for each test, and a loopback server to fetch from."""

from pathlib import Path

import pytest
import torch

from asteroid_xscheme.models import XUMX, BridgedModel
from asteroid_xscheme.weights import CheckpointError
from tests.loopback import LoopbackHandler, LoopbackServer

GOLDEN = Path(__file__).parent.parent / "golden"
WEIGHT = "layer_dec.a.dec.0.weight"  # (8, 16), of `model_package`


def assert_refused(path, words, error=CheckpointError):
    """Assert that a file is refused with one line that names it and the reason."""
    with pytest.raises(error, match=words) as raised:
        BridgedModel.from_pretrained(path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


@pytest.fixture
def golden():
    return GOLDEN


@pytest.fixture
def package():
    return {
        "model_name": "XUMX",
        "model_args": {"sources": ["a", "b"], "sample_rate": 44100, "max_bin": 5},
        "state_dict": {"weight": torch.arange(2000.0), "count": torch.tensor(3)},
        "infos": {"software_versions": {"torch_version": "2.11"}},
    }


@pytest.fixture
def trained(package):
    """A package that describes its training data."""
    licence = {
        "title": "MUSDB18",
        "title_link": "https://a",
        "author": "F.-R. Stöter",
        "author_link": "https://b",
        "license": "educational purposes only",
        "license_link": "https://c",
        "non_commercial": True,
    }
    return {**package, "dataset": "MUSDB18", "task": "music_separation", "licenses": [licence]}


@pytest.fixture
def model_package():
    """A package that builds a model."""
    sizes = dict(window_length=64, in_chan=64, n_hop=16, hidden_size=8, nb_layers=2, max_bin=25)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return XUMX(["a", "b"], sample_rate=8000, nb_channels=2, **sizes).serialize()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bad.pth"


@pytest.fixture
def weights(package, tmp_path):
    """The bytes of a file of weights."""
    path = tmp_path / "made.pth"
    torch.save(package, path)
    return path.read_bytes()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("ASTEROID_CACHE", str(folder))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return folder


class _Handler(LoopbackHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        answer = self.server.answers.get(self.path, 404)
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if answer == "reset":
            return self.connection.close()
        if isinstance(answer, int):
            return self.answer(answer, b"no")
        if isinstance(answer, str):
            return self.answer(302, b"", {"Location": answer})
        body, *rest = answer if isinstance(answer, tuple) else (answer,)
        self.answer(200, body, length=rest[0] if rest else None)


class _Server(LoopbackServer):
    """Answers each path by `answers`, ignores Range, and notes what it was `asked`.

    An answer is the body; (body, length it claims); a status; an address to redirect to; "reset";
    or a list of these, one for each request and the last one for ever. A path without one is 404.
    """

    def __init__(self):
        super().__init__(_Handler)
        self.answers, self.asked = {}, []


@pytest.fixture
def server():
    with _Server() as server:
        yield server
