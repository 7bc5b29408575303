"""Stage 2 of run.sh: separate and score the test tracks with the run's best model."""

from asteroid_xscheme.recipe import evaluate_run, read_options

if __name__ == "__main__":
    config, exp_dir = read_options(__doc__)
    evaluate_run(config, exp_dir)
