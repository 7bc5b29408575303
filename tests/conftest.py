"""A folder of tiny songs and the options of a training that takes a second."""

import base64
import json
import os
import random
import shutil
import subprocess

import numpy as np
import pytest
import soundfile
import torch

from asteroid_xscheme.recipes.config import Config
from tests.hub_server import hub_server  # noqa: F401 - a fixture

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
RATE = 8000
SOURCES = ["bass", "drums", "vocals", "other"]
VALID = {"long": 2.0, "short": 0.5}  # seconds


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Every test draws the same numbers, whichever tests ran before it in its process."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def user_cache(tmp_path_factory):
    """A cache of the tests' own instead of the user's, for child processes too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def write_track(folder, seconds, seed):
    """Four sources of noise, each in a band of its own, and their mixture."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    sources = 0.1 * generator.standard_normal((len(SOURCES), int(seconds * RATE), 2))
    for name, source in zip([*SOURCES, "mixture"], [*sources, sources.sum(0)]):
        soundfile.write(folder / f"{name}.wav", source.clip(-1, 1), RATE, subtype="PCM_16")


@pytest.fixture(scope="session")
def songs(tmp_path_factory):
    """Six tracks to train on, two to validate with, one to test on; not to be changed."""
    root = tmp_path_factory.mktemp("songs")
    for seed, name in enumerate("abcdef"):
        write_track(root / "train" / name, 1.0, seed)
    for seed, (name, seconds) in enumerate(VALID.items()):
        write_track(root / "train" / name, seconds, 10 + seed)
    write_track(root / "test" / "t", 1.5, 20)
    return root


MODELS = {
    "XUMX": {
        "window_length": 64,
        "in_chan": 64,
        "nhop": 16,
        "hidden_size": 8,
        "nb_layers": 2,
        "bandwidth": 3000,
    },
    "XD3Net": {"network": "small", "window_length": 64, "in_chan": 64, "nhop": 16},
    "XConvTasNet": {
        "n_filters": 8,
        "bn_chan": 4,
        "hid_chan": 8,
        "n_blocks": 2,
        "n_repeats": 2,
        "window_length": 64,
        "in_chan": 64,
        "nhop": 16,
    },
    "XScheme": {
        "network": "asteroid.models:ConvTasNet",
        "network_args": {
            **{"n_src": 1, "n_filters": 8, "kernel_size": 8, "stride": 4, "n_blocks": 2},
            **{"n_repeats": 1, "bn_chan": 4, "hid_chan": 8, "skip_chan": 4, "mask_act": "relu"},
        },
        "points": ["masker.TCN.0", "masker.mask_net"],
        "window_length": 64,
        "in_chan": 64,
        "nhop": 16,
        "nb_channels": 1,
    },
}


@pytest.fixture(scope="session")
def make_config(songs):
    """A function from groups of options to a `Config` whose epoch takes a moment."""

    def make(architecture="XUMX", **groups):
        base = {
            "model": {"architecture": architecture, **MODELS[architecture]},
            "data": {
                "dataset": "folder",
                "train_dir": [str(songs)],
                "valid_tracks": list(VALID),
                "sample_rate": RATE,
                "seq_dur": 0.25,
                "samples_per_track": 2,
                "num_workers": 0,
            },
            "training": {"epochs": 2, "batch_size": 4, "val_dur": 0.75, "accelerator": "cpu"},
            "evaluation": {"eval_jobs": 1, "eval_device": "cpu"},
        }
        for name, options in groups.items():
            base[name] = {**base.get(name, {}), **options}
        return Config.from_dict(base)

    return make


class Browser:
    """Headless Chromium, spoken to over two pipes by its DevTools protocol."""

    def __init__(self, profile):
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--mute-audio"]
        command += ["--autoplay-policy=no-user-gesture-required", f"--user-data-dir={profile}"]
        # The protocol is spoken on file descriptors 3 and 4.
        shell = f'exec 3<&{to_browser} 4>&{from_browser}; exec "$@"'
        self._process = subprocess.Popen(
            ["bash", "-c", shell, "bash", *command, "--remote-debugging-pipe"],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer, self._number, self._session = b"", 0, None
        self.errors = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """Result of a command; errors that the page reports meanwhile are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, address, width):
        size = dict(width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.errors = []
        self.call("Page.navigate", url=address)
        while self._receive().get("method") != "Page.loadEventFired":
            pass

    def run(self, script):
        """Value of a script, awaited."""
        options = dict(awaitPromise=True, returnByValue=True, userGesture=True)
        answer = self.call("Runtime.evaluate", expression=script, **options)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def save_picture(self, path):
        """A picture of the whole page."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def close(self):
        self._process.terminate()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def _receive(self):
        while b"\0" not in self._buffer:
            received = os.read(self._read, 1 << 16)
            assert received, "Chromium ended"
            self._buffer += received
        message, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(message)
        if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
            self.errors.append(message["params"])
        return message


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A browser for all tests that open pages."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()
