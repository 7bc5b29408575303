"""Stage 1 of run.sh: train the model of local/conf.yml. `--resume auto` continues a stopped run."""

from asteroid_xscheme.recipes.stages import run_stage
from asteroid_xscheme.recipes.training import train

if __name__ == "__main__":
    run_stage(__doc__, train)
