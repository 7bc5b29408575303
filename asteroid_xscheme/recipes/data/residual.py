"""Check how far the mixture of a track is from the sum of its sources, and where.

Real mixtures are not exactly the sum of their stems, because they were mastered or compressed with
loss. They differ most in quiet passages and in bursts at both ends. The check therefore looks at
the median over blocks, and at long loud differences.
"""

import math
import statistics
from contextlib import ExitStack
from pathlib import Path
from typing import List, NamedTuple, Sequence, Tuple

from ...audio import AudioReader

_BLOCK_SECONDS = 0.5
_LARGEST_MEDIAN = -20.0  # dB of mixture minus sources; intact MUSDB18 stems reach -22.6 dB
_LARGEST_STRETCH = -12.0  # dB; as much as if the mixture were 2.5 dB louder than the sum
_LONGEST_STRETCH = 2.0  # seconds; bursts are shorter


class _Energies(NamedTuple):
    """Energies of a block of samples."""

    residual: float
    mixture: float


def check_sum(mixture: Path, sources: Sequence[Path]) -> List[str]:
    """Compare a mixture with the sum of its sources.

    Args:
        mixture: File of the mixture.
        sources: Files of the sources, with the same sample rate, length and number of channels.

    Returns:
        A list with one description of the problem, or an empty list.
    """
    blocks = _read_energies(mixture, sources)
    level = statistics.median_low(_level(block, block.mixture) for block in blocks)
    if level > _LARGEST_MEDIAN:
        return [
            f"the mixture and the sum of the sources differ by {level:.1f} dB, more than "
            f"{_LARGEST_MEDIAN} dB: a source is missing, shifted or at another level, or the "
            "mixture was mastered. Training uses the sum of the sources and is not affected, but "
            "the scores of this track are."
        ]
    start, stop = _worst_stretch(blocks)
    if (stop - start) * _BLOCK_SECONDS < _LONGEST_STRETCH:
        return []
    return [
        f"the mixture and the sum of the sources differ by more than {_LARGEST_STRETCH} dB from "
        f"{start * _BLOCK_SECONDS:.1f} to {stop * _BLOCK_SECONDS:.1f} s: a source is silent or "
        "broken there. Listen to the files and replace the broken one."
    ]


def _read_energies(mixture: Path, sources: Sequence[Path]) -> List[_Energies]:
    blocks: List[_Energies] = []
    with ExitStack() as stack:
        readers = [stack.enter_context(AudioReader(path)) for path in (mixture, *sources)]
        n_samples = max(1, int(_BLOCK_SECONDS * readers[0].info.sample_rate))
        while True:
            whole, *parts = (reader.read(n_samples) for reader in readers)
            if not whole.shape[-1] or not all(part.shape == whole.shape for part in parts):
                return blocks
            residual = (whole - sum(parts)).double().square().sum().item()
            blocks.append(_Energies(residual, whole.double().square().sum().item()))


def _level(block: _Energies, reference: float) -> float:
    """Level in dB of a block's residual relative to an energy; -inf without a residual."""
    if not block.residual:
        return -math.inf
    return 10 * math.log10(block.residual / reference) if reference else math.inf


def _worst_stretch(blocks: Sequence[_Energies]) -> Tuple[int, int]:
    """First and last (exclusive) block of the longest run of loud residuals."""
    usual = sum(block.mixture for block in blocks) / len(blocks)
    start, longest = 0, (0, 0)
    for stop, block in enumerate(blocks, 1):
        if _level(block, max(block.mixture, usual)) <= _LARGEST_STRETCH:
            start = stop
        elif stop - start > longest[1] - longest[0]:
            longest = (start, stop)
    return longest
