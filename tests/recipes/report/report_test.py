"""The content and the files of reports."""

import csv
import io
import json
import re
import shutil
from base64 import b64decode
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pytest
import soundfile

from asteroid_xscheme.recipes.report import ReportError, read_record, write_report


class Links(HTMLParser):
    """All addresses in a page, and its text."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.words, self.parts = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("href", "src")]

    def handle_data(self, words):
        self.words += words
        self.parts.append(words)


@pytest.fixture(scope="module")
def links(page):
    return Links(page.read_text(encoding="utf-8"))


def test_every_link_is_a_file_beside_the_page_or_an_anchor_in_it(page, links):
    text = page.read_text(encoding="utf-8")
    for address in links.addresses:
        if address.startswith("#"):
            assert f'id="{address[1:]}"' in text
        elif address != "data:,":
            assert (page.parent / unquote(address)).is_file(), address
    assert "http://" not in text and "https://" not in text


def test_page_shows_scores_beside_what_was_published_and_their_conditions(links):
    assert "mixture" in links.words and "−5.00" in links.words
    assert re.search(r"X-UMX\s*1\.00\s*0\.50\s*1\.50\s*seed 42", links.words)
    assert "50 test songs of MUSDB18; trained on MUSDB18; Asteroid README" in links.words


def test_headline_places_the_model_between_filter_and_oracle(make_run, tmp_path):
    run = make_run(tmp_path / "run")
    path = run / "evaluation" / "record.json"
    record = json.loads(path.read_text())
    systems = record["subsets"]["test"]["systems"]
    for name, decibels in {"static filter": -2.0, "ratio-mask oracle": 4.0}.items():
        systems[name] = json.loads(json.dumps(systems["X-UMX"]))
        for source in record["sources"]:
            systems[name]["figures"][source]["SDR"] += decibels
            for song, second in (("First & last", 1.0), ("Second", -1.0)):
                frames = systems[name]["frames"][song][source]
                systems[name]["frames"][song][source] = [
                    v if v is None else v + decibels + second for v in frames
                ]
    path.write_text(json.dumps(record))
    words = Links(write_report([run], tmp_path / "report").read_text(encoding="utf-8")).words
    headline = words[words.index("SDR in dB, average") : words.index("median over the seconds")]
    assert re.search(r"dB above the static filter\s*2\.00\s*songs 1\.00 to 3\.00", headline)
    assert re.search(r"dB below the oracle\s*4\.00\s*songs 3\.00 to 5\.00", headline)


def test_published_scores_are_collapsed_for_other_data(page):
    text = page.read_text(encoding="utf-8")
    assert "<details><summary>Published scores, all on other data" in text


def test_song_lines_name_their_sources_and_epochs_count_from_one(links, page):
    assert re.search(r"X-UMX:\s*bass 0\.50,\s*vocals 1\.50\s*dB", links.words)
    losses = re.search(r'aria-label="loss, by epoch".*?</svg>', page.read_text()).group(0)
    assert ">1</text>" in losses and ">2</text>" in losses and ">0</text>" not in losses


def test_spectrograms_have_axes_with_units(links):
    assert {"100 Hz", "1 kHz", "0 s", "1.5 s", "3 s"} <= set(map(str.strip, links.parts))


def test_page_shows_the_options_and_facts_of_the_run(links):
    for words in ("seed: 42", "abc<def>", "training hours", "0.5", "First & last"):
        assert words in links.words


def test_worst_second_of_each_song_and_source_links_to_its_sound(page):
    text = page.read_text(encoding="utf-8")
    assert "First &amp; last: bass at 0:01, X-UMX" in text
    assert 'href="#t000" data-place="0 1 2 0"' in text  # excerpt, second 1, estimates, bass


def sound_of(path):
    """soundfile's information about the MP3 in a script."""
    coded = re.fullmatch(r'mixerAudio\("[^"]+", "(.*)"\);\n', path.read_text()).group(1)
    return soundfile.info(io.BytesIO(b64decode(coded)))


def test_excerpts_contain_the_sound(page):
    info = sound_of(page.parent / "media" / "t000" / "mixture.js")
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


def test_report_of_many_songs_has_short_excerpts_within_the_size_limit(
    make_run, tmp_path, monkeypatch
):
    """The limit of 100 MB for fifty songs is 1.4 MB for three; the files are measured."""
    monkeypatch.setattr("asteroid_xscheme.recipes.report.songs.MOST_BYTES", 1_400_000)
    run = make_run(tmp_path / "run", songs=("a", "b", "c"), n_seconds=40)
    page = write_report([run], tmp_path / "report")
    media = [path for path in page.parent.joinpath("media").rglob("*") if path.suffix != ".json"]
    assert sum(path.stat().st_size for path in media if path.is_file()) < 1_400_000
    excerpt = sound_of(page.parent / "media" / "t000" / "mixture.js")
    assert 2.0 < excerpt.duration < 10.0


def test_clip_of_a_worst_second_outside_of_the_excerpt_is_written(make_run, tmp_path):
    frames = [np.nan, -4.0, np.nan, *[5.0] * 37]
    run = make_run(tmp_path / "run", songs=("Long",), n_seconds=40, frames=frames)
    page = write_report([run], tmp_path / "report")
    clips = sorted(path.name for path in page.parent.rglob("*-at-1.js"))
    assert len(clips) == 4
    clip = sound_of(page.parent / "media" / "t000" / clips[0])
    assert clip.duration == pytest.approx(3.0, abs=0.2)
    excerpt = sound_of(page.parent / "media" / "t000" / "mixture.js")
    assert excerpt.duration == pytest.approx(30.0, abs=0.2)


def test_several_runs_are_shown_side_by_side_and_baselines_once(make_run, run, tmp_path):
    other = make_run(tmp_path / "other", level=4.0, songs=("Second",))
    page = write_report([run, other], tmp_path / "report")
    with open(page.with_name("scores.csv"), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    ours = [row for row in rows if row["kind"] != "published" and row["source"] == "bass"]
    assert [row["system"] for row in ours] == ["mixture", "X-UMX (run)", "X-UMX (other)"]
    assert [float(row["SDR"]) for row in ours] == [-5.0, 0.5, -0.5]
    table = " ".join(page.with_name("scores.md").read_text(encoding="utf-8").split())
    assert "| X-UMX (other) | −0.50 | 0.50 | 0.00 | 2 songs of demo | seed 42 |" in table
    assert len(list(page.parent.rglob("vocals-estimate1.js"))) == 1  # only the second song


@pytest.mark.parametrize("bsseval", [True, False])
def test_tables_show_the_metrics_that_were_scored(bsseval, make_run, tmp_path):
    folder = make_run(tmp_path / "run", songs=("First",))
    shutil.rmtree(folder / "evaluation" / "estimates")
    path = folder / "evaluation" / "record.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    for system in record["subsets"]["test"]["systems"].values():
        for source, figures in system["figures"].items():
            if not bsseval:
                figures.update(dict.fromkeys(figures))
                frames = system["frames"]["First"]
                frames[source] = [None] * len(frames[source])
            figures.update({"uSDR": 3.0, "SI-SDR": -2.0})
    path.write_text(json.dumps(record), encoding="utf-8")
    page = write_report([folder], tmp_path / "report")
    words = Links(page.read_text(encoding="utf-8")).words
    assert "uSDR in dB, of whole songs" in words and "SI-SDR in dB, of whole songs" in words
    assert ("SDR in dB, BSSEval v4" in words) == ("SIR in dB" in words) == bsseval
    text = page.with_name("scores.md").read_text(encoding="utf-8")
    table = re.sub(" +", " ", text)  # columns are padded
    assert "| uSDR in dB | bass | vocals | average |" in table
    assert "| X-UMX | −2.00 | −2.00 | −2.00 | 2 songs of demo | seed 42 |" in table
    assert ("| SDR in dB" in table) == bsseval
    with open(page.with_name("scores.csv"), newline="", encoding="utf-8") as file:
        row = next(row for row in csv.DictReader(file) if row["system"] == "X-UMX")
    assert (row["uSDR"], row["SI-SDR"], bool(row["SDR"])) == ("3.0000", "-2.0000", bsseval)


def test_losses_of_a_resumed_training_are_one_curve(run):
    losses = read_record(run).losses
    assert losses["val_loss"] == {0: 3.5, 1: 2.5}
    assert losses["loss_epoch"] == {0: 4.0, 1: 3.0}


def test_run_without_estimates_and_logs_is_reported_without_sounds(make_run, tmp_path):
    run = make_run(tmp_path / "run", songs=("First",))
    shutil.rmtree(run / "evaluation" / "estimates")
    for path in (run / "logs").rglob("*.csv"):
        path.unlink()
    text = write_report([run], tmp_path / "report").read_text(encoding="utf-8")
    assert "The estimates were not kept" in text and "no training logs" in text


def test_run_without_an_evaluation_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(ReportError, match="evaluate the run first"):
        write_report([tmp_path], tmp_path / "report")


def write_noise(path, seed):
    noise = 0.1 * np.random.default_rng(seed).standard_normal((3 * 8000, 2))
    soundfile.write(path, noise, 8000)


def test_clips_change_only_with_their_estimates(make_run, tmp_path):
    run = make_run(tmp_path / "run")
    page = write_report([run], tmp_path / "report")
    media = {p: p.read_bytes() for p in (page.parent / "media").rglob("*.*")}
    times = {path: path.stat().st_mtime_ns for path in media}
    write_report([run], tmp_path / "report")
    made_again = [p for p in media if p.stat().st_mtime_ns != times[p]]
    assert [path.name for path in made_again] == ["made_of.json"]

    shutil.rmtree(run / "evaluation")
    other = make_run(tmp_path / "other", seed=1, songs=("First & last",))
    shutil.copytree(other / "evaluation", run / "evaluation")
    write_report([run], tmp_path / "report")
    clip = page.parent / "media" / "t000" / "bass-estimate0.js"
    assert clip.read_bytes() != media[clip]
    assert not (page.parent / "media" / "t001" / "bass-estimate0.js").exists()  # no such song


@pytest.mark.parametrize("what", ["replaced", "deleted"])
def test_estimate_changed_since_scoring_is_left_out_and_named(make_run, tmp_path, caplog, what):
    run = make_run(tmp_path / "run")
    estimate = run / "evaluation" / "estimates" / "test" / "Second" / "bass.wav"
    if what == "replaced":
        write_noise(estimate, 1)
    else:
        estimate.unlink()
    page = write_report([run], tmp_path / "report")
    assert "Second: left out, because they are missing or have changed" in caplog.text
    assert "estimates/test/Second/bass.wav" in caplog.text
    assert not (page.parent / "media" / "t001" / "bass-estimate0.js").exists()
    assert (page.parent / "media" / "t001" / "vocals-estimate0.js").is_file()


def test_clip_truncated_by_a_kill_is_written_again(make_run, tmp_path):
    run = make_run(tmp_path / "run")
    page = write_report([run], tmp_path / "report")
    clip = page.parent / "media" / "t000" / "mixture.js"
    whole = clip.read_bytes()
    clip.write_bytes(whole[:100])
    (page.parent / "media" / "made_of.json").unlink()  # goes first, and comes back last
    write_report([run], tmp_path / "report")
    assert clip.read_bytes() == whole


def test_scores_of_a_retrained_model_are_not_reported(make_run, tmp_path):
    run = make_run(tmp_path / "run")
    finished = json.loads((run / "finished.json").read_text())
    (run / "finished.json").write_text(json.dumps({**finished, "weights": "sha256:other"}))
    with pytest.raises(ReportError, match="are of another model .model changed.: evaluate it"):
        write_report([run], tmp_path / "report")
