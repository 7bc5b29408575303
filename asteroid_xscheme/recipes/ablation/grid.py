"""Make the options of every row and seed of a grid.

The rows of the paper switch the multi-domain loss (MDL), the combination loss (CL) and the bridges
on and off. Other rows keep the losses of the options and open other bridging points.

Reference: R. Sawata, S. Uhlich, S. Takahashi and Y. Mitsufuji, "All for one and one for all:
improving music separation by bridging networks", ICASSP 2021, https://arxiv.org/abs/2010.04228,
table 1.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple, Union

from ..config import Config, ConfigError


@dataclass(frozen=True)
class Row:
    """A row of a grid.

    Attributes:
        name: Name in the table.
        bridge: False for no bridges, True for those of the options, or names of bridging points.
        mdl: Whether to use the multi-domain loss; None keeps the options.
        cl: Whether to use the combination loss; None keeps the options.
    """

    name: str
    bridge: Union[bool, Tuple[str, ...]]
    mdl: Optional[bool] = None
    cl: Optional[bool] = None

    @property
    def folder_name(self) -> str:
        """The name in a form that a folder name may contain."""
        return re.sub(r"[^\w+.]+", "-", self.name)


@dataclass(frozen=True)
class Cell:
    """A row with one seed: a training and its evaluation, in its own folder."""

    row: Row
    seed: int
    config: Config
    folder: Path

    @property
    def name(self) -> str:
        """The name in messages."""
        return f"{self.row.name}, seed {self.seed}"


PAPER_ROWS = (
    Row("none", bridge=False, mdl=False, cl=False),
    Row("MDL", bridge=False, mdl=True, cl=False),
    Row("CL", bridge=False, mdl=False, cl=True),
    Row("bridge", bridge=True, mdl=False, cl=False),
    Row("MDL+CL", bridge=False, mdl=True, cl=True),
    Row("MDL+bridge", bridge=True, mdl=True, cl=False),
    Row("CL+bridge", bridge=True, mdl=False, cl=True),
    Row("all", bridge=True, mdl=True, cl=True),
)


def paper_rows(names: Sequence[str] = ()) -> List[Row]:
    """The named rows of the paper's grid, in its order; all rows without names.

    Raises:
        ConfigError: If there is no row of that name.
    """
    known = [row.name for row in PAPER_ROWS]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"--rows: there is no row {unknown[0]!r}; known are {', '.join(known)}.")
    return [row for row in PAPER_ROWS if not names or row.name in names]


def point_rows(config: Config, points: Sequence[str] = ()) -> List[Row]:
    """Rows that compare bridging points: none of them, each alone, and all together.

    Args:
        config: Options of the model.
        points: The points to compare; if empty, those that `bridge: true` opens.

    Raises:
        ConfigError: If the model lacks one of the points, or has none.
    """
    chosen = _open_points(config, list(points) or True)
    rows = [Row("no bridge", bridge=False)]
    rows += [Row(f"bridge {point}", bridge=(point,)) for point in chosen]
    if len(chosen) > 1:
        rows.append(Row(f"bridge {' + '.join(chosen)}", bridge=chosen))
    return rows


def distinct(config: Config, rows: Sequence[Row]) -> List[Row]:
    """The rows without those that train the same as an earlier row under another name."""
    kept: Dict[Tuple[object, ...], Row] = {}
    for row in rows:
        kept.setdefault(_settings(config, row), row)
    return list(kept.values())


def effect_pairs(rows: Sequence[Row]) -> Dict[str, List[Tuple[str, str]]]:
    """Pairs of rows that differ only in the bridges, only in MDL or only in CL.

    Args:
        rows: Rows of the paper's grid. Other rows, which keep a loss of the options or open single
            points, are in no pair.

    Returns:
        By "bridge", "MDL" or "CL": names of the rows without and with it. The whole grid has four
        pairs of each.
    """
    by_switches = {
        (row.bridge, row.mdl, row.cl): row.name
        for row in rows
        if isinstance(row.bridge, bool) and None not in (row.mdl, row.cl)
    }
    pairs: Dict[str, List[Tuple[str, str]]] = {}
    for place, thing in enumerate(("bridge", "MDL", "CL")):
        for switches, name in by_switches.items():
            switched_on = (*switches[:place], True, *switches[place + 1 :])
            if not switches[place] and switched_on in by_switches:
                pairs.setdefault(thing, []).append((name, by_switches[switched_on]))
    return pairs


def cells_of(config: Config, rows: Sequence[Row], seeds: Sequence[int], folder: Path) -> List[Cell]:
    """All cells of a grid, seed by seed, so that a stopped grid is complete for some seeds.

    Raises:
        ConfigError: If there are no rows or seeds, a seed is given twice, or the model has no
            bridging points.
    """
    if not rows or not seeds or len(set(seeds)) != len(seeds):
        raise ConfigError(
            f"A grid needs at least one row, and one or more seeds, each once; got {list(seeds)}."
        )
    if any(row.bridge is True for row in rows):
        _open_points(config, config.model.bridge or True)
    return [
        Cell(row, seed, configure(config, row, seed), folder / f"{row.folder_name}_seed{seed}")
        for seed in seeds
        for row in rows
    ]


def configure(config: Config, row: Row, seed: int) -> Config:
    """The options of one cell.

    With MDL the loss is `MultiDomainLoss`, which has both domains. Without MDL the loss is in the
    model's own domain. For spectrogram models that is the loss of magnitudes, unless the options
    say `loss: WaveformL1Loss`. For waveform models it is always `WaveformL1Loss`, because a loss of
    magnitudes would leave their phases undetermined.

    Args:
        config: The options that all cells share.
        row: The row of the cell.
        seed: Seed for the weights, the data order and the augmentations.
    """
    groups = config.to_dict()
    groups["data"]["seed"] = seed
    groups["training"]["resume"] = "auto"
    groups["evaluation"]["baselines"] = False  # scored once for the grid
    groups["loss"].update(_loss_switches(config, row))
    model = groups["model"]
    if row.bridge is True:
        model["bridge"] = model["bridge"] or True
    else:
        model["bridge"] = list(row.bridge) if row.bridge else False
    return Config.from_dict(groups)


def _loss_switches(config: Config, row: Row) -> Dict[str, object]:
    """The options of the loss that a row sets."""
    switches: Dict[str, object] = {}
    if row.cl is not None:
        switches["loss_combine_sources"] = row.cl
    if row.mdl is not None:
        switches["loss_use_multidomain"] = row.mdl
        if row.mdl:
            switches["loss"] = "MultiDomainLoss"
        elif config.model.model_class(config.architecture).domain == "waveform":
            switches["loss"] = "WaveformL1Loss"
    return switches


def _settings(config: Config, row: Row) -> Tuple[object, ...]:
    """The open points and the loss options of a row, to compare rows of different names."""
    chosen = configure(config, row, seed=0)
    points = _open_points(chosen, chosen.model.bridge) if chosen.model.bridge else ()
    return (points, *chosen.to_dict()["loss"].values())


def _open_points(config: Config, bridge: Union[bool, List[str]]) -> Tuple[str, ...]:
    """The points that `bridge` opens in the model of the options; builds the model to find out."""
    args = config.model.model_args(config.data.sample_rate)
    try:
        model = config.model.model_class(config.architecture)(
            sources=config.data.sources,
            sample_rate=config.data.sample_rate,
            **{**args, "bridge": bridge},
        )
    except ValueError as error:
        raise ConfigError(f"--points: {error}") from error
    if not model.bridges.open:
        raise ConfigError(
            "This model has no bridging points to compare: leave out the rows with bridges, or use "
            "one network per source (joint: false)."
        )
    return model.bridges.open
