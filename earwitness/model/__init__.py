"""Which models there are: families, their configs, dimensions and weights. What trainer, rollout and plans agree on."""
