"""A run's options -> the options of every row and seed of a grid.

The rows of the paper switch three things on and off: the multi-domain loss (MDL), the combination
loss (CL) and the bridges. Other rows leave the losses as they are and open other bridging points.

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
        name: What the table calls it.
        bridge: False for no bridge, True for those of the options, or names of bridging points.
        mdl: Whether the waveforms' loss is added; None as the options say.
        cl: Whether sums of sources are compared too; None as the options say.
    """

    name: str
    bridge: Union[bool, Tuple[str, ...]]
    mdl: Optional[bool] = None
    cl: Optional[bool] = None

    @property
    def folder_name(self) -> str:
        """The name as part of a folder's name."""
        return re.sub(r"[^\w+.]+", "-", self.name)


@dataclass(frozen=True)
class Cell:
    """A row with one seed: a training and its evaluation, in a folder of its own."""

    row: Row
    seed: int
    config: Config
    folder: Path

    @property
    def name(self) -> str:
        """What messages call it."""
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
    """Rows of the paper's grid in its order; all of them where none is named.

    Raises:
        ConfigError: If there is no row of a name.
    """
    known = [row.name for row in PAPER_ROWS]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"There is no row {unknown[0]!r}; the rows are {', '.join(known)}.")
    return [row for row in PAPER_ROWS if not names or row.name in names]


def point_rows(config: Config, points: Sequence[str] = ()) -> List[Row]:
    """Rows that compare bridging points: none, each alone, all of them.

    Args:
        config: Options of the model.
        points: The points to compare; by default those that `bridge: true` opens.

    Raises:
        ConfigError: If the model has no such point.
    """
    chosen = _open_points(config, list(points) or True)
    rows = [Row("no bridge", bridge=False)]
    rows += [Row(f"bridge {point}", bridge=(point,)) for point in chosen]
    if len(chosen) > 1:
        rows.append(Row(f"bridge {' + '.join(chosen)}", bridge=chosen))
    return rows


def distinct(config: Config, rows: Sequence[Row]) -> List[Row]:
    """Rows without those that train what an earlier row trains under another name."""
    kept: Dict[Tuple[object, ...], Row] = {}
    for row in rows:
        kept.setdefault(_settings(config, row), row)
    return list(kept.values())


def effect_pairs(rows: Sequence[Row]) -> Dict[str, List[Tuple[str, str]]]:
    """Pairs of rows that differ in one thing only, by that thing: bridge, MDL or CL.

    Args:
        rows: Those of the paper's grid, or some of them. Others, that leave a loss as the options
            have it or open single points, make no pairs.

    Returns:
        Names of the rows without and with it; four pairs of each thing in the whole grid.
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
    """All cells of a grid, seed by seed, so that a stopped grid has whole tables of some seeds.

    Raises:
        ConfigError: If rows or seeds are missing or twice there, or the model has no bridges.
    """
    if not rows or not seeds or len(set(seeds)) != len(seeds):
        raise ConfigError(
            f"Expected one or more rows, and different seeds; got the seeds {list(seeds)}."
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

    Rows with MDL take `MultiDomainLoss`, which has both domains. Without it a model has the loss of
    its own domain: one of spectrograms that of magnitudes, unless the options say
    `loss: WaveformL1Loss`; one of waveforms always that, for magnitudes leave its phases free.

    Args:
        config: The options that all cells share.
        row: What this one switches.
        seed: Of the weights, the data order and the augmentations.
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
    """What a row's network and loss are, in the same words whoever names them."""
    chosen = configure(config, row, seed=0)
    points = _open_points(chosen, chosen.model.bridge) if chosen.model.bridge else ()
    return (points, *chosen.to_dict()["loss"].values())


def _open_points(config: Config, bridge: Union[bool, List[str]]) -> Tuple[str, ...]:
    """The points that `bridge` opens in the model of the options, asked of the model itself."""
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
            "This model has no bridging points, so there is nothing to compare: leave out the "
            "rows with bridges, or use one network per source (joint: false)."
        )
    return model.bridges.open
