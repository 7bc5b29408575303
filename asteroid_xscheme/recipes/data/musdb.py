"""Facts about MUSDB18 and the other data sets: tracks, streams, archives and licences.

The validation tracks and the order of the streams come from the configuration of the musdb package.
The rest is from https://sigsep.github.io/datasets/musdb.html and the two Zenodo records.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, List, Tuple, cast

import yaml

from .errors import DataError

SUBSETS = ("train", "test")
N_TRACKS = {"train": 100, "test": 50}
STEM_SUFFIX = ".stem.mp4"


@dataclass(frozen=True)
class OfficialArchive:
    """The zip of a data set on Zenodo."""

    name: str
    url: str
    checksum: str


ARCHIVES = {
    # checksum: Zenodo's record
    "musdb18": OfficialArchive(
        "musdb18.zip",
        "https://zenodo.org/records/1117372/files/musdb18.zip?download=1",
        "md5:af06762477334799bfc5abf237648207",
    ),
    # checksum: torchaudio.datasets.MUSDB_HQ
    "musdb18hq": OfficialArchive(
        "musdb18hq.zip",
        "https://zenodo.org/records/3338373/files/musdb18hq.zip?download=1",
        "sha256:baac80d0483c61d74b2e5f3be75fa557eec52898339e6aa45c1fa48833c5d21d",
    ),
}

_MUSDB18_LICENSE = {
    "author": "Z. Rafii, A. Liutkus, F.-R. Stöter, S. I. Mimilakis and R. Bittner",
    "author_link": "https://sigsep.github.io/datasets/musdb.html",
    "license": (
        "academic use only; tracks from MedleyDB under CC BY-NC-SA 4.0, from The Easton Ellises "
        "under CC BY-NC-SA 3.0"
    ),
    "license_link": "https://sigsep.github.io/datasets/musdb.html",
    "non_commercial": True,
}
_LICENSES = {
    "musdb18": {
        "title": "MUSDB18 - a corpus for music separation",
        "title_link": "https://doi.org/10.5281/zenodo.1117372",
        **_MUSDB18_LICENSE,
    },
    "musdb18hq": {
        "title": "MUSDB18-HQ - an uncompressed version of MUSDB18",
        "title_link": "https://doi.org/10.5281/zenodo.3338373",
        **_MUSDB18_LICENSE,
    },
    "demo": {
        "title": "Demo songs rendered by asteroid_xscheme",
        "title_link": "https://github.com/asteroid-team/asteroid",
        "author": "the authors of asteroid_xscheme",
        "author_link": "https://github.com/asteroid-team/asteroid",
        "license": "MIT",
        "license_link": "https://opensource.org/license/mit",
        "non_commercial": False,
    },
    "folder": {
        "title": "recordings of the person who trained the model",
        "title_link": "https://github.com/asteroid-team/asteroid",
        "author": "the person who trained the model",
        "author_link": "https://github.com/asteroid-team/asteroid",
        "license": "a licence unknown to this package: state it before you publish",
        "license_link": "https://choosealicense.com/non-software/",
        "non_commercial": True,
    },
}
_NAMES = {"musdb18": "MUSDB18", "musdb18hq": "MUSDB18-HQ", "demo": "demo", "folder": "own data"}


def validation_tracks() -> Tuple[str, ...]:
    """Names of the 14 official validation tracks, which are in train/.

    Raises:
        DataError: If the musdb package is not installed.
    """
    return tuple(_official()["validation_tracks"])


def stem_streams() -> Tuple[str, ...]:
    """Names of the streams of a .stem.mp4, in order: the mixture and the sources.

    Raises:
        DataError: If the musdb package is not installed.
    """
    streams = _official()["stem_ids"]
    return tuple(sorted(streams, key=streams.get))


@lru_cache(maxsize=None)
def _official() -> Dict[str, Any]:
    """The configuration of the musdb package, read without importing it, which needs ffmpeg."""
    package = find_spec("musdb")
    if package is None:
        raise DataError(
            "The musdb package, which lists the validation tracks of MUSDB18 and the order of its "
            "streams, is not installed: `pip install musdb`."
        )
    path = Path(cast(List[str], package.submodule_search_locations)[0]) / "configs" / "mus.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def dataset_infos(dataset: str) -> Dict[str, Any]:
    """The entries about training data that Asteroid's publishing asks for.

    Args:
        dataset: "musdb18", "musdb18hq", "demo" or "folder", as in the options.

    Returns:
        `dataset` and `task` (strings) and `licenses` (list of dictionaries with `title`,
        `title_link`, `author`, `author_link`, `license`, `license_link`, `non_commercial`).
    """
    return {
        "dataset": _NAMES[dataset],
        "task": "music source separation",
        "licenses": [dict(_LICENSES[dataset])],
    }
