"""Speed and memory of our parts beside those of their peers; run one with `python -m`."""
