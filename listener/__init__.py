"""The listener in plain torch: what hears a clip and hands the decoder embeddings. One file a model family.

Trainer and rollout build from it, so that both hear the same. It is whole on every tensor-parallel rank.
"""
