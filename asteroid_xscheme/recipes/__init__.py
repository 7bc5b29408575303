"""The recipe kit: what the `run.sh` of a recipe calls, from a data set to a report."""
