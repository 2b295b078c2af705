"""How long a mesh may take, as those inside and outside of it know."""

START_SECONDS = 180.0
"""Longest time until every process is healthy: importing vLLM and torch on two busy cores takes half a minute."""

STOP_SECONDS = 20.0
"""Longest time the services get to stop before they are killed."""
