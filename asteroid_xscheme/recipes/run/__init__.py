"""Everything around the training steps: the folder of a run, its checkpoints, and the trainer.

The folder records the options and data of its run and refuses any other run. Checkpoints are
written completely or not at all, contain only finite weights, and can be moved with the folder. The
trainer stops at the first step whose loss or gradient is not finite.
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
