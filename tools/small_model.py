"""A trained run and its scores -> the small model in the package: weights, scores and card.

Usage: python tools/small_model.py RUN   (tools/small_model.sh calls it)

The card is written from the files of the run alone, so no number in it was typed.
"""

import sys
from pathlib import Path
from typing import Any, Dict, List, Mapping

from asteroid_xscheme.atomic import read_json, write_json
from asteroid_xscheme.recipes.config import Config
from asteroid_xscheme.recipes.evaluation import BASELINES, ORACLE, STATIC_FILTER
from asteroid_xscheme.recipes.identity import weights_hash
from asteroid_xscheme.recipes.markdown import markdown_table
from asteroid_xscheme import weights
from asteroid_xscheme.weights import load_package, save_package

SOURCES = ("bass", "drums", "vocals", "other")
MODEL = "small"
SONGS = {
    "title": "Everything is Free",
    "title_link": "https://creativecommons.org/publicdomain/zero/1.0/",
    "author": "Software-Entwicklungskit",
    "author_link": "https://creativecommons.org/publicdomain/zero/1.0/",
    "license": "CC0 1.0",
    "license_link": "https://creativecommons.org/publicdomain/zero/1.0/",
    "non_commercial": False,
}

Scores = Mapping[str, Mapping[str, Any]]  # by system and source, dB or None

CARD = """---
library_name: asteroid
pipeline_tag: audio-to-audio
license: cc0-1.0
---

# small

An {title} of {parameters:,} parameters in {size:.1f} MB that separates songs into bass, drums,
vocals and other. It comes with asteroid_xscheme:

```bash
xscheme separate song.mp3 -n small
```

**What to expect.** It is made for trying things out, without a network or a GPU. It has heard
{n_real} real songs, all of one album of electronic music, so do not expect the quality of weights
that were trained on MUSDB18 or more.

**Terms.** CC0 1.0: do with it what you like, without conditions. All that it was trained on allows
that: the real songs are CC0, and the others are rendered by this package.

## Scores

SDR in dB (BSSEval v4, median over seconds, then over songs) on music that it was not trained on.
The static filter is a fixed equaliser, fitted to the same training songs; the oracle is the ratio
mask made from the true sources.

{tables}

{verdict}

## Training

`make small-model SONGS=folder` made it; its options are egs/musdb18/X-D3Net/local/conf_small.yml.
Commit {commit}, seed {seed}.

- **Real songs** (CC0): {real}, of the album "Everything is Free"
  by Software-Entwicklungskit, with stems grouped into four sources and brought to a common level.
  {left_out} was left out.
- **Rendered songs**: {n_rendered} of 20 s, by `demo_songs`.
- **Examples**: every source from a song and a place of its own, at a random level, speed (0.8 to
  1.25), polarity and order of the channels.
- **Steps**: {steps} of {batch} x {seconds:g} s in {epochs} epochs. The weights are those of the
  epoch with the lowest loss on {n_valid} other rendered songs. {hours:.1f} hours on one shared
  processor core.
"""


def main(run: Path) -> None:
    """Write the folder of the model."""
    package = load_package(str(run / "best_model.pth"))
    records = {"": run, "rendered": run / "rendered"}
    found = {name: read_json(folder / "evaluation/record.json") for name, folder in records.items()}
    for record in found.values():
        if record["made_of"]["model"] != weights_hash(package):
            sys.exit(f"small_model: the scores in {run} are of other weights: score them again.")
    scores = {
        **_scores(found[""], "test", "{} (real, left out)"),
        **_scores(found["rendered"], "real", "{} (real, MUSDB18, 6 s)"),
        **_scores(found["rendered"], "test", "{} rendered songs, left out", count=True),
    }
    folder = Path(weights.__file__).with_name(MODEL)
    folder.mkdir(exist_ok=True)
    package.update(dataset="rendered songs and CC0 songs", licenses=[*package["licenses"], SONGS])
    save_package(package, folder / "model.safetensors")
    write_json(folder / "scores.json", {"model": weights_hash(package), "scores": scores})
    card = _card(run, package, found[""], scores, (folder / "model.safetensors").stat().st_size)
    (folder / "README.md").write_text(card, encoding="utf-8")
    print(card)


def _scores(record: Mapping, subset: str, title: str, count: bool = False) -> Dict[str, Scores]:
    """By title, system and source, the SDR in dB of a subset of a record."""
    of = record["subsets"][subset]
    names = [track["name"] for track in of["tracks"]]
    systems = {MODEL if k == record["name"] else k: v["figures"] for k, v in of["systems"].items()}
    figures = {
        system: {s: _rounded(systems[system].get(s, {}).get("SDR")) for s in SOURCES}
        for system in (*(name for name in BASELINES if name != ORACLE), MODEL, ORACLE)
    }
    return {title.format(len(names) if count else ", ".join(names)): figures}


def _rounded(value: Any) -> Any:
    return None if value is None else round(value, 2)


def average(of_system: Mapping[str, Any]) -> float:
    """Mean over the sources that have a score."""
    values = [value for value in of_system.values() if value is not None]
    return sum(values) / len(values)


def table(scores: Scores) -> str:
    """The scores of all systems on one set of songs."""
    rows = [
        [name, *(_text(of[source]) for source in SOURCES), f"{average(of):.2f}"]
        for name, of in scores.items()
    ]
    return markdown_table(["SDR in dB", *SOURCES, "average"], rows)


def _text(value: Any) -> str:
    return "-" if value is None else f"{value:.2f}"


def _verdict(scores: Mapping[str, Scores]) -> str:
    """How far the model is above the equaliser, and where it is not."""
    lines: List[str] = []
    for title, of in scores.items():
        gain = average(of[MODEL]) - average(of[STATIC_FILTER])
        below = [
            source
            for source in SOURCES
            if None not in (of[MODEL][source], of[STATIC_FILTER][source])
            and of[MODEL][source] <= of[STATIC_FILTER][source]
        ]
        exception = f", but not on {' and '.join(below)}" if below else ""
        lines.append(f"- {title}: {gain:+.2f} dB above the static filter on average{exception}.")
    return "\n".join(lines)


def _card(run: Path, package: Mapping, record: Mapping, scores: Dict, size: int) -> str:
    config = Config.from_yaml(run / "conf.yml")
    made_of = read_json(run / "made_of.json")
    finished = read_json(run / "finished.json")
    rendered, real = (
        sorted(title.partition("/")[2] for title in songs)
        for songs in made_of["training tracks"].values()
    )
    n_steps = len(rendered + real) * config.data.samples_per_track // config.training.batch_size
    return CARD.format(
        title=config.model.title(config.architecture),
        parameters=sum(tensor.numel() for tensor in package["state_dict"].values()),
        size=size / 1e6,
        tables="\n\n".join(f"**{title}**\n\n{table(of)}" for title, of in scores.items()),
        verdict=_verdict(scores),
        commit=record["information"]["commit"],
        seed=config.data.seed,
        real=", ".join(real),
        n_real=len(real),
        left_out=", ".join(track["name"] for track in record["subsets"]["test"]["tracks"]),
        n_rendered=len(rendered),
        steps=finished["epochs"] * n_steps,
        batch=config.training.batch_size,
        seconds=config.data.seq_dur,
        epochs=finished["epochs"],
        n_valid=len(config.data.valid_tracks or ()),
        hours=finished["hours"],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
