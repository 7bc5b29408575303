"""What surrounds the steps of a training: the run's folder, its checkpoints, Lightning's trainer.

The folder knows what the run is made of and refuses another run; the checkpoints are whole, finite
and movable; the trainer stops at the first step whose loss is not a number.
"""

from .errors import TrainingError
from .fine_tuning import PretrainedWeights
from .folder import RunFolder, pretrained_record, refuse_changes, run_record
from .trainer import build_trainer

__all__ = [
    "PretrainedWeights",
    "RunFolder",
    "TrainingError",
    "build_trainer",
    "pretrained_record",
    "refuse_changes",
    "run_record",
]
