"""Stage 1 of run.sh: train the model of local/conf.yml. `--resume auto` continues a stopped run."""

from asteroid_xscheme.recipe import read_options
from asteroid_xscheme.training import train

if __name__ == "__main__":
    config, exp_dir = read_options(__doc__)
    train(config, exp_dir)
