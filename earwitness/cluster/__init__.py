"""A mesh that the Helm chart installed, seen through the Kubernetes API: found, reached, scaled, read.

Needs the package `kubernetes` (extra `cluster`), which is imported when a cluster is asked for and not before.
"""

from earwitness.cluster.api import Api, Forbidden
from earwitness.cluster.forward import Forward
from earwitness.cluster.logs import log_lines
from earwitness.cluster.parts import explained, parts_of
from earwitness.cluster.pods import pods_of
from earwitness.cluster.release import Release, find_release
from earwitness.cluster.scale import scale

__all__ = [
    "Api",
    "Forbidden",
    "Forward",
    "Release",
    "explained",
    "find_release",
    "log_lines",
    "parts_of",
    "pods_of",
    "scale",
]
