"""The process in which the jobs service reads what people send: the core's, where references meet their verifiers."""

from __future__ import annotations

from earwitness.jobs.apart_process import main
from reward.reference import reference_problem

if __name__ == "__main__":
    main(reference_problem)
