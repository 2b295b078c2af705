"""Public benchmarks of audio models: the score their own programs give, and a strict one."""

from reward.benchmarks.figures import Figures, score_file
from reward.benchmarks.registry import BENCHMARKS

__all__ = ["BENCHMARKS", "Figures", "score_file"]
