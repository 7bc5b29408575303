"""The page in a real browser: no errors, all pictures load, and links play the right sound."""

import pytest

BROKEN_PICTURES = """(async () => {
  const pictures = [...document.querySelectorAll(".song[open] img")];
  pictures.forEach((picture) => { picture.loading = "eager"; });
  const failed = await Promise.all(pictures.map((p) => p.decode().then(() => 0, () => 1)));
  return [pictures.length, failed.reduce((a, b) => a + b, 0)];
})()"""
#: loudest sample of every track of every song's excerpt, alone
PEAKS = """(async () => {
  const peaks = [];
  for (const { engine, song } of Mixer.all) {
    const gainOf = engine.gainOf;
    for (const one of song.tracks) {
      engine.gainOf = (track) => (track === one ? 1 : 0);
      const sound = await engine.render(...song.regions[0]);
      peaks.push(Math.max(...sound.getChannelData(0).map(Math.abs)));
    }
    engine.gainOf = gainOf;
  }
  return peaks;
})()"""
#: what a click leads to: the second that is heard first, what is heard, and of which source
HEARD = """(async (click) => {
  const mixer = Mixer.all[0];
  mixer.engine.here = 8000;
  click();
  const before = performance.now();
  const begins = () => mixer.engine.run && mixer.engine.run.segments.length;
  while (!begins() && performance.now() - before < 5000)
    await new Promise((done) => setTimeout(done, 10));
  const second = mixer.engine.run.segments[0].sample / mixer.song.sample_rate;
  mixer.engine.stop();
  const solo = mixer.rows.filter((row) => row.solo).map((row) => row.name);
  return [second, mixer.song.scenes[mixer.scene].name, solo];
})"""
CLICK_DRAWING = """() => {
  const drawing = document.querySelector(".song[open] .time svg");
  const box = drawing.getBoundingClientRect();
  const place = { bubbles: true, clientX: box.left + 0.95 * box.width, clientY: box.top + 40 };
  drawing.dispatchEvent(new MouseEvent("click", place));
}"""


@pytest.mark.parametrize("width", [1280, 390])
def test_page_has_no_errors_plays_every_sound_and_fits_the_window(browser, page, width, tmp_path):
    browser.open(page.as_uri(), width)
    peaks = browser.run(PEAKS)
    assert len(peaks) == 2 * (1 + 2 + 2)  # of each song the mixture, references and estimates
    assert min(peaks) > 0.1
    assert browser.run(BROKEN_PICTURES) == [6, 0]
    assert browser.run("document.documentElement.scrollWidth") <= width
    browser.save_picture(tmp_path / "page.png")
    assert browser.errors == []


def test_links_play_the_second_that_they_name(browser, page):
    browser.open(page.as_uri(), 1280)
    link = "document.querySelector('#worst a.play')"
    assert browser.run(f"{HEARD}(() => {link}.click())") == [1, "X-UMX", ["bass"]]
    place = f"{link}.dataset.place = '0 0 1 1'; {link}.classList.remove('now')"
    at_zero = f"{HEARD}(() => {{ {place}; {link}.click(); }})"
    assert browser.run(at_zero) == [0, "reference", ["vocals"]]  # and not where it was before
    second, *_ = browser.run(f"{HEARD}({CLICK_DRAWING})")
    in_drawing = 0.95 - 30 / 360, 1 - 38 / 360  # the axis of 3 s begins at 30 and ends at 352
    assert second == pytest.approx(3 * in_drawing[0] / in_drawing[1], abs=0.02)
    assert browser.errors == []
