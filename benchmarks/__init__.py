"""Ours against the limit of the machine and against the peers; ``make bench``."""
