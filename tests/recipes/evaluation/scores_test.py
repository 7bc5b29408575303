"""Scores of one track: known values, silence, and the score file."""

import json

import numpy as np
import pytest
from museval import TrackStore
from museval.aggregate import json2df

from asteroid_xscheme.recipes.evaluation import (
    METRICS,
    TrackScores,
    Waveforms,
    fast_bss_eval,
    score_track,
)

RATE = 2000


@pytest.fixture
def references():
    """Two sources of three seconds, mono, (T, 1)."""
    generator = np.random.default_rng(0)
    return {name: generator.standard_normal((3 * RATE, 1)) for name in ("bass", "vocals")}


def score(references, estimates, bss_eval=fast_bss_eval):
    of_arrays = Waveforms.of_arrays
    return score_track("song", of_arrays(references), of_arrays(estimates), RATE, bss_eval)


def test_sdr_of_scaled_noise_is_its_level(references):
    generator = np.random.default_rng(1)
    estimates = {}
    for level, (name, reference) in zip((10.0, 20.0), references.items()):
        noise = generator.standard_normal((3, RATE))
        energies = [
            np.linalg.norm(x.reshape(3, RATE), axis=1, keepdims=True) for x in (reference, noise)
        ]
        noise *= energies[0] / energies[1] * 10 ** (-level / 20)
        estimates[name] = reference + noise.reshape(-1, 1)
    frames = score(references, estimates).frames
    np.testing.assert_allclose(frames["bass"]["SDR"], 10, rtol=1e-12)
    np.testing.assert_allclose(frames["vocals"]["SDR"], 20, rtol=1e-12)


def test_gain_error_lowers_isr_but_not_sir_or_sar(references):
    halved = {name: 0.5 * reference for name, reference in references.items()}
    of_source = score(references, halved).frames["bass"]
    np.testing.assert_allclose(of_source["ISR"], 20 * np.log10(2), rtol=1e-9)
    np.testing.assert_allclose(of_source["SDR"], 20 * np.log10(2), rtol=1e-9)
    assert min(of_source["SIR"].min(), of_source["SAR"].min()) > 200


@pytest.mark.parametrize("which", ["references", "estimates"])
def test_silent_source_has_no_score_and_does_not_stop_the_track(references, which):
    estimates = {name: reference + 0.1 for name, reference in references.items()}
    silenced = {"references": references, "estimates": estimates}[which]
    alone = score({"bass": references["bass"]}, {"bass": estimates["bass"]})
    silenced["vocals"] = np.zeros((3 * RATE, 1))
    frames = score(references, estimates).frames
    assert list(frames) == ["bass", "vocals"]
    for metric in METRICS:
        assert np.isnan(frames["vocals"][metric]).all()
        np.testing.assert_array_equal(frames["bass"][metric], alone.frames["bass"][metric])


def test_silent_track_has_no_scores(references):
    silence = {name: 0 * reference for name, reference in references.items()}
    frames = score(silence, references).frames
    assert all(np.isnan(values).all() for of in frames.values() for values in of.values())
    assert frames["bass"]["SDR"].shape == (3,)


def test_order_of_estimates_does_not_matter(references):
    estimates = {name: reference + 0.1 for name, reference in references.items()}
    expected = score(references, estimates)
    swapped = score(references, dict(reversed(estimates.items())))
    np.testing.assert_array_equal(swapped.frames["vocals"]["SDR"], expected.frames["vocals"]["SDR"])


def test_saved_scores_read_back_with_infinities_undefined(tmp_path):
    values = {"SDR": [1.25, np.inf], "SIR": [2.0, np.nan], "ISR": [-3.0, 0.0], "SAR": [4.0, 5.0]}
    scores = TrackScores("song", {"bass": {m: np.array(v) for m, v in values.items()}})
    scores.save(tmp_path / "test" / "song.json")
    loaded = TrackScores.load(tmp_path / "test" / "song.json")
    assert loaded.track == "song"
    np.testing.assert_array_equal(loaded.frames["bass"]["SDR"], [1.25, np.nan])
    np.testing.assert_array_equal(loaded.frames["bass"]["SIR"], [2.0, np.nan])
    np.testing.assert_array_equal(loaded.frames["bass"]["ISR"], [-3.0, 0.0])
    assert [path.name for path in (tmp_path / "test").iterdir()] == ["song.json"]


def test_score_file_fits_musevals_schema_and_reader(tmp_path):
    values = {metric: np.array([1.5, np.nan]) for metric in METRICS}
    TrackScores("song", {"bass": values}).save(tmp_path / "song.json")
    content = json.loads((tmp_path / "song.json").read_text())
    store = TrackStore("song")
    store.scores = content
    store.validate()
    frame = json2df(content, "song")
    assert list(frame[frame.metric == "SDR"].score.fillna(0)) == [1.5, 0]


def test_musevals_files_are_read(tmp_path):
    store = TrackStore("song")
    store.add_target("bass", {metric: [1.5, np.nan] for metric in METRICS})
    store.save(str(tmp_path / "song.json"))
    loaded = TrackScores.load(tmp_path / "song.json")
    assert loaded.track == "song"
    np.testing.assert_array_equal(loaded.frames["bass"]["SAR"], [1.5, np.nan])


def test_missing_estimate_is_an_error_that_names_it(references):
    with pytest.raises(ValueError, match="song: there is no estimate of vocals"):
        score(references, {"bass": references["bass"]})


def test_estimate_of_another_length_is_an_error_that_names_the_lengths(references):
    shorter = {name: reference[:-1] for name, reference in references.items()}
    with pytest.raises(
        ValueError, match="1 channels of 5999 samples, but the references have 1 of 6000"
    ):
        score(references, shorter)
