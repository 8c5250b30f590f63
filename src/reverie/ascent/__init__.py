"""From an objective to a step: gradients, shaping, step rules, optimizers."""
