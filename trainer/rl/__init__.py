"""Reinforcement learning: groups from the queue, advantages, losses, and the loop."""
