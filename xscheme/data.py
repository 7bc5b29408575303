"""`xscheme data prepare` and `xscheme data verify`: folders of songs made and checked."""

from pathlib import Path
from typing import List, Optional, Sequence

from asteroid_xscheme.recipes.config import SOURCES, ConfigError, DataConfig
from asteroid_xscheme.recipes.data import prepare, verify
from asteroid_xscheme.recipes.data.musdb import SUBSETS
from asteroid_xscheme.recipes.data.ownership import prepared_dataset
from asteroid_xscheme.recipes.data.tracks import source_files, track_folders


def prepare_data(
    dataset: str,
    root: str,
    source_dir: Optional[str] = None,
    sample_rate: int = 44100,
    jobs: Optional[int] = None,
    progress: bool = True,
) -> str:
    """Prepare a data set and say what is there; the arguments are those of `data.prepare`."""
    _check_jobs(jobs)
    config = DataConfig(dataset=dataset, source_dir=source_dir or None, sample_rate=sample_rate)
    return summarize(prepare(config, root, jobs=jobs, progress=progress))


def verify_data(
    root: str,
    sources: Sequence[str] = (),
    sample_rate: int = 44100,
    seq_dur: float = 0.0,
    jobs: int = 2,
    progress: bool = True,
) -> List[str]:
    """Problems of a prepared folder; without `sources` those of MUSDB18 or of one's own tracks."""
    _check_jobs(jobs)
    wanted = list(sources) or _default_sources(Path(root).expanduser())
    return verify(root, wanted, sample_rate, seq_dur=seq_dur, jobs=jobs, progress=progress)


def summarize(root: Path) -> str:
    """Numbers of tracks and names of sources of a prepared folder, in a line each."""
    lines = [f"Prepared {root}"]
    for subset in SUBSETS:
        if (root / subset).is_dir():
            folders = track_folders(root, subset)
            names = ", ".join(_names(folders))
            lines.append(f"  {subset}: {len(folders)} tracks with the sources {names}")
    return "\n".join(lines)


def _check_jobs(jobs: Optional[int]) -> None:
    if jobs is not None and jobs < 1:
        raise ConfigError(f"--jobs wants 1 or more, got {jobs}.")


def _default_sources(root: Path) -> List[str]:
    if prepared_dataset(root) != "folder":
        return SOURCES
    return _names(
        [folder for s in SUBSETS if (root / s).is_dir() for folder in track_folders(root, s)]
    )


def _names(folders: Sequence[Path]) -> List[str]:
    return sorted({name for folder in folders for name in source_files(folder)})
