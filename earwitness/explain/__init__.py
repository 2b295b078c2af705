"""Why a job is slow, and why it does not learn: rules over the figures of its steps."""

from earwitness.explain.explain import ExplainedPhase, explain
from earwitness.explain.speed import Speed

__all__ = ["ExplainedPhase", "Speed", "explain"]
