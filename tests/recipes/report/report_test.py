"""What reports say, and the files they consist of."""

import csv
import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
import soundfile

from asteroid_xscheme.recipes.report import ReportError, read_record, write_report
from asteroid_xscheme.recipes.report.songs import MOST_BYTES


class Links(HTMLParser):
    """All addresses in a page, and its text."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.words = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("href", "src")]

    def handle_data(self, words):
        self.words += words


def change_record(run, change):
    path = run / "evaluation" / "record.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def frames_of(record, song):
    return record["subsets"]["test"]["systems"]["X-UMX"]["frames"][song].values()


@pytest.fixture(scope="module")
def links(page):
    return Links(page.read_text(encoding="utf-8"))


def test_every_address_is_a_file_beside_the_page_or_a_place_in_it(page, links):
    text = page.read_text(encoding="utf-8")
    for address in links.addresses:
        if address.startswith("#"):
            assert f'id="{address[1:]}"' in text
        elif address != "data:,":
            assert (page.parent / unquote(address)).is_file(), address
    assert "http://" not in text and "https://" not in text


def test_page_shows_scores_beside_what_was_published_and_their_conditions(links):
    assert "mixture" in links.words and "−5.00" in links.words
    assert re.search(r"X-UMX\s*5\.00\s*6\.00\s*5\.50\s*seed 42", links.words)
    assert "50 test songs of MUSDB18; trained on MUSDB18; Asteroid README" in links.words


def test_page_shows_options_and_information_of_the_run(links):
    for words in ("seed: 42", "abc<def>", "training hours", "0.5", "First & last"):
        assert words in links.words


def test_worst_second_of_each_song_and_source_leads_to_its_sound(page):
    text = page.read_text(encoding="utf-8")
    assert "First &amp; last: bass at 0:01, X-UMX" in text
    assert re.search(r'href="media/t000/bass-estimate0.mp3" data-at="1"', text)


def test_previews_hold_the_excerpt(page):
    info = soundfile.info(str(page.parent / "media" / "t000" / "mixture.mp3"))
    assert info.samplerate == 8000 and info.channels == 2
    assert info.duration == pytest.approx(3.0, abs=0.2)


def test_spectrograms_are_pictures_of_one_size(page):
    from PIL import Image

    pictures = sorted((page.parent / "media").rglob("*.png"))
    assert len(pictures) == 2 * 2 * 3  # songs, sources, views
    sizes = set()
    for path in pictures:
        with Image.open(path) as image:
            sizes.add(image.size)
    assert sizes == {(420, 132)}


def test_report_of_fifty_long_songs_stays_small(page):
    """Sounds of one excerpt second in this report, times what fifty songs of four sources have."""
    n_files = 50 * 9
    seconds = max(4, min(30, int(0.6 * MOST_BYTES / (12_000 * n_files))))
    pictures = [path.stat().st_size for path in (page.parent / "media").rglob("*.png")]
    bytes_of_pictures = 50 * 4 * 3 * sum(pictures) / len(pictures)
    bytes_of_clips = 50 * 4 * 2 * 3 * 12_000
    assert n_files * seconds * 12_000 + bytes_of_pictures + bytes_of_clips < MOST_BYTES


def test_clip_of_a_worst_second_outside_of_the_excerpt_is_written(make_run, tmp_path):
    run = make_run(tmp_path / "run", songs=("Long",), n_seconds=40)
    change_record(run, lambda record: [of.__setitem__(2, None) for of in frames_of(record, "Long")])
    page = write_report([run], tmp_path / "report")
    clips = sorted(path.name for path in page.parent.rglob("*-at-1.mp3"))
    assert len(clips) == 4
    clip = soundfile.info(str(page.parent / "media" / "t000" / clips[0]))
    assert clip.duration == pytest.approx(3.0, abs=0.2)
    excerpt = soundfile.info(str(page.parent / "media" / "t000" / "mixture.mp3"))
    assert excerpt.duration == pytest.approx(30.0, abs=0.2)


def test_several_runs_stand_side_by_side_and_baselines_once(make_run, run, tmp_path):
    other = make_run(tmp_path / "other", level=4.0, songs=("Second",))
    page = write_report([run, other], tmp_path / "report")
    with open(page.with_name("scores.csv"), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    ours = [row for row in rows if row["kind"] != "published" and row["source"] == "bass"]
    assert [row["system"] for row in ours] == ["mixture", "X-UMX (run)", "X-UMX (other)"]
    assert [float(row["SDR"]) for row in ours] == [-5.0, 5.0, 4.0]
    table = page.with_name("scores.md").read_text(encoding="utf-8")
    assert "| X-UMX (other) | 4.00 | 5.00 | 4.50 | 2 songs of demo | seed 42 |" in table
    assert len(list(page.parent.rglob("vocals-estimate1.mp3"))) == 1  # only the second song


def test_losses_of_a_resumed_training_are_one_curve(run):
    losses = read_record(run).losses
    assert losses["val_loss"] == {0: 3.5, 1: 2.5}
    assert losses["loss_epoch"] == {0: 4.0, 1: 3.0}


def test_run_without_estimates_and_logs_is_reported_without_sounds(make_run, tmp_path):
    run = make_run(tmp_path / "run", songs=("First",))
    change_record(run, lambda record: record["subsets"]["test"]["tracks"][0]["estimates"].clear())
    for path in (run / "logs").rglob("*.csv"):
        path.unlink()
    text = write_report([run], tmp_path / "report").read_text(encoding="utf-8")
    assert "No estimates were kept" in text and "There are no logs of a training" in text


def test_run_that_was_not_evaluated_is_an_error_with_the_remedy(tmp_path):
    with pytest.raises(ReportError, match="evaluate the run first"):
        write_report([tmp_path], tmp_path / "report")
