"""The training system: its validation mean, its schedule, its random numbers."""

import pytest
import torch
from torch.optim.lr_scheduler import MultiStepLR, ReduceLROnPlateau

from asteroid_xscheme.recipes.config import OptimConfig
from asteroid_xscheme.recipes.system import WeightedMean, make_schedule, step_seed


def test_mean_is_weighted_by_the_length_of_steps():
    mean = WeightedMean()
    mean.add({"val_loss": torch.tensor(1.0)}, 30)
    mean.add({"val_loss": torch.tensor(4.0)}, 10)
    assert mean.reduce() == {"val_loss": pytest.approx(1.75)}


def test_value_missing_in_some_steps_counts_as_zero():
    mean = WeightedMean()
    mean.add({"a": torch.tensor(1.0), "b": torch.tensor(1.0)}, 1)
    mean.add({"a": torch.tensor(3.0)}, 1)
    assert mean.reduce() == {"a": 2.0, "b": 0.5}


@pytest.mark.parametrize(
    "scheduler, kind",
    [("plateau", ReduceLROnPlateau), ("steps", MultiStepLR), ("constant", type(None))],
)
def test_schedule_has_the_requested_kind(scheduler, kind):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    assert type(make_schedule(optimizer, OptimConfig(scheduler=scheduler))) is kind


def test_plateau_lowers_the_rate_after_its_patience():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make_schedule(optimizer, OptimConfig(lr_decay_patience=1, lr_decay_gamma=0.3))
    for loss in (1.0, 1.0, 1.0):
        schedule.step(loss)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.3)


def test_seeds_of_steps_and_processes_are_distinct():
    seeds = {step_seed(42, e, b, r) for e in range(5) for b in range(20) for r in range(4)}
    assert len(seeds) == 5 * 20 * 4
    assert step_seed(42, 1, 2, 3) == step_seed(42, 1, 2, 3) != step_seed(43, 1, 2, 3)
