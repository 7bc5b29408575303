"""Score one track: SDR, SIR, ISR and SAR per source and second.

The metrics are those of BSSEval v4, with distortion filters of 512 taps computed over the whole
track and energies over windows of one second; either by museval, or faster by the same arithmetic.
A source whose reference or estimate is silent throughout gets no scores (NaN in every frame), and
the other sources are scored without it; museval would refuse the whole track. As in museval, a
frame in which any of the scored sources is silent is not scored.

As in museval, if vocals and accompaniment are both scored, they are scored as a pair, and the other
sources together with the vocals. Metrics of whole songs are in `song_metrics`.

Reference: F.-R. Stöter, A. Liutkus and N. Ito, "The 2018 signal separation evaluation campaign",
LVA/ICA 2018, https://arxiv.org/abs/1804.06267.
"""

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

import numpy as np

from ...atomic import write_json
from ..identity import as_plain, digest
from .bss_eval import fast_bss_eval
from .errors import ScoringError
from .song_metrics import score_song
from .waveforms import Waveforms

log = logging.getLogger(__name__)

METRICS = ("SDR", "SIR", "ISR", "SAR")
WINDOW_SECONDS = 1.0

#: (references, estimates, samples of a window) -> SDR, ISR, SIR and SAR (4, J, N)
BssEval = Callable[[Waveforms, Waveforms, int], np.ndarray]


@dataclass(frozen=True)
class TrackScores:
    """Scores of one track.

    Attributes:
        track: Name of the track.
        frames: By source and metric, one value in dB per frame (N,); NaN if undefined.
        songs: By source and metric, one value in dB for the whole song.
        made_of: Record of what the scores depend on.
    """

    track: str
    frames: Mapping[str, Mapping[str, np.ndarray]]
    songs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    made_of: Optional[Mapping[str, Any]] = None

    def save(self, path: Path) -> None:
        """Write the scores as museval's JSON, in which infinite scores become NaN."""
        targets = [_target(s, frames, self.songs.get(s, {})) for s, frames in self.frames.items()]
        content: Dict[str, Any] = {
            "track": self.track,
            "targets": targets,
            "checksum": digest(targets),
        }
        if self.made_of is not None:
            content["made_of"] = as_plain(self.made_of)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, content, indent=None)

    @classmethod
    def load(cls, path: Path) -> "TrackScores":
        """Read a file that `save` or museval wrote.

        Raises:
            ValueError, KeyError, TypeError: If it is another kind of file, or was changed.
        """
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        targets = content["targets"]
        if content.get("checksum", digest(targets)) != digest(targets):
            raise ValueError("its scores were changed after they were written")
        frames = {
            target["name"]: {metric: _read_frames(target["frames"], metric) for metric in METRICS}
            for target in targets
        }
        songs = {target["name"]: target["song"] for target in targets if "song" in target}
        name = content.get("track", Path(path).stem)
        return cls(name, frames, songs, content.get("made_of"))


def find_scores(path: Path) -> Optional[TrackScores]:
    """The scores in a file; None if the file is missing, or damaged, which is logged."""
    if not path.is_file():
        return None
    try:
        return TrackScores.load(path)
    except (ValueError, KeyError, TypeError) as error:
        log.warning("%s is damaged (%s); scoring the track again.", path, error)
        return None


def score_track(
    track: str,
    references: Waveforms,
    estimates: Waveforms,
    sample_rate: int,
    bss_eval: Optional[BssEval],
    song_metrics: Sequence[str] = (),
) -> TrackScores:
    """Score the estimates of a track.

    Args:
        track: Name of the track.
        references, estimates: Waveforms of the same sources, length and number of channels.
        sample_rate: In Hz.
        bss_eval: One of `BSS_EVAL`; None leaves out the scores of frames.
        song_metrics: Names in `SONG_METRICS`.

    Raises:
        ScoringError: If an estimate is missing, or its length or number of channels differs.
    """
    _check_shapes(track, references, estimates)
    frames = {s: {m: np.empty(0) for m in METRICS} for s in references.sources}
    if bss_eval is not None:
        for sources in _scored_together(references.sources):
            window = int(WINDOW_SECONDS * sample_rate)
            frames.update(_score_frames(references, estimates, sources, window, bss_eval))
    songs = score_song(references, estimates, song_metrics) if song_metrics else {}
    return TrackScores(track, frames, songs)


def _scored_together(sources: Sequence[str]) -> List[Sequence[str]]:
    """Groups of sources in museval's order; scores of a later group replace earlier ones."""
    if not {"vocals", "accompaniment"} <= set(sources):
        return [sources]
    others = [source for source in sources if source != "accompaniment"]
    pair = ["vocals", "accompaniment"]
    return [others, pair] if len(others) > 1 else [pair]


def _score_frames(
    references: Waveforms,
    estimates: Waveforms,
    sources: Sequence[str],
    window: int,
    bss_eval: BssEval,
) -> Dict[str, Dict[str, np.ndarray]]:
    """Scores of each frame, by source and metric; silent sources are left out."""
    references, estimates = references.select(sources), estimates.select(sources)
    heard = _audible(references, window) & _audible(estimates, window)
    n_frames = max(1, references.n_samples // window)
    frames = {s: {m: np.full(n_frames, np.nan) for m in METRICS} for s in sources}
    audible = [s for s, is_heard in zip(sources, heard) if is_heard]
    if audible:
        scores = bss_eval(references.select(audible), estimates.select(audible), window)
        for source, (sdr, isr, sir, sar) in zip(audible, np.swapaxes(scores, 0, 1)):
            frames[source] = dict(zip(METRICS, (sdr, sir, isr, sar)))
    return frames


def _audible(waveforms: Waveforms, piece: int) -> np.ndarray:
    """Whether each source is ever audible, (J,); as in museval, in the sum of channels."""
    heard = np.zeros(len(waveforms.sources), dtype=bool)
    for start in range(0, waveforms.n_samples, piece):
        if heard.all():
            break
        n_samples = min(piece, waveforms.n_samples - start)
        heard |= waveforms.read(start, n_samples).astype(np.float64).sum(1).any(-1)
    return heard


def museval_bss_eval(references: Waveforms, estimates: Waveforms, window: int) -> np.ndarray:
    """BSSEval v4 by museval, the reference implementation."""
    from museval.metrics import bss_eval

    # museval 0.4.1 expects np.linalg.linalg.LinAlgError, which numpy 2 removed.
    vars(np.linalg).setdefault("linalg", np.linalg)
    arrays = (
        w.read(0, w.n_samples).swapaxes(-1, -2).astype(np.float64) for w in (references, estimates)
    )
    return np.stack(bss_eval(*arrays, window=window, hop=window, compute_permutation=False)[:4])


BSS_EVAL: Dict[str, BssEval] = {"museval": museval_bss_eval, "fast": fast_bss_eval}


def _target(
    source: str, metrics: Mapping[str, np.ndarray], song: Mapping[str, float]
) -> Dict[str, Any]:
    n_frames = len(metrics["SDR"])
    of_song = {"song": {name: _to_json(value) for name, value in song.items()}} if song else {}
    return {
        "name": source,
        **of_song,
        "frames": [
            {
                "time": i * WINDOW_SECONDS,
                "duration": WINDOW_SECONDS,
                "metrics": {metric: _to_json(metrics[metric][i]) for metric in METRICS},
            }
            for i in range(n_frames)
        ],
    }


def _to_json(value: float) -> float:
    return float(value) if np.isfinite(value) else float("nan")


def _read_frames(frames: List[dict], metric: str) -> np.ndarray:
    return np.array([frame["metrics"][metric] for frame in frames], dtype=float)


def _check_shapes(track: str, references: Waveforms, estimates: Waveforms) -> None:
    for source in references.sources:
        if source not in estimates.sources:
            raise ScoringError(f"{track}: there is no estimate of {source}.")
    expected, got = ((w.n_channels, w.n_samples) for w in (references, estimates))
    if expected != got:
        raise ScoringError(
            f"{track}: the estimates have {got[0]} channels of {got[1]} samples, but the "
            f"references have {expected[0]} of {expected[1]}. Separate this mixture again."
        )
