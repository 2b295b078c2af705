"""What a training run needs of its GPUs, before anyone rents them: memory by part, and how fast it may be.

work.py: what a recipe asks of one rank. memory.py: bytes of each part. speed.py: seconds of a step. layouts.py: which
layouts fit, and what would make one fit. All of it is arithmetic; docs/plan.md has the formulas and their sources.
"""
