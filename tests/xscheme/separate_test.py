"""`xscheme separate` from the user's side: good songs, bad songs, options, interruption."""

import json
import os
import re
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import xscheme
from asteroid_xscheme.audio import (
    AudioError,
    AudioWriter,
    Tags,
    read_audio,
    read_tags,
    write_audio,
)
from asteroid_xscheme.weights import save_package
from asteroid_xscheme.models import XUMX
from asteroid_xscheme.separation.stem_files import StemFiles

SOURCES = ["drums", "vocals"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A file of a tiny model."""
    sizes = dict(window_length=256, in_chan=256, n_hop=64, hidden_size=8, nb_layers=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = XUMX(SOURCES, sample_rate=8000, **sizes)
    return save_package(network.serialize(), tmp_path_factory.mktemp("model") / "tiny.pth")


@pytest.fixture
def run(model, tmp_path, capsys):
    """Function (*arguments) -> (exit status, error lines); stems go to OUT = tmp_path / "out"."""

    def call(*arguments):
        options = ["-n", str(model), "-o", str(tmp_path / "out"), "-d", "cpu", "-q"]
        status = xscheme.main(["separate", *options, *map(str, arguments)])
        return status, capsys.readouterr().err.splitlines()

    return call


def noise(n_samples=8000, n_channels=2, scale=0.1):
    generator = torch.Generator().manual_seed(0)
    return scale * torch.randn(n_channels, n_samples, generator=generator)


def song(path, *shape, rate=8000, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, noise(*shape), rate, **options)
    return path


def stems(folder, track):
    return {path.name: read_audio(path)[0] for path in (folder / "out" / "tiny" / track).iterdir()}


def test_stems_of_a_song_have_its_length_and_sum_to_it(run, tmp_path):
    assert run(song(tmp_path / "my song é.wav")) == (0, [])
    found = stems(tmp_path, "my song é")
    assert sorted(found) == ["drums.wav", "vocals.wav"]
    assert torch.allclose(sum(found.values()), noise(), atol=3 * 2**-15)


@pytest.mark.parametrize(
    "options, name, subtype",
    [
        (["--int24"], "drums.wav", "PCM_24"),
        (["--float32"], "drums.wav", "FLOAT"),
        (["--flac"], "drums.flac", "PCM_16"),
        (["--flac", "--int24"], "drums.flac", "PCM_24"),
        (["--mp3"], "drums.mp3", "MPEG_LAYER_III"),
    ],
)
def test_stems_are_written_in_the_requested_format(run, tmp_path, options, name, subtype):
    assert run(song(tmp_path / "a.wav"), *options) == (0, [])
    path = tmp_path / "out" / "tiny" / "a" / name
    assert soundfile.info(path).subtype == subtype
    assert read_audio(path)[0].shape == (2, 8000)


@pytest.mark.parametrize(
    "options",
    [
        ["--niter", "0"],
        ["--niter", "2", "--softmask", "--wiener-win-len", "0"],
        ["--wiener", "one_pass", "--flip-channels"],
        ["--segment", "0.5", "--overlap", "0.3", "--batch-size", "2"],
        ["--shifts", "2", "--normalize", "--threads", "1"],
        ["--precision", "bf16"],
        ["--clip-mode", "clamp"],
    ],
)
def test_separation_options_are_accepted(run, tmp_path, threads, options):
    assert run(song(tmp_path / "a.wav"), *options) == (0, [])
    assert stems(tmp_path, "a")["drums.wav"].shape == (2, 8000)


def test_chosen_precision_is_printed_with_its_reason(run, tmp_path):
    status, (line,) = run(song(tmp_path / "a.wav"), "--precision", "auto")
    assert status == 0
    assert re.match(r"precision (bf16|float32): .*bfloat16", line)


def test_two_stems_and_residual_are_written(run, tmp_path):
    assert run(song(tmp_path / "a.wav"), "--two-stems", "vocals", "--residual", "rest") == (0, [])
    found = stems(tmp_path, "a")
    assert sorted(found) == ["no_vocals.wav", "rest.wav", "vocals.wav"]
    assert torch.allclose(sum(found.values()), noise(), atol=4 * 2**-15)


def test_targets_and_filename_select_the_files(run, tmp_path):
    path = song(tmp_path / "a.wav")
    assert run(path, "--targets", "vocals", "--filename", "{track}.{trackext}_{stem}.{ext}")[0] == 0
    assert [p.name for p in (tmp_path / "out" / "tiny").iterdir()] == ["a.wav_vocals.wav"]


def test_start_and_duration_select_an_excerpt(run, tmp_path):
    assert run(song(tmp_path / "a.wav"), "--start", "0.25", "--duration", "0.5") == (0, [])
    whole = sum(stems(tmp_path, "a").values())
    assert torch.allclose(whole, noise()[:, 2000:6000], atol=3 * 2**-15)


def test_folders_and_patterns_name_songs(run, tmp_path):
    for name in ("in/a.wav", "in/sub/a.flac", "in/b c.wav", "other/x1.wav", "other/x2.wav"):
        song(tmp_path / name)
    (tmp_path / "in" / "notes.txt").write_text("no song")
    assert run(tmp_path / "in", tmp_path / "other" / "x*.wav") == (0, [])
    tracks = {
        path.parent.relative_to(tmp_path / "out" / "tiny").as_posix()
        for path in (tmp_path / "out").rglob("drums.wav")
    }
    assert tracks == {"a", "sub/a", "b c", "x1", "x2"}


def test_stems_in_the_song_folder_are_not_separated(run, tmp_path):
    song(tmp_path / "a.wav")
    assert run(tmp_path)[0] == 0
    assert run(tmp_path, "--skip-existing") == (0, [])
    assert [path.name for path in (tmp_path / "out" / "tiny").iterdir()] == ["a"]


def test_existing_stems_are_kept_unless_overwritten_on_request(run, tmp_path):
    path = song(tmp_path / "a.wav")
    run(path)
    stem = tmp_path / "out" / "tiny" / "a" / "drums.wav"
    stem.write_bytes(b"mine")
    status, errors = run(path)
    assert status == 1
    assert "a.wav: " in errors[0] and "exists; add --overwrite or --skip-existing" in errors[0]
    assert run(path, "--skip-existing") == (0, [])
    assert stem.read_bytes() == b"mine"
    assert run(path, "--overwrite") == (0, [])
    assert read_audio(stem)[0].shape == (2, 8000)


def test_skip_existing_finishes_unfinished_songs(run, tmp_path):
    path = song(tmp_path / "a.wav")
    run(path)
    (tmp_path / "out" / "tiny" / "a" / "drums.wav").unlink()
    assert run(path, "--skip-existing") == (0, [])
    assert sorted(stems(tmp_path, "a")) == ["drums.wav", "vocals.wav"]


@pytest.fixture
def threads():
    """Restore the number of torch's threads after a test that changes it."""
    before = torch.get_num_threads()
    yield before
    torch.set_num_threads(before)


def test_parallel_songs_equal_sequential_ones_bit_for_bit_and_in_order(run, tmp_path, threads):
    for k in range(5):
        song(tmp_path / "in" / f"{k}.wav", 3000 + k)
    (tmp_path / "in" / "3.wav").write_text("no song")
    found = []
    for jobs in ("1", "2", "1000"):
        options = "-j", jobs, "--threads", "1", "--overwrite", "--json", tmp_path / "s.json"
        assert run(tmp_path / "in", *options)[0] == 1
        results = json.loads((tmp_path / "s.json").read_text())["songs"]
        assert [Path(result["input"]).stem for result in results] == list("01234")
        files = sorted((tmp_path / "out").rglob("*.wav"))
        found.append([(path, path.read_bytes()) for path in files])
    assert len(found[0]) == 8
    assert found[0] == found[1] == found[2]


def test_threads_are_limited_to_the_cores(run, tmp_path, threads, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    songs = [song(tmp_path / f"{k}.wav", 500) for k in range(9)]
    seen, write = [], StemFiles.write

    def look(self, stems):
        active = [thread.name for thread in threading.enumerate()]
        seen.append((sum(name.startswith("song") for name in active), torch.get_num_threads()))
        write(self, stems)

    monkeypatch.setattr(StemFiles, "write", look)
    for options in (["-j", "1000"], ["-j", "1000", "--threads", "2"], ["--threads", "1000"]):
        status, lines = run(*songs, "--overwrite", *options)
        assert (status, len(lines)) == (0, 1)
        assert "this machine has 6 cores, so it separates" in lines[0]
    assert all(max(n_songs, 1) * n_threads <= 6 for n_songs, n_threads in seen)
    assert {n_threads for _, n_threads in seen} == {1, 2, 6}


def test_shards_share_the_songs(run, tmp_path):
    for k in range(5):
        song(tmp_path / "in" / f"{k}.wav", 100)
    run(tmp_path / "in", "--shard", "1/2")
    assert sorted(p.name for p in (tmp_path / "out" / "tiny").iterdir()) == ["0", "2", "4"]
    run(tmp_path / "in", "--shard", "2/2")
    assert len(list((tmp_path / "out" / "tiny").iterdir())) == 5


def test_summary_lists_the_outcome_of_each_song(run, tmp_path):
    song(tmp_path / "in" / "a.wav")
    (tmp_path / "in" / "b.wav").write_bytes(b"")
    status, _ = run(tmp_path / "in", "--json", tmp_path / "summary.json")
    good, bad = json.loads((tmp_path / "summary.json").read_text())["songs"]
    assert status == 1
    assert good["seconds"] == 1.0
    assert good["gain"] == 1.0
    assert sorted(good["stems"]) == SOURCES
    assert "is empty" in bad["error"]


def text_named_wav(path):
    path.write_text("hello, this is text")


def empty(path):
    path.write_bytes(b"")


def no_samples(path):
    soundfile.write(path, np.zeros((0, 2)), 8000)


def not_a_number(path):
    waveform = noise().numpy().T.copy()
    waveform[4000] = np.nan
    soundfile.write(path, waveform, 8000, subtype="FLOAT")


def infinite(path):
    waveform = noise().numpy().T.copy()
    waveform[4000] = -np.inf
    soundfile.write(path, waveform, 8000, subtype="FLOAT")


@pytest.mark.parametrize(
    "make, message",
    [
        (text_named_wav, "not an audio file"),
        (empty, "is empty"),
        (no_samples, "contains no samples"),
        (not_a_number, "not finite (NaN or infinite) at 0.500 s"),
        (infinite, "not finite (NaN or infinite) at 0.500 s"),
        (lambda path: None, "no such file"),
    ],
)
def test_bad_song_is_reported_in_one_line_and_the_others_are_separated(
    run, tmp_path, make, message
):
    make(tmp_path / "bad é.wav")
    status, errors = run(tmp_path / "bad é.wav", song(tmp_path / "good.wav"))
    assert status == 1
    assert len(errors) == 1
    assert errors[0].startswith(str(tmp_path / "bad é.wav: ")) and message in errors[0]
    assert [path.name for path in (tmp_path / "out" / "tiny").iterdir()] == ["good"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_song_without_permission_is_named(run, tmp_path):
    path = song(tmp_path / "a.wav")
    path.chmod(0)
    status, errors = run(path)
    assert (status, len(errors)) == (1, 1)
    assert "no permission" in errors[0]


@pytest.mark.parametrize("n_samples", [1, 2, 127, 129])
def test_very_short_songs_are_separated(run, tmp_path, n_samples):
    assert run(song(tmp_path / "a.wav", n_samples)) == (0, [])
    assert stems(tmp_path, "a")["drums.wav"].shape == (2, n_samples)


@pytest.mark.parametrize("rate, n_channels", [(192000, 2), (44100, 24), (8000, 1), (11025, 3)])
def test_unusual_rates_and_channels_are_preserved(run, tmp_path, rate, n_channels):
    assert run(song(tmp_path / "a.wav", 3000, n_channels, rate=rate)) == (0, [])
    info = soundfile.info(tmp_path / "out" / "tiny" / "a" / "drums.wav")
    assert (info.samplerate, info.channels, info.frames) == (rate, n_channels, 3000)


def test_eight_bit_songs_are_separated(run, tmp_path):
    soundfile.write(tmp_path / "a.wav", noise().numpy().T, 8000, subtype="PCM_U8")
    assert run(tmp_path / "a.wav") == (0, [])
    assert torch.allclose(sum(stems(tmp_path, "a").values()), noise(), atol=1 / 100)


def test_silence_separates_into_silence(run, tmp_path):
    assert run(song(tmp_path / "a.wav", 8000, 2, 0.0)) == (0, [])
    assert all(stem.abs().max() == 0 for stem in stems(tmp_path, "a").values())


def test_truncated_mp3_is_separated_up_to_its_end_with_a_warning(run, tmp_path):
    content = song(tmp_path / "a.mp3", 80000).read_bytes()
    (tmp_path / "cut.mp3").write_bytes(content[: len(content) // 2])
    status, lines = run(tmp_path / "cut.mp3")
    assert status == 0
    assert "cut.mp3: contains only" in lines[0] and "its header says 10.0 s" in lines[0]
    assert 30000 < stems(tmp_path, "cut")["drums.wav"].shape[-1] < 50000


def test_songs_with_colliding_outputs_are_refused(run, tmp_path):
    first, second = song(tmp_path / "a.wav"), song(tmp_path / "a.flac")
    status, errors = run(first, second)
    assert (status, len(errors)) == (1, 1)
    assert f"{second}: would overwrite the files of {first}" in errors[0]
    assert (
        run(first, second, "--overwrite", "--filename", "{track}.{trackext}/{stem}.{ext}")[0] == 0
    )


def test_song_named_twice_is_separated_once(run, tmp_path):
    path = song(tmp_path / "a.wav")
    assert run(path, path, tmp_path) == (0, [])


@pytest.mark.parametrize(
    "options, message",
    [
        (["-d", "cuda:77"], "This machine has no device 'cuda:77'"),
        (["--targets", "guitar"], "no source guitar"),
        (["--overlap", "0.9"], "a fraction of a chunk from 0 to 0.5"),
        (["--shard", "3/2"], "expected I/N"),
        (["-j", "0"], "--jobs: expected 1 or more"),
        (["--threads", "0"], "--threads: expected 1 or more"),
        (["--filename", "{track}"], "gives several stems the same file"),
        (["--flac", "--float32"], "--flac and --float32: FLAC stores integers"),
        (["--mp3", "--int24"], "--mp3 and --int24: MP3 has no bit depth"),
        (["--stem", "--int24"], "--stem and --int24: a .stem.mp4 stores 16 bits"),
        (["--stem", "--two-stems", "vocals"], "--stem and --two-stems: a .stem.mp4 contains"),
        (["--stem", "--page"], "--stem and --page: a page needs one file per source"),
        (["--mp3-bitrate", "128"], "--mp3-bitrate: only MP3 files have one"),
    ],
)
def test_invalid_options_are_reported_in_one_line(run, tmp_path, options, message):
    path = song(tmp_path / "a.wav")
    if "-d" in options:
        status = xscheme.main(["separate", str(path), *options])
        assert status == 1
        return
    status, errors = run(path, *options)
    assert (status, len(errors)) == (1, 1)
    assert errors[0].startswith("xscheme: ") and message in errors[0]


def test_pattern_or_folder_without_songs_is_an_error(run, tmp_path):
    (tmp_path / "empty").mkdir()
    status, errors = run(tmp_path / "none*.wav", tmp_path / "empty")
    assert status == 1
    assert "matches no file" in errors[0] and "contains no audio files" in errors[1]


def test_output_folder_that_cannot_be_created_is_named(run, tmp_path):
    (tmp_path / "out").write_text("a file is in the way")
    status, errors = run(song(tmp_path / "a.wav"))
    assert (status, len(errors)) == (1, 1)
    assert "a.wav: " in errors[0] and str(tmp_path / "out") in errors[0]


@pytest.fixture
def nearly_full_disk():
    """No file may grow beyond 60 kB."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_full_disk_is_reported_in_one_line_and_leaves_nothing(run, tmp_path, request):
    path = song(tmp_path / "a.wav", 40000)
    request.getfixturevalue("nearly_full_disk")
    status, errors = run(path)
    assert (status, len(errors)) == (1, 1)
    assert "is the disk full?" in errors[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_leaves_no_stem(run, tmp_path, monkeypatch, threads, jobs):
    def interrupted(self, stems):
        raise KeyboardInterrupt

    monkeypatch.setattr("asteroid_xscheme.separation.stem_files.StemFiles.write", interrupted)
    songs = [song(tmp_path / f"{k}.wav") for k in range(3)]
    assert run(*songs, "-j", jobs) == (130, ["xscheme: stopped"])
    assert not any(path.is_file() for path in (tmp_path / "out").rglob("*"))


def test_kill_leaves_no_stem(model, tmp_path):
    path, out = song(tmp_path / "a.wav", 8000 * 600), tmp_path / "out"
    program = "import xscheme; raise SystemExit(xscheme.main())"
    arguments = ["separate", str(path), "-n", str(model), "-o", str(out), "-d", "cpu"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > 1000 for path in out.rglob(".xscheme-*")):
        assert time.monotonic() < deadline  # until there is sound in a stem: all of them are open
        time.sleep(0.05)
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped" in errors
    assert not out.exists()


def test_heavy_packages_are_imported_only_when_used(model, tmp_path):
    unused = """
        torch._dynamo torch._inductor torch.onnx sympy pytorch_lightning torchmetrics matplotlib
        pandas tensorboard musdb museval stempeg IPython h5py onnx demo_songs
        asteroid_xscheme.recipes
    """.split()
    program = f"""
import sys, xscheme
try:
    xscheme.main(["separate", "--help"])
except SystemExit:
    assert not {{"torch", "numpy", "asteroid_xscheme"}} & set(sys.modules)
status = xscheme.main(["separate", *sys.argv[1:]])
sys.exit(status or ", ".join(set({unused}) & set(sys.modules)) or 0)
"""
    options = ["-n", str(model), "-o", str(tmp_path / "out"), "-d", "cpu", "-q"]
    process = subprocess.run(
        [sys.executable, "-c", program, str(song(tmp_path / "a.wav")), *options],
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    assert "--two-stems" in process.stdout


TAGS = Tags({"title": "Grüße", "artist": "Ärtist"})


@pytest.mark.parametrize("option, suffix", [("-q", "wav"), ("--flac", "flac"), ("--mp3", "mp3")])
def test_stems_have_the_tags_of_their_song(run, tmp_path, option, suffix):
    with AudioWriter(tmp_path / "a.mp3", 8000, 2, tags=TAGS) as writer:
        writer.write(noise())
    assert run(tmp_path / "a.mp3", option) == (0, [])
    for stem in SOURCES:
        found = read_tags(tmp_path / "out" / "tiny" / "a" / f"{stem}.{suffix}").fields
        assert found == {"title": f"Grüße ({stem})", "artist": "Ärtist"}


def test_song_whose_tags_cannot_be_read_is_separated_with_a_note(run, tmp_path, monkeypatch):
    def broken(path):
        raise AudioError(f"{path}: its tags cannot be read (damaged).")

    monkeypatch.setattr("xscheme.batch.read_tags", broken)
    path = song(tmp_path / "a.wav")
    assert run(path) == (0, [f"{path}: its tags cannot be read (damaged)."])
    assert sorted(stems(tmp_path, "a")) == ["drums.wav", "vocals.wav"]


@pytest.fixture(scope="module")
def four_sources(tmp_path_factory):
    sizes = dict(window_length=256, in_chan=256, n_hop=64, hidden_size=8, nb_layers=1)
    network = XUMX(["bass", "drums", "other", "vocals"], sample_rate=8000, **sizes)
    return save_package(network.serialize(), tmp_path_factory.mktemp("model") / "four.pth")


@pytest.mark.parametrize("n_channels, scale, mode", [(2, 0.1, "rescale"), (1, 1.0, "none")])
def test_stem_mp4_contains_the_song_and_its_aligned_stems(
    four_sources, run, tmp_path, n_channels, scale, mode
):
    with AudioWriter(tmp_path / "a.wav", 8000, n_channels, "FLOAT", tags=TAGS) as writer:
        writer.write(noise(9001, n_channels, scale).clamp(-0.9, 0.9))
    assert run(tmp_path / "a.wav", "-n", four_sources, "--stem", "--clip-mode", mode) == (0, [])
    path = tmp_path / "out" / "four" / "a.stem.mp4"
    streams = torch.stack([read_audio(path, stream=k)[0] for k in range(5)])
    assert streams.shape == (5, 2, 9001)
    if mode == "rescale":
        assert torch.allclose(streams[1:].sum(0), streams[0], atol=3 * 2**-15)
    mixture = read_audio(tmp_path / "a.wav")[0].expand(2, -1)
    assert torch.allclose(streams[0], mixture, atol=2**-16)
    assert read_tags(path).fields == TAGS.fields
    content = path.read_bytes()
    moov = content[content.index(b"moov") :]
    assert moov.count(b"stem{") == 1 and moov.index(b"udta") < moov.index(b"stem{")
    manifest = json.loads(moov[moov.index(b"stem{") + 4 :])  # the last box of the file
    assert [stem["name"] for stem in manifest["stems"]] == ["drums", "bass", "other", "vocals"]


@pytest.mark.slow
def test_stempeg_reads_a_stem_mp4(four_sources, run, tmp_path):
    stempeg = pytest.importorskip("stempeg")
    path = song(tmp_path / "a.wav", 44100, rate=44100)
    assert run(path, "-n", four_sources, "--stem") == (0, [])
    audio, rate = stempeg.read_stems(str(tmp_path / "out" / "four" / "a.stem.mp4"))
    assert (audio.shape, rate) == ((5, 44100, 2), 44100)
    assert np.abs(audio[0] - read_audio(path)[0].numpy().T).max() <= 2**-15


def test_impossible_stem_mp4_is_refused(four_sources, run, tmp_path):
    status, lines = run(song(tmp_path / "a.wav"), "--stem")
    assert status == 1 and "a .stem.mp4 needs a model with 4 sources, got 2" in lines[0]
    path = song(tmp_path / "b.wav", 100, 3)
    status, lines = run(path, "-n", four_sources, "--stem")
    assert (status, len(lines)) == (1, 1)
    assert "a .stem.mp4 is stereo, the song has 3 channels" in lines[0]
    status, lines = run(path, "-n", four_sources, "--stem", "--filename", "{stem}.{ext}")
    assert status == 1 and "one file holds all stems: remove {stem}" in lines[0]
    assert not (tmp_path / "out").exists()


def test_command_is_required(capsys):
    with pytest.raises(SystemExit):
        xscheme.main([])
    assert "COMMAND" in capsys.readouterr().err


def test_page_is_beside_the_stems_with_the_mixture_at_their_level(run, tmp_path):
    path = song(tmp_path / "a.wav", 8000, 2, 0.5)  # exceeds full scale, so that stems are softer
    assert run(path, "--page")[0] == 0
    page = tmp_path / "out" / "tiny" / "a" / "listen.html"
    assert "The mixture is the sum of the sources" in page.read_text(encoding="utf-8")
    assert run(path, "--page", "--skip-existing", "--json", tmp_path / "b.json")[0] == 0
    assert json.loads((tmp_path / "b.json").read_text())["songs"][0]["page"] == str(page)
    page.write_text("mine")
    status, (line,) = run(path, "--page", "--overwrite")
    assert status == 1 and "not a page that xscheme wrote" in line
    assert page.read_text() == "mine"


def test_pages_of_songs_in_one_folder_have_distinct_names(run, tmp_path):
    options = ["--page", "--filename", "{track}.{stem}.{ext}"]
    assert run(song(tmp_path / "a.wav"), song(tmp_path / "b.wav"), *options) == (0, [])
    assert sorted(path.name for path in (tmp_path / "out" / "tiny").glob("*.html")) == [
        "a.listen.html",
        "b.listen.html",
    ]


@pytest.mark.parametrize(
    "options, rows",
    [
        (["--two-stems", "vocals"], ["vocals", "no_vocals"]),
        (["--targets", "vocals", "--residual", "rest"], ["vocals", "rest"]),
    ],
)
def test_page_contains_the_written_stems(run, tmp_path, options, rows):
    assert run(song(tmp_path / "a.wav"), "--page", *options)[0] == 0
    page = (tmp_path / "out" / "tiny" / "a" / "listen.html").read_text(encoding="utf-8")
    assert json.loads(re.search(r'id="song">(.*?)</script>', page).group(1))["rows"] == rows
