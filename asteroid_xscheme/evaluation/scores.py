"""References and estimates of one track -> SDR, SIR, ISR and SAR per source and second.

The figures are BSSEval v4's, by museval: distortion filters of 512 taps computed over the whole
track, energies over windows of one second. A source whose reference or estimate is silent
throughout has no score (NaN in each frame); museval would end the whole track. The others are
scored without it. In frames where any of the scored sources is silent nothing is scored, as in
museval.

Reference: F.-R. Stöter, A. Liutkus and N. Ito, "The 2018 signal separation evaluation campaign",
LVA/ICA 2018, https://arxiv.org/abs/1804.06267.
"""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Sequence

import numpy as np

METRICS = ("SDR", "SIR", "ISR", "SAR")
WINDOW_SECONDS = 1.0

#: (references (J, T, C), estimates (J, T, C), window, hop in samples) -> (SDR, ISR, SIR, SAR) (J, N)
BssEval = Callable[[np.ndarray, np.ndarray, int, int], Sequence[np.ndarray]]


@dataclass(frozen=True)
class TrackScores:
    """Scores of one track: by source and metric, one value in dB per frame, NaN where undefined."""

    track: str
    frames: Mapping[str, Mapping[str, np.ndarray]]

    def save(self, path: Path) -> None:
        """Write museval's JSON, whole or not at all."""
        targets = [_target(source, metrics) for source, metrics in self.frames.items()]
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=".", suffix=".json", delete=False, encoding="utf-8"
        ) as file:
            json.dump({"track": self.track, "targets": targets}, file)
        os.replace(file.name, path)

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
    references: Mapping[str, np.ndarray],
    estimates: Mapping[str, np.ndarray],
    sample_rate: int,
    bss_eval: BssEval,
) -> TrackScores:
    """Scores of a track's estimates.

    Args:
        track: Its name.
        references, estimates: By source, waveforms (T, C) of one length.
        sample_rate: In Hz.
        bss_eval: One of `BSS_EVAL`.

    Raises:
        ValueError: If an estimate is missing or differs in shape from its reference.
    """
    _check_shapes(track, references, estimates)
    window = int(WINDOW_SECONDS * sample_rate)
    audible = [s for s in references if references[s].any() and estimates[s].any()]
    n_samples = len(next(iter(references.values())))
    n_frames = 1 if window >= n_samples else (n_samples - window) // window + 1
    frames = {s: {m: np.full(n_frames, np.nan) for m in METRICS} for s in references}
    if audible:
        stacked = (np.stack([of[s] for s in audible]) for of in (references, estimates))
        sdr, isr, sir, sar = bss_eval(*stacked, window, window)
        for j, source in enumerate(audible):
            frames[source] = dict(zip(METRICS, (sdr[j], sir[j], isr[j], sar[j])))
    return TrackScores(track, frames)


def museval_bss_eval(
    references: np.ndarray, estimates: np.ndarray, window: int, hop: int
) -> Sequence[np.ndarray]:
    """BSSEval v4 by museval, the reference."""
    from museval.metrics import bss_eval

    return bss_eval(references, estimates, window=window, hop=hop, compute_permutation=False)[:4]


BSS_EVAL: Dict[str, BssEval] = {"museval": museval_bss_eval}


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


def _to_json(value: float):
    return None if np.isnan(value) else float(value)


def _read_frames(frames: List[dict], metric: str) -> np.ndarray:
    values = [frame["metrics"][metric] for frame in frames]
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _check_shapes(
    track: str, references: Mapping[str, np.ndarray], estimates: Mapping[str, np.ndarray]
) -> None:
    for source, reference in references.items():
        if source not in estimates:
            raise ValueError(f"{track}: there is no estimate of {source}.")
        if estimates[source].shape != reference.shape:
            raise ValueError(
                f"{track}: the estimate of {source} is {estimates[source].shape} (samples, "
                f"channels), its reference {reference.shape}."
            )
