"""Why a job is slow, and why it does not learn: rules over the figures of its steps."""

from earwitness.explain.explain import Explained, ExplainedPhase, explain
from earwitness.explain.learning import RULES, Finding
from earwitness.explain.speed import Speed

__all__ = ["RULES", "Explained", "ExplainedPhase", "Finding", "Speed", "explain"]
