"""The mixer in a real browser, on its own audio graph."""

from base64 import b64decode

import numpy as np
import pytest

from asteroid_xscheme.listening import write_page
from asteroid_xscheme.separation import song_of_waveform

#: what the page's graph plays from one sample to another in a scene, as base64 of int16 (T, C)
RENDER = """(async (scene, solo, first, last) => {
  const mixer = document.querySelector(".mixer").mixer;
  mixer.choose(scene);
  mixer.rows.forEach((row, i) => { row.solo = i === solo; });
  const sound = await mixer.engine.render(first, last);
  const steps = new Int16Array(2 * sound.length);
  for (const c of [0, 1])
    sound.getChannelData(c).forEach((x, t) => { steps[2 * t + c] = Math.round(32768 * x); });
  let text = "";
  new Uint8Array(steps.buffer).forEach((byte) => { text += String.fromCharCode(byte); });
  return btoa(text);
})"""
KEYS = """(async (keys) => {
  const mixer = document.querySelector(".mixer").mixer;
  for (const [key, code, shiftKey] of keys) {
    const options = { key, code, shiftKey, bubbles: true, cancelable: true };
    document.body.dispatchEvent(new KeyboardEvent("keydown", options));
  }
  const { engine, rows, scene, song } = mixer;
  const flags = rows.map((row) => [row.mute, row.solo]);
  const heard = song.tracks.map((track) => engine.gainOf(track));
  return { playing: engine.isPlaying, here: engine.here, flags, heard, scene, loop: engine.loop };
})"""
PLAYS = """(async () => {
  const { engine } = document.querySelector(".mixer").mixer;
  engine.loop = [4000, 8000];
  const before = performance.now();
  engine.play(4000);
  const seen = [];
  while (performance.now() - before < 1000) {
    seen.push(engine.position());
    await new Promise((done) => setTimeout(done, 25));
  }
  const joins = engine.run.segments.map((s) => s.frame + s.length);
  const starts = engine.run.segments.map((s) => s.frame);
  engine.stop();
  engine.loop = null;
  return [Math.min(...seen), Math.max(...seen), joins.slice(0, -1), starts.slice(1)];
})()"""


@pytest.fixture(scope="module")
def mixer(browser, waveforms, tmp_path_factory):
    """The browser with a page of three sources and a separate mixture, in chunks of a second."""
    songs = [song_of_waveform(w.T.copy(), 8000) for w in (*waveforms, 0.5 * waveforms.sum(0))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asteroid_xscheme.listening.page.CHUNK_SECONDS", 1)
        path = tmp_path_factory.mktemp("a song") / "listen.html"
        write_page(path, "A song", dict(zip("abc", songs)), songs[3])
    browser.open(path.as_uri(), 1280)
    return browser


def rendered(browser, *arguments):
    coded = browser.run(f"{RENDER}({', '.join(map(str, arguments))})")
    return np.frombuffer(b64decode(coded), "<i2").reshape(-1, 2).astype(int)


def test_sources_of_the_page_null_against_the_mixture_and_against_the_files(mixer, waveforms):
    """Compare across the boundaries of chunks, to one step of 16 bits.

    A step, because Chromium divides positive integers by 32767 and negative ones by 32768.
    """
    span = 500, 17_500
    everything = rendered(mixer, 0, -1, *span)
    expected = np.rint(2**15 * waveforms[:, slice(*span)].astype(float)).astype(int)
    assert np.abs(everything - expected.sum(0)).max() <= 1
    half = rendered(mixer, 1, -1, *span)  # rounded twice: in the page, and by this test
    assert np.abs(everything - 2 * half).max() <= 2
    second = rendered(mixer, 0, 1, *span)  # its solo
    assert np.abs(second - expected[1]).max() <= 1


def test_keys_play_solo_mute_seek_and_compare(mixer):
    mixer.run("document.querySelector('.mixer').mixer.rows.forEach((r) => { r.solo = false; })")
    mixer.run("document.querySelector('.mixer').mixer.choose(0)")

    def press(*keys):
        return mixer.run(f"{KEYS}({[list(key) for key in keys]})".replace("True", "true"))

    state = press(("2", "Digit2"), ("#", "Digit1", True))
    assert state["flags"] == [[True, False], [False, True], [False, False]]
    assert state["heard"] == [0, 1, 0, 0]
    assert press(("2", "Digit2"))["heard"] == [0, 1, 1, 0]
    assert press(("ArrowDown", ""))["heard"] == [0, 0, 0, 1]
    assert press(("ArrowUp", ""), ("ArrowRight", ""))["here"] == 19_999  # the end of 2.5 s
    assert press(("Home", ""), ("]", ""))["loop"] is None  # shorter than any loop
    assert press((" ", "Space"))["playing"] is True
    assert press((" ", "Space"))["playing"] is False
    assert mixer.errors == []


def test_loop_repeats_its_part_without_a_gap(mixer):
    lowest, highest, ends, starts = mixer.run(PLAYS)
    assert 4000 <= lowest and highest < 8000
    assert len(starts) >= 2 and ends == starts
    assert mixer.errors == []


@pytest.mark.parametrize("width", [1280, 390])
def test_page_fits_the_window(mixer, width):
    mixer.call(
        "Emulation.setDeviceMetricsOverride",
        **dict(width=width, height=844, deviceScaleFactor=1, mobile=width < 600),
    )
    assert mixer.run("document.documentElement.scrollWidth") <= width
