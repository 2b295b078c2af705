"""Why a job ends before it should."""

from __future__ import annotations

from earwitness.errors import EarwitnessError


class JobFailed(EarwitnessError):
    """The job cannot go on; the message is the reason a person reads."""
