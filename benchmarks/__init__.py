"""Speed and memory of this package compared with its peers; run one with `python -m`."""
