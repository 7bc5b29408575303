"""Weights with a name: addresses, scores and licences.

All but "small" were trained and published by others. Their scores are SDR in dB on MUSDB18 (BSSEval
v4), medians over frames (1 s) and then tracks, as published; we measured none of them. "small" is
ours and comes with the package; its scores are in its card, small/README.md.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Dict, Optional, Tuple

from asteroid.utils.hub_utils import MODELS_URLS_HASHTABLE, SR_HASHTABLE

from .fetching import find_cached, load_url, recorded_checksum
from .files import read_package

_SOURCES = ("bass", "drums", "vocals", "other")
_XUMX_BYTES = 142_000_000  # 35.5 million parameters
_SMALL_BYTES = 500_000
_D3NET_BYTES = 45_000_000  # 11.2 million parameters, four networks
_XUMXL_ID = "r-sawata/XUMXL_MUSDB18_music_separation"
_XUMXL_URL = "https://zenodo.org/record/7128659/files/pretrained_xumxl.pth?download=1"
_D3NET_PAGE = "https://github.com/sony/ai-research-code/tree/master/d3net/music-source-separation"
_NNABLA = "https://nnabla.org/pretrained-models/ai-research-code"


@dataclass(frozen=True)
class PublishedModel:
    """Weights that `from_pretrained` and `-n` know by name.

    Attributes:
        name: Name for `from_pretrained` and `-n`.
        title: Short description.
        url: Address of the file; None if the weights come with this package, in the folder of
            their name beside this file.
        page: Web page about the weights.
        data: Training data and its terms.
        scores: SDR in dB on MUSDB18 by source, or "average"; empty if there are none.
        scores_source: Publication of the scores.
        ids: asteroid's ids for the same weights.
        sources: Names of the sources.
        sample_rate: In Hz.
        size: Approximate size of the file in bytes.
        licence: The publisher's licence for the weights; None if unknown (see `page`).
        checksum: The published checksum; None if there is none (the first download then counts).
        needs: Optional packages that reading the file requires.
    """

    name: str
    title: str
    url: Optional[str]
    page: str
    data: str
    scores: Dict[str, float]
    scores_source: str
    ids: Tuple[str, ...] = ()
    sources: Tuple[str, ...] = _SOURCES
    sample_rate: int = 44100
    size: Optional[int] = None
    licence: Optional[str] = None
    checksum: Optional[str] = None
    needs: Tuple[str, ...] = ()

    def load(self, offline: bool = False) -> Dict[str, Any]:
        """Their package; `offline` downloads nothing.

        Raises:
            CheckpointError: If they cannot be had, see :func:`.fetching.load_url`.
        """
        if self.url is None:
            return read_package(self.folder)
        return load_url(self.url, checksum=self.checksum, offline=offline)

    @property
    def folder(self) -> Path:
        """Where weights that come with this package are."""
        return Path(__file__).with_name(self.name)

    @property
    def average_score(self) -> Optional[float]:
        """Mean of the sources' scores in dB, if there are any."""
        return mean(self.scores.values()) if self.scores else None

    @property
    def bytes_cached(self) -> Optional[int]:
        """Size of the cached file in bytes; None if it is not in the cache."""
        path = find_cached(self.url) if self.url else None
        return path.stat().st_size if path else None

    @property
    def licence_note(self) -> str:
        """The licence of the weights, or where to find it."""
        return self.licence or f"not stated here, see {self.page}"

    @property
    def checksum_state(self) -> str:
        """The checksum that a download has to match, and where it comes from."""
        if self.url is None:
            return "part of the package"
        if self.checksum:
            return f"{self.checksum} (known)"
        recorded = recorded_checksum(self.url)
        return f"{recorded} (recorded on first use)" if recorded else "recorded on first use"


PUBLISHED: Dict[str, PublishedModel] = {
    model.name: model
    for model in (
        PublishedModel(
            name="small",
            title="X-D3Net of 0.1 million parameters, which comes with the package",
            url=None,
            page="https://creativecommons.org/publicdomain/zero/1.0/",
            data="CC0 and rendered songs",
            size=_SMALL_BYTES,
            scores={},
            scores_source="its card, asteroid_xscheme/weights/small/README.md",
            licence="CC0 1.0",
        ),
        PublishedModel(
            name="xumx",
            title="X-UMX, trained on MUSDB18",
            url="https://zenodo.org/record/4704231/files/pretrained_xumx.pth?download=1",
            page="https://zenodo.org/records/4704231",
            ids=("r-sawata/XUMX_MUSDB18_music_separation",),
            data="MUSDB18 (non-commercial)",
            size=_XUMX_BYTES,
            scores={"bass": 5.426, "drums": 6.471, "vocals": 6.612, "other": 4.639},
            scores_source="asteroid, egs/musdb18/X-UMX/README.md",
        ),
        PublishedModel(
            name="xumxhq",
            title="X-UMX, trained on MUSDB18-HQ (baseline of the Music Demixing Challenge 2021)",
            url="https://zenodo.org/record/4740378/files/pretrained_xumx_musdb18HQ.pth",
            page="https://zenodo.org/records/4740378",
            data="MUSDB18 (non-commercial)",
            size=_XUMX_BYTES,
            scores={"bass": 5.54, "drums": 6.44, "vocals": 6.54, "other": 4.46},
            scores_source="Danna-Sep paper (its baseline)",
        ),
        PublishedModel(
            name="xumxl",
            title="X-UMXL: X-UMX trained on a larger data set",
            url=_XUMXL_URL,
            page="https://zenodo.org/records/7128659",
            ids=(_XUMXL_ID,),
            data="a larger set",
            scores={"bass": 6.283, "drums": 7.394, "vocals": 7.565, "other": 4.833},
            scores_source="asteroid, egs/musdb18/X-UMX/README.md",
        ),
        PublishedModel(
            name="xumx-nnabla",
            title="X-UMX, the official NNabla network, trained on MUSDB18",
            url=f"{_NNABLA}/x-umx/x-umx.h5",
            page="https://github.com/sony/ai-research-code/tree/master/x-umx",
            data="MUSDB18 (non-commercial)",
            size=_XUMX_BYTES,
            scores={"average": 5.79},
            scores_source="the X-UMX paper, Table 1",
            needs=("h5py",),
        ),
        PublishedModel(
            name="d3net",
            title="D3Net, the official NNabla networks (not bridged), trained on MUSDB18",
            url=f"{_NNABLA}/d3net/mss/d3net-mss.zip",
            page=_D3NET_PAGE,
            data="MUSDB18 (non-commercial)",
            size=_D3NET_BYTES,
            scores={"bass": 5.32, "drums": 6.85, "vocals": 7.14, "other": 4.82},
            scores_source="sony/ai-research-code, d3net/music-source-separation/README.md",
            checksum="sha1:ada6858b467628f2f57489f0e862982aeb87942c",  # as Spleeter-Web checks it
            needs=("h5py",),
        ),
    )
}


def find_published(name: str) -> Optional[PublishedModel]:
    """Find a published model by its name or by asteroid's id; None if there is none."""
    models = PUBLISHED.values()
    return next((model for model in models if name == model.name or name in model.ids), None)


def asteroid_url(name: str) -> Optional[str]:
    """The URL of an id in asteroid's table, or None."""
    return MODELS_URLS_HASHTABLE.get(name)


def asteroid_sample_rate(name: str) -> Optional[float]:
    """The rate in Hz that asteroid assumes for an id whose file has none, or None."""
    return SR_HASHTABLE.get(name)
