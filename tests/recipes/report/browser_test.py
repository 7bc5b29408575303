"""The page in a real browser: no errors, pictures that load, sounds that play."""

import base64
import json
import os
import shutil
import subprocess

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PLAY_ALL = """(async () => {
  const audio = document.querySelector("#player audio");
  const played = [];
  for (const link of document.querySelectorAll(".song[open] a.play")) {
    const heard = new Promise((done) => audio.addEventListener("playing", done, { once: true }));
    link.click();
    await heard;
    played.push(audio.getAttribute("src"));
  }
  return played;
})()"""
CLICK_SECOND = """(async () => {
  const audio = document.querySelector("#player audio");
  const event = (name) => new Promise((done) => audio.addEventListener(name, done, { once: true }));
  const playing = event("playing");
  document.querySelector(".song[open] a.play").click();
  await playing;
  const sought = event("seeked");
  const drawing = document.querySelector(".song[open] .time svg");
  const box = drawing.getBoundingClientRect();
  const place = { bubbles: true, clientX: box.left + 0.95 * box.width, clientY: box.top + 40 };
  drawing.dispatchEvent(new MouseEvent("click", place));
  await sought;
  return audio.currentTime;
})()"""
BROKEN_PICTURES = """(async () => {
  const pictures = [...document.querySelectorAll(".song[open] img")];
  pictures.forEach((picture) => { picture.loading = "eager"; });
  const failed = await Promise.all(pictures.map((p) => p.decode().then(() => 0, () => 1)));
  return [pictures.length, failed.reduce((a, b) => a + b, 0)];
})()"""


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


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_page_has_no_errors_plays_every_sound_and_fits_the_window(browser, page, width, tmp_path):
    browser.open(page.as_uri(), width)
    assert len(browser.run(PLAY_ALL)) == 9  # mixture, 2 references and estimates, worst seconds
    assert browser.run(BROKEN_PICTURES) == [6, 0]
    assert browser.run("document.documentElement.scrollWidth") <= width
    browser.save_picture(tmp_path / "page.png")
    assert browser.errors == []


def test_click_into_the_drawing_plays_that_second(browser, page):
    browser.open(page.as_uri(), 1280)
    assert browser.run(CLICK_SECOND) == pytest.approx(2.85, abs=0.3)
