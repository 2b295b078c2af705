"""Which models there are: one file a family, and what all families share. What trainer, rollout and plans agree on.

What a family is made of in torch stands in `listener`, one file a family too.
"""
