"""Describe the published weights: a table of all of them, or the details of some."""

import json
from typing import List, Sequence

from asteroid_xscheme.weights import PUBLISHED, CheckpointError, PublishedModel
from asteroid_xscheme.weights.published import find_published

from .columns import as_columns

_COLUMNS = ("name", "sources", "rate", "size", "SDR", "cached", "licence", "trained on")


def list_models(names: Sequence[str] = (), as_json: bool = False) -> str:
    """A table of all published weights, or the details of the named ones.

    Args:
        names: Names or ids; if empty, a table of all.
        as_json: Whether to return JSON, which always has all details.

    Raises:
        CheckpointError: If there are no published weights of that name.
    """
    models = [_find(name) for name in names] or list(PUBLISHED.values())
    if as_json:
        return json.dumps([_describe(model) for model in models], indent=2, ensure_ascii=False)
    if names:
        return "\n\n".join(_as_paragraph(model) for model in models)
    table = as_columns([_COLUMNS, *map(_as_row, models)])
    return (
        f"{table}\n\nSDR: as published, in dB; median over frames and tracks of MUSDB18, mean over "
        "sources. `small` has its own scores in its card.\n`xscheme models NAME` shows more, "
        "including the page with the licence. Instead of a name you can give a Hugging Face id, a "
        "URL or a weights file."
    )


def _find(name: str) -> PublishedModel:
    model = find_published(name)
    if model is None:
        raise CheckpointError(
            f"There are no published weights {name!r}. Known: {', '.join(PUBLISHED)}."
        )
    return model


def _as_row(model: PublishedModel) -> List[str]:
    size, cached = _sizes(model)
    return [
        model.name,
        ",".join(model.sources),
        f"{model.sample_rate} Hz",
        size,
        "-" if model.average_score is None else f"{model.average_score:.2f}",
        cached,
        model.licence or "see page",
        model.data,
    ]


def _sizes(model: PublishedModel) -> List[str]:
    """The size, and whether the file is in the cache ("yes", "no" or "included"), as text."""
    if model.url is None:
        return [f"{model.size / 1e6:.1f} MB" if model.size else "unknown", "included"]
    cached = model.bytes_cached
    size = cached or model.size
    about = "" if cached else "~"
    return [f"{about}{size / 1e6:.0f} MB" if size else "unknown", "yes" if cached else "no"]


def _describe(model: PublishedModel) -> dict:
    """All details of a model, ready for JSON."""
    cached = model.bytes_cached
    return {
        "name": model.name,
        "title": model.title,
        "ids": list(model.ids),
        "sources": list(model.sources),
        "sample_rate": model.sample_rate,
        "size": cached or model.size,
        "cached": cached is not None or model.url is None,
        "licence": model.licence_note,
        "trained_on": model.data,
        "page": model.page,
        "url": model.url,
        "checksum": model.checksum_state,
        "needs": list(model.needs),
        "scores": model.scores,
        "scores_source": model.scores_source,
    }


def _as_paragraph(model: PublishedModel) -> str:
    facts = _describe(model)
    scores = ", ".join(f"{source} {score} dB" for source, score in model.scores.items())
    facts["scores"], facts["url"] = scores or "-", model.url or "-"
    facts["size"], facts["cached"] = _sizes(model)
    facts["sample_rate"] = f"{model.sample_rate} Hz"
    for key in ("ids", "sources", "needs"):
        facts[key] = ", ".join(facts[key]) or "-"
    return "\n".join(f"{key.replace('_', ' '):14} {value}" for key, value in facts.items())
