"""The recipe kit: everything that a recipe's `run.sh` calls, from a data set to a report."""
