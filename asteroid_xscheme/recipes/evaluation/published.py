"""Published scores on MUSDB18 and how they were measured, for comparison with ours.

SDR of BSSEval v4 in dB, median over frames of 1 s, then over the 50 test songs. MUSDB18 is
compressed (nothing above 16 kHz) and MUSDB18-HQ is not, so their scores are not interchangeable.
"""

from dataclasses import dataclass
from typing import List, Mapping, Tuple

_SOURCES = ("vocals", "drums", "bass", "other")
_TRACKS = 50  # of the test set


@dataclass(frozen=True)
class Published:
    """A published system.

    Attributes:
        name: Name of the system.
        vocals, drums, bass, other: SDR in dB.
        trained_on: Training data.
        tested_on: Test data, "MUSDB18" or "MUSDB18-HQ".
        stated_in: Where the scores were published.
        weights: Our name of its weights, empty if we do not have them.
        filter: The Wiener filter that was applied to its estimates.
    """

    name: str
    vocals: float
    drums: float
    bass: float
    other: float
    trained_on: str
    tested_on: str
    stated_in: str
    weights: str = ""
    filter: str = "em, iterations: 1"

    def sdr(self, source: str) -> float:
        """The SDR of a source in dB; NaN if it was not published."""
        return getattr(self, source) if source in _SOURCES else float("nan")


_MUSDB, _HQ = "MUSDB18", "MUSDB18-HQ"
_OFFICIAL = {"musdb18": _MUSDB, "musdb18hq": _HQ}  # by our name of the data set

PUBLISHED: Tuple[Published, ...] = (
    Published(
        "IRM oracle",
        9.43,
        8.45,
        7.12,
        7.85,
        "nothing: it knows the sources",
        _MUSDB,
        "SiSEC 2018 scores",
    ),
    Published("UMX", 6.32, 5.73, 5.23, 4.02, _MUSDB, _MUSDB, "Open-Unmix README"),
    Published("UMXHQ", 6.25, 6.04, 5.07, 4.28, _HQ, _HQ, "Open-Unmix README"),
    Published("X-UMX", 6.61, 6.47, 5.43, 4.64, _MUSDB, _MUSDB, "Asteroid README", "xumx"),
    Published("X-UMX, HQ", 6.54, 6.44, 5.54, 4.46, _HQ, _HQ, "Danna-Sep paper", "xumxhq"),
    Published("X-UMXL", 7.57, 7.39, 6.28, 4.83, "more data", _MUSDB, "Asteroid README", "xumxl"),
    Published("D3Net", 7.24, 7.01, 5.25, 4.53, _MUSDB, _MUSDB, "D3Net paper"),
    Published(
        "D3Net, NNabla",
        7.14,
        6.85,
        5.32,
        4.82,
        _MUSDB,
        _MUSDB,
        "D3Net README",
        "d3net",
        "one_pass",
    ),
    Published("Conv-TasNet, 3 seeds", 6.43, 6.02, 6.20, 4.27, _MUSDB, _MUSDB, "Demucs v2 scores"),
    Published("Demucs v2, 3 seeds", 6.84, 6.86, 7.01, 4.42, _MUSDB, _MUSDB, "Demucs v2 paper"),
    Published("HT Demucs", 7.93, 7.94, 8.48, 5.72, _HQ, _HQ, "HT Demucs paper, table 1"),
)


def published_beside(filters: Mapping[str, str], dataset: str, n_tracks: int) -> List[Published]:
    """The published scores that can be compared with ours: same test songs, same filter.

    Args:
        filters: How our estimates were filtered, by name of the system (X-UMX) or weights (xumx).
        dataset: Test data: musdb18 or musdb18hq; there are no published scores for others.
        n_tracks: Number of test tracks that were scored.
    """
    return [
        system
        for system in PUBLISHED
        if n_tracks == _TRACKS
        and system.tested_on == _OFFICIAL.get(dataset)
        and system.filter in (filters.get(system.name), filters.get(system.weights))
    ]
