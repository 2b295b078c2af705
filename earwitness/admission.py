"""How many groups may be issued now, as a pure function. (After AReaL's staleness control.)

While `version` updates are published, no more than `(max_staleness + version + 1) * groups_per_step` groups may be
accepted or running. With `max_staleness` 0 this is exactly on-policy, in whatever order groups finish: those admitted
at a version are those its update consumes. Above 0, groups consumed in the order of their issue are at most
`max_staleness` versions old; one that others overtake again and again can be older: its consumer, which alone sees
that, drops it.
"""

from __future__ import annotations


def admit(max_running: int, running: int, max_staleness: int, version: int, groups_per_step: int, accepted: int) -> int:
    """Number of groups to issue, at least 0.

    `running`: groups without a known result; `accepted`: groups consumed or ready to be, those before a resume
    included (`Counts.running` and `Counts.accepted`). `version`: updates published *in this pass*, that is the newest
    weight version minus the one the pass began with. Dropped groups count nowhere: each is replaced.
    """
    free = max_running - running
    within_staleness = (max_staleness + version + 1) * groups_per_step - (accepted + running)
    return max(0, min(free, within_staleness))
