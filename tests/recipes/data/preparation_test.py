"""Preparation of every kind of original, interrupted and resumed."""

import multiprocessing
import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asteroid_xscheme.audio import probe_audio, read_audio, write_audio
from asteroid_xscheme.recipes.config import DataConfig
from asteroid_xscheme.recipes.data import (
    DataError,
    conversion,
    demo,
    find_tracks,
    preparation,
    prepare,
    verify,
)
from asteroid_xscheme.recipes.data.making import SongOrder
from asteroid_xscheme.recipes.data.musdb import OfficialArchive, stem_streams
from asteroid_xscheme.recipes.identity import RECORD_FILE

from .conftest import RATE, SOURCES

NAMES = ["bass", "drums", "mixture", "other", "vocals"]
FILES = {RECORD_FILE, *(f"{name}.wav" for name in NAMES)}


def run(root, dataset, source_dir=None, sample_rate=RATE, **options):
    config = DataConfig(
        dataset=dataset,
        source_dir=source_dir and str(source_dir),
        sample_rate=sample_rate,
        sources=SOURCES,
        **options,
    )
    return prepare(config, root, jobs=2, progress=False)


def listing(folder):
    """Every file and folder below, with the time it was changed and its size."""
    states = {path: path.stat() for path in sorted(folder.rglob("*"))}
    return [(str(path), state.st_mtime_ns, state.st_size) for path, state in states.items()]


def zip_of(folder, path, prefix=""):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, prefix + file.relative_to(folder).as_posix())
    return path


@pytest.fixture
def prepared(tmp_path):
    return tmp_path / "prepared"


def test_hq_folder_is_linked_and_not_written_to(root, prepared):
    before = listing(root)
    assert run(prepared, "musdb18hq", root) == prepared
    assert [t.name for t in find_tracks(prepared, "train", SOURCES, RATE)] == list("abcdef")
    assert (prepared / "train" / "a" / "bass.wav").resolve() == root / "train" / "a" / "bass.wav"
    assert listing(root) == before
    assert verify(prepared, SOURCES, RATE, dataset="demo", progress=False) == []


def test_hq_folder_is_copied_where_links_are_not_supported(root, prepared, monkeypatch):
    def refuse(self, target):
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    run(prepared, "musdb18hq", root)
    copy = prepared / "train" / "a" / "bass.wav"
    assert not copy.is_symlink()
    assert copy.read_bytes() == (root / "train" / "a" / "bass.wav").read_bytes()


@pytest.mark.parametrize("prefix", ["", "musdb18hq/"])
def test_hq_zip_is_unpacked_bit_by_bit(root, prepared, tmp_path, prefix):
    run(prepared, "musdb18hq", zip_of(root, tmp_path / "hq.zip", prefix))
    for name in NAMES:
        file = Path("train") / "c" / f"{name}.wav"
        assert (prepared / file).read_bytes() == (root / file).read_bytes()
    assert {path.name for path in (prepared / "train" / "c").iterdir()} == FILES


def test_sample_rate_is_converted_during_preparation(root, prepared):
    run(prepared, "musdb18hq", root, sample_rate=4000)
    track, *_ = find_tracks(prepared, "train", SOURCES, 4000)
    assert track.n_samples == RATE // 2
    assert not track.source_files["bass"][0].is_symlink()


def test_second_run_does_nothing_and_a_third_adds_new_songs(root, prepared, make_track):
    run(prepared, "musdb18hq", root, sample_rate=4000)
    before = listing(prepared / "train")
    run(prepared, "musdb18hq", root, sample_rate=4000)
    assert listing(prepared / "train") == before
    make_track(root / "train" / "g")
    run(prepared, "musdb18hq", root, sample_rate=4000)
    assert [t.name for t in find_tracks(prepared, "train", SOURCES)] == list("abcdefg")
    assert [entry for entry in listing(prepared / "train") if entry in before[1:]] == before[1:]


def _prepare_when_told(root, prepared, connection):
    write = conversion._write

    def write_when_told(*args):
        connection.send("about to write")
        connection.recv()
        write(*args)

    conversion._write = write_when_told
    config = DataConfig(dataset="folder", source_dir=str(root), sample_rate=RATE)
    prepare(config, prepared, jobs=1, progress=False)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_kill_leaves_only_complete_tracks_and_the_next_run_adds_the_rest(root, prepared):
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_prepare_when_told, args=(root, prepared, theirs))
    process.start()
    for _ in range(8):  # in the midst of the second track
        ours.recv()
        ours.send("go on")
    ours.recv()
    process.kill()
    process.join()
    finished = find_tracks(prepared, "train", SOURCES)
    assert 0 < len(finished) < 6
    assert list((prepared / ".preparing").iterdir())
    run(prepared, "folder", root)
    assert len(find_tracks(prepared, "train", SOURCES)) == 6
    assert verify(prepared, SOURCES, RATE, progress=False) == []


def test_own_songs_are_converted_to_one_format_rate_length_and_channels(prepared, tmp_path):
    song = tmp_path / "mine" / "my song"
    song.mkdir(parents=True)
    write_audio(song / "gtr.flac", 0.1 * torch.randn(2, 4000), 4000)
    write_audio(song / "voc.wav", 0.1 * torch.randn(1, 7000), RATE)
    before = listing(tmp_path / "mine")
    run(prepared, "folder", tmp_path / "mine")
    folder = prepared / "train" / "my song"
    files = {path.stem: read_audio(path) for path in folder.glob("*.wav")}
    assert set(files) == {"gtr", "voc", "mixture"}
    assert {waveform.shape for waveform, _ in files.values()} == {(2, RATE)}
    assert {rate for _, rate in files.values()} == {RATE}
    assert not files["voc"][0][:, 7000:].any()
    total = files["gtr"][0] + files["voc"][0]
    step = 2**-15  # half of it for each of three files of 16 bits
    torch.testing.assert_close(files["mixture"][0], total, atol=1.51 * step, rtol=0)
    assert listing(tmp_path / "mine") == before


def test_omitted_source_is_not_in_the_computed_mixture(prepared, tmp_path, make_track):
    waveforms = make_track(tmp_path / "mine" / "x", ["voc", "click"], mixture=False)
    source_map = {"prepared": {"voc": "vocals", "click": None}}
    run(prepared, "folder", tmp_path / "mine", source_map=source_map)
    mixture, _ = read_audio(prepared / "train" / "x" / "mixture.wav")
    torch.testing.assert_close(mixture, waveforms[0], atol=1e-7, rtol=0)


def test_sources_louder_than_full_scale_are_not_clipped(prepared, tmp_path):
    (tmp_path / "mine" / "x").mkdir(parents=True)
    loud = torch.linspace(-1.5, 1.5, 100).expand(2, -1)
    write_audio(tmp_path / "mine" / "x" / "bass.wav", loud, RATE, "FLOAT")
    write_audio(tmp_path / "mine" / "x" / "drums.wav", 0.1 * loud, RATE, "FLOAT")
    run(prepared, "folder", tmp_path / "mine")
    folder = prepared / "train" / "x"
    assert torch.equal(read_audio(folder / "bass.wav")[0], loud)
    subtypes = {path.stem: soundfile.info(str(path)).subtype for path in folder.glob("*.wav")}
    assert subtypes == {"bass": "FLOAT", "mixture": "FLOAT", "drums": "PCM_16"}


def _falcon():
    package = find_spec("stempeg")
    if package is None:
        pytest.skip("stempeg is not installed")
    folder = Path(package.submodule_search_locations[0]) / "data"
    return folder / "The Easton Ellises - Falcon 69.stem.mp4"


@pytest.fixture
def stems(tmp_path):
    """A folder of MUSDB18 with the real track of the stempeg package."""
    folder = tmp_path / "musdb18" / "test"
    folder.mkdir(parents=True)
    (folder / _falcon().name).symlink_to(_falcon())
    return tmp_path / "musdb18"


@pytest.mark.parametrize("packed", [False, True])
def test_stems_are_decoded_sample_by_sample(stems, prepared, tmp_path, packed):
    source = zip_of(stems, tmp_path / "musdb18.zip") if packed else stems
    run(prepared, "musdb18", source, sample_rate=44100)
    folder = prepared / "test" / "The Easton Ellises - Falcon 69"
    for stream, name in enumerate(stem_streams()):
        expected, rate = read_audio(_falcon(), stream=stream)
        decoded, written_rate = read_audio(folder / f"{name}.wav")
        assert written_rate == rate == 44100
        torch.testing.assert_close(decoded, expected, atol=0.51 / 2**15, rtol=0)
    assert {path.name for path in folder.iterdir()} == FILES


def test_real_stems_pass_verification(stems, prepared):
    run(prepared, "musdb18", stems, sample_rate=44100)
    (prepared / "test").rename(prepared / "train")
    assert verify(prepared, SOURCES, 44100, dataset="demo", progress=False) == []


def test_streams_of_unequal_length_are_cut_or_refused(tmp_path, monkeypatch):
    lengths = [5000, 5000, 4990, 5000, 5000]
    monkeypatch.setattr(
        conversion,
        "read_sound",
        lambda path, stream: (torch.zeros(2, lengths[stream]), RATE),
    )
    conversion.convert_stems(tmp_path / "song.stem.mp4", tmp_path, RATE)
    assert {probe_audio(path).n_samples for path in tmp_path.glob("*.wav")} == {4990}
    lengths[3] = 10
    with pytest.raises(
        DataError, match="song.stem.mp4: its streams differ.*other 10,.*Download it again"
    ):
        conversion.convert_stems(tmp_path / "song.stem.mp4", tmp_path, RATE)


def test_damaged_song_is_named_and_the_others_are_prepared(stems, prepared):
    (stems / "train").mkdir()
    (stems / "train" / "broken.stem.mp4").write_bytes(_falcon().read_bytes()[:20_000])
    with pytest.raises(
        DataError, match="1 of 2 songs could not be.*\ntrain/broken: .*broken.stem.mp4"
    ):
        run(prepared, "musdb18", stems, sample_rate=44100)
    assert len(find_tracks(prepared, "test", SOURCES, 44100)) == 1
    assert not (prepared / "train").exists()


@pytest.mark.parametrize("name", ["../evil/train/x/bass.wav", "/train/x/bass.wav", "C:/a/bass.wav"])
def test_zip_that_unpacks_outside_its_folder_is_refused(prepared, tmp_path, name):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr(name, b"data")
    with pytest.raises(DataError, match="points outside its folder"):
        run(prepared, "musdb18hq", tmp_path / "evil.zip")
    assert not (tmp_path / "evil").exists()


def test_truncated_zip_is_reported(root, prepared, tmp_path):
    whole = zip_of(root, tmp_path / "hq.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="not a complete zip file.*download it again"):
        run(prepared, "musdb18hq", tmp_path / "cut.zip")
    assert not prepared.exists()


def test_song_with_a_damaged_zip_member_is_named_and_the_others_are_prepared(
    root, prepared, tmp_path
):
    path = zip_of(root, tmp_path / "hq.zip")
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("train/b/drums.wav").header_offset
    content[start + 5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="1 of 7 songs.*\ntrain/b: .*train/b/drums.wav is damaged"):
        run(prepared, "musdb18hq", path)
    assert [t.name for t in find_tracks(prepared, "train", SOURCES)] == list("acdef")
    assert [t.name for t in find_tracks(prepared, "test", SOURCES)] == ["t"]


def test_source_without_songs_is_an_error_with_the_expected_layout(root, prepared):
    with pytest.raises(
        DataError, match="musdb18 expects .*stem.mp4.*looks like --dataset musdb18hq"
    ):
        run(prepared, "musdb18", root)
    with pytest.raises(DataError, match="Did you mean .*songs"):
        run(prepared, "musdb18hq", root / "train")
    with pytest.raises(DataError, match="no such folder or zip"):
        run(prepared, "musdb18hq", root / "nowhere")
    with pytest.raises(DataError, match="needs --source_dir"):
        run(prepared, "folder")


def test_other_options_need_another_folder(root, prepared):
    run(prepared, "musdb18hq", root)
    with pytest.raises(DataError, match="other options: sample_rate was 8000, is now 4000. Choose"):
        run(prepared, "musdb18hq", root, sample_rate=4000)


def test_users_folder_is_never_prepared_into(root):
    before = listing(root.parent)
    with pytest.raises(DataError, match="is inside --source_dir, where nothing is written"):
        run(root / "prepared", "musdb18hq", root)
    with pytest.raises(DataError, match="not made by `prepare`.*train on it as it is"):
        run(root, "musdb18hq")
    with pytest.raises(DataError, match="contains test, train"):
        run(root, "demo", sample_rate=44100)
    assert listing(root.parent) == before


class RealTrack(SongOrder):
    """A stand-in for the real track."""

    subset, name = "real", "x"

    def record(self):
        return {}

    def make(self, folder):
        write_audio(folder / "mixture.wav", torch.zeros(2, 100), 44100)
        return []


@pytest.fixture
def rendered(monkeypatch):
    """The songs that were rendered, of a demo set of two that takes no time."""
    songs, silence = [], np.zeros((2, 100), np.int16)

    def render(seed, seconds):
        songs.append(seed)
        return {name: silence for name in NAMES}

    monkeypatch.setattr(demo, "render_song", render)
    monkeypatch.setattr(preparation, "demo_set", lambda n_train: demo.demo_set(1, 0, 1))
    monkeypatch.setattr(preparation, "RealTrack", RealTrack)
    return songs


def test_demo_songs_are_rendered_at_their_own_rate_only(prepared, rendered):
    with pytest.raises(DataError, match="rendered at 44100 Hz: leave out --sample_rate 8000"):
        run(prepared, "demo")
    assert not prepared.exists()
    run(prepared, "demo", sample_rate=44100)
    assert [t.name for t in find_tracks(prepared, "train", SOURCES, 44100)] == ["Amber Harbour"]


def test_two_recipes_at_once_make_each_song_once(prepared, rendered):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: run(prepared, "demo", sample_rate=44100), range(2)))
    assert sorted(rendered) == [(0, 0), (2, 0)]


@pytest.mark.parametrize("look", ["is_dir", "iterdir", "is_file"])
def test_folder_that_another_recipe_prepares_during_the_check_is_accepted(
    prepared, rendered, monkeypatch, look
):
    original = getattr(Path, look)

    def look_then_lose_the_race(path):
        seen = original(path)
        if path == prepared or prepared in path.parents:
            seen = list(seen) if look == "iterdir" else seen
            monkeypatch.setattr(Path, look, original)
            run(prepared, "demo", sample_rate=44100)
        return seen

    prepared.mkdir()
    monkeypatch.setattr(Path, look, look_then_lose_the_race)
    run(prepared, "demo", sample_rate=44100)
    assert sorted(rendered) == [(0, 0), (2, 0)]


def test_missing_set_is_downloaded_checked_and_prepared(root, prepared, tmp_path, monkeypatch):
    fetched = []

    def download(url, target, *, checksum, progress):
        fetched.append((url, checksum))
        return zip_of(root, target)

    archive = OfficialArchive("hq.zip", "https://example.org/hq.zip", "md5:" + "0" * 32)
    monkeypatch.setattr(preparation, "download", download)
    monkeypatch.setitem(preparation.ARCHIVES, "musdb18hq", archive)
    run(prepared, "musdb18hq")
    assert fetched == [(archive.url, archive.checksum)]
    assert (prepared / "hq.zip").exists() and not (tmp_path / "hq.zip").exists()
    assert len(find_tracks(prepared, "train", SOURCES)) == 6


def test_complete_official_set_needs_no_originals(prepared, root, monkeypatch):
    monkeypatch.setattr(preparation, "N_TRACKS", {"train": 6, "test": 1})
    run(prepared, "musdb18hq", root)
    before = listing(prepared)
    monkeypatch.setattr(preparation, "download", None)
    run(prepared, "musdb18hq")
    assert listing(prepared) == before
