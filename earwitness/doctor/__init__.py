"""Whether a machine, or a cluster's release, can run the mesh: one file a group of checks.

A check is a function without arguments that returns a `Finding`. It never raises on purpose; what it raises all the
same becomes a finding. The quick ones take milliseconds and are what `earwitness up` runs first; the others start
programs of their own, because a library that does not load may take its process along.
"""

from earwitness.doctor.finding import Check, Finding, look
from earwitness.doctor.groups import all_checks, quick_checks

__all__ = ["Check", "Finding", "all_checks", "look", "quick_checks"]
