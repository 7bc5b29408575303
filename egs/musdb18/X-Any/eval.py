"""Stage 2 of run.sh: separate and score the test tracks with the run's best model."""

from asteroid_xscheme.recipes.stages import evaluate_run, run_stage

if __name__ == "__main__":
    run_stage(__doc__, evaluate_run)
