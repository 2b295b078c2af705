"""How long a mesh may take and how large it may be, as those inside and outside of it know."""

START_SECONDS = 180.0
"""Longest time until every process is healthy: importing vLLM and torch on two busy cores takes half a minute."""

STOP_SECONDS = 20.0
"""Longest time the services get to stop before they are killed."""

WORKERS = 256
"""Most processes of a kind on one machine: each takes a port, a log and some gigabytes; more is a slip of a finger."""
