"""References and estimates of one track -> SDR, SIR, ISR and SAR per source and second.

The figures are BSSEval v4's: distortion filters of 512 taps computed over the whole track,
energies over windows of one second; by museval, or by the same arithmetic in less time. A source
whose reference or estimate is silent throughout has no score (NaN in each frame); museval would
end the whole track. The others are scored without it. In frames where any of the scored sources
is silent nothing is scored, as in museval.

Reference: F.-R. Stöter, A. Liutkus and N. Ito, "The 2018 signal separation evaluation campaign",
LVA/ICA 2018, https://arxiv.org/abs/1804.06267.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Mapping

import numpy as np

from ...atomic import write_json
from .bss_eval import fast_bss_eval
from .waveforms import Waveforms

METRICS = ("SDR", "SIR", "ISR", "SAR")
WINDOW_SECONDS = 1.0

#: (references, estimates, samples of a window) -> SDR, ISR, SIR and SAR (4, J, N)
BssEval = Callable[[Waveforms, Waveforms, int], np.ndarray]


@dataclass(frozen=True)
class TrackScores:
    """Scores of one track: by source and metric, one value in dB per frame, NaN where undefined."""

    track: str
    frames: Mapping[str, Mapping[str, np.ndarray]]

    def save(self, path: Path) -> None:
        """Write museval's JSON, whole or not at all; infinite scores become NaN, as there."""
        targets = [_target(source, metrics) for source, metrics in self.frames.items()]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"track": self.track, "targets": targets}, indent=None)

    @classmethod
    def load(cls, path: Path) -> "TrackScores":
        """Read what `save` or museval wrote."""
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        frames = {
            target["name"]: {metric: _read_frames(target["frames"], metric) for metric in METRICS}
            for target in content["targets"]
        }
        return cls(content.get("track", Path(path).stem), frames)


def score_track(
    track: str,
    references: Waveforms,
    estimates: Waveforms,
    sample_rate: int,
    bss_eval: BssEval,
) -> TrackScores:
    """Scores of a track's estimates.

    Args:
        track: Its name.
        references, estimates: Of the same sources and length.
        sample_rate: In Hz.
        bss_eval: One of `BSS_EVAL`.

    Raises:
        ValueError: If an estimate is missing, or they differ in length or channels.
    """
    _check_shapes(track, references, estimates)
    window = int(WINDOW_SECONDS * sample_rate)
    heard = _audible(references, window) & _audible(estimates.select(references.sources), window)
    n_frames = max(1, references.n_samples // window)
    frames = {s: {m: np.full(n_frames, np.nan) for m in METRICS} for s in references.sources}
    audible = [s for s, is_heard in zip(references.sources, heard) if is_heard]
    if audible:
        scores = bss_eval(references.select(audible), estimates.select(audible), window)
        for source, (sdr, isr, sir, sar) in zip(audible, np.swapaxes(scores, 0, 1)):
            frames[source] = dict(zip(METRICS, (sdr, sir, isr, sar)))
    return TrackScores(track, frames)


def _audible(waveforms: Waveforms, piece: int) -> np.ndarray:
    """Whether each source is ever heard, (J,). As in museval, channels that cancel are not."""
    heard = np.zeros(len(waveforms.sources), dtype=bool)
    for start in range(0, waveforms.n_samples, piece):
        if heard.all():
            break
        n_samples = min(piece, waveforms.n_samples - start)
        heard |= waveforms.read(start, n_samples).astype(np.float64).sum(1).any(-1)
    return heard


def museval_bss_eval(references: Waveforms, estimates: Waveforms, window: int) -> np.ndarray:
    """BSSEval v4 by museval, the reference."""
    from museval.metrics import bss_eval

    # museval 0.4.1 looks for LinAlgError where numpy 2 no longer has it.
    vars(np.linalg).setdefault("linalg", np.linalg)
    arrays = (
        w.read(0, w.n_samples).swapaxes(-1, -2).astype(np.float64) for w in (references, estimates)
    )
    return np.stack(bss_eval(*arrays, window=window, hop=window, compute_permutation=False)[:4])


BSS_EVAL: Dict[str, BssEval] = {"museval": museval_bss_eval, "fast": fast_bss_eval}


def _target(source: str, metrics: Mapping[str, np.ndarray]) -> dict:
    n_frames = len(metrics["SDR"])
    return {
        "name": source,
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
            raise ValueError(f"{track}: there is no estimate of {source}.")
    expected, got = ((w.n_channels, w.n_samples) for w in (references, estimates))
    if expected != got:
        raise ValueError(
            f"{track}: the estimates have {got[0]} channels of {got[1]} samples, the references "
            f"{expected[0]} of {expected[1]}. Separate the track again, from the same mixture."
        )
