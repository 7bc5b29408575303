"""The page in a real browser: no errors, pictures that load, sounds that play."""

import pytest

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
