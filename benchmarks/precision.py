"""What bfloat16 networks change in separated songs, and how much faster they are.

`--precision auto` follows these rows. Each of the first table separates the six test songs of the
demo with a trained model, in float32 and with bfloat16 networks. The deviation is the energy of the
difference of the estimates relative to the estimates, the largest over songs; of real music where
--music names files. The change of SDR (BSSEval v4, median over frames, then over songs) is the
largest over sources. The models are the small one of the package, and what `run.sh --dataset demo
--tag demo` has trained in this checkout; --models names others. The second table separates an
excerpt with networks of the official sizes and random weights. `ratio` says how many times as fast
bfloat16 is as float32.
"""

import argparse
from pathlib import Path
from typing import Any, Dict, Iterable, List

import numpy as np
import torch

from asteroid_xscheme.audio import read_audio
from asteroid_xscheme.models import XUMX, BridgedModel, XConvTasNet, XD3Net
from asteroid_xscheme.recipes.evaluation import BSS_EVAL, Waveforms
from asteroid_xscheme.separation import Separator
from demo_songs import SAMPLE_RATE, SOURCES, render_song

from .pairing import add_arguments, compare, save, show

PRECISIONS = ("float32", "bf16")
OFFICIAL = {
    "X-UMX": lambda: XUMX(SOURCES, max_bin=1487),
    "X-D3Net": lambda: XD3Net(SOURCES),
    "X-Conv-TasNet": lambda: XConvTasNet(SOURCES),
}
_TEST_PART, _SONGS, _SECONDS = 2, 6, 20.0  # the demo's test songs
_DEMO_MODELS = "egs/musdb18/*/exp/train_*_demo/best_model.pth"
Sources = Dict[str, torch.Tensor]  # by name (C, T)


def demo_song(index: int) -> Sources:
    """The sources of a test song of the demo."""
    signals = render_song((_TEST_PART, index), _SECONDS)
    return {name: torch.from_numpy(signals[name] / 2.0**15).float() for name in SOURCES}


def deviation_db(estimates: Sources, references: Sources) -> float:
    """Energy of the difference of all sources relative to the references, in dB."""
    difference = sum(float((estimates[s] - x).square().sum()) for s, x in references.items())
    return 10 * np.log10(difference / sum(float(x.square().sum()) for x in references.values()))


def sdr(references: Sources, estimates: Sources) -> np.ndarray:
    """SDR (J,) in dB, median over frames."""
    pair = (
        Waveforms.of_arrays({s: signals[s].T.numpy() for s in SOURCES})
        for signals in (references, estimates)
    )
    return np.nanmedian(BSS_EVAL["fast"](*pair, SAMPLE_RATE)[0], axis=-1)


def separate_with_both(model: BridgedModel, mixture: torch.Tensor) -> List[Sources]:
    """The sources by float32 networks and by bfloat16 networks."""
    return [Separator(model, precision=p).separate(mixture, SAMPLE_RATE) for p in PRECISIONS]


def compare_times(model: BridgedModel, mixture: torch.Tensor, repeats: int) -> Dict[str, Any]:
    """Times of separating a song, with bfloat16 networks as ours."""
    exact, rounded = (Separator(model, precision=p) for p in PRECISIONS)
    return compare(
        lambda: rounded.separate(mixture, SAMPLE_RATE),
        lambda: exact.separate(mixture, SAMPLE_RATE),
        repeats,
    )


def measure_trained(
    name: str, songs: List[Sources], music: Iterable[Path], repeats: int
) -> Dict[str, Any]:
    """A row: deviation, SDR and time of a trained model."""
    model = BridgedModel.from_pretrained(name)
    mixtures = [sum(song.values()) for song in songs]
    pairs = [separate_with_both(model, mixture) for mixture in mixtures]
    scores = [[sdr(song, x) for x in pair] for song, pair in zip(songs, pairs)]
    exact, rounded = np.median(scores, axis=0)
    row = {
        "model": f"{model.title}, {n_parameters(model)} parameters",
        "deviation_db": max(deviation_db(x, exact) for exact, x in pairs),
        "sdr_db": float(exact.mean()),
        "sdr_change_db": float(np.abs(rounded - exact).max()),
        **compare_times(model, mixtures[0], repeats),
    }
    for path in music:
        exact, x = separate_with_both(model, read_audio(path)[0])
        row["real_deviation_db"] = max(deviation_db(x, exact), row.get("real_deviation_db", -999))
    return row


def measure_official(title: str, mixture: torch.Tensor, repeats: int) -> Dict[str, Any]:
    """A row: deviation and time of networks of the official size with random weights."""
    torch.manual_seed(0)
    model = OFFICIAL[title]().eval()
    exact, rounded = separate_with_both(model, mixture)
    return {
        "official size": f"{title}, {n_parameters(model)} parameters",
        "seconds": mixture.shape[-1] / SAMPLE_RATE,
        "deviation_db": deviation_db(rounded, exact),
        **compare_times(model, mixture, repeats),
    }


def n_parameters(model: BridgedModel) -> str:
    """The number of parameters in millions."""
    return f"{sum(parameter.numel() for parameter in model.parameters()) / 1e6:.2f} million"


def run(options: argparse.Namespace) -> List[Dict[str, Any]]:
    """A row for each trained model and each official size, printed as they come."""
    songs, rows = [demo_song(index) for index in range(_SONGS)], []
    for name in options.models:
        rows.append(measure_trained(name, songs, options.music, options.repeats))
        show(rows[-1])
    excerpt = sum(songs[0].values())[:, : int(options.seconds * SAMPLE_RATE)]
    for title in OFFICIAL if options.seconds else ():
        rows.append(measure_official(title, excerpt, options.repeats))
        show(rows[-1])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    trained = sorted(map(str, Path(__file__).parents[1].glob(_DEMO_MODELS)))
    parser.add_argument(
        "--models", nargs="*", default=["small", *trained], help="names or files of trained models"
    )
    parser.add_argument(
        "--music", nargs="*", type=Path, default=[], help="files of real music to separate as well"
    )
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="of the excerpt for official sizes; 0 for none"
    )
    add_arguments(parser)
    parser.set_defaults(repeats=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    save(run(options), options.json)


if __name__ == "__main__":
    main()
