"""How many groups may be issued now: a pure function, so that the bound on staleness is a fact and not a race.

A group issued while `version` updates are published is consumed by update `(accepted before it) // groups_per_step` at
the latest. Issuing no more than `(max_staleness + version + 1) * groups_per_step` groups in all therefore keeps the
version that starts a group within `max_staleness` of the version it trains. (After AReaL's staleness control.)
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
