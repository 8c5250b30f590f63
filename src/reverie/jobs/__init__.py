"""A dream from its source to its finished picture: sources, memory, checkpoints, replay."""
