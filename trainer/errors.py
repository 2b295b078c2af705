"""What can go wrong in training, typed."""

from __future__ import annotations

from earwitness.errors import EarwitnessError


class TrainingError(EarwitnessError):
    """A phase cannot go on. Every rank of the group raises it together, so the group stays usable."""


class NonFiniteError(TrainingError):
    """A number that enters or leaves an update is NaN or infinite. The update is not taken."""

    def __init__(self, what: str, trajectory: str) -> None:
        self.what = what
        self.trajectory = trajectory
        super().__init__(f"{trajectory}: {what} is not finite; the update is not taken")


class IdentityError(TrainingError):
    """An identity that must hold by construction does not: trainer and rollout are not the same policy."""


class CheckpointError(TrainingError):
    """A checkpoint cannot be written or used."""

    def __init__(self, checkpoint: str, problem: str) -> None:
        self.checkpoint = checkpoint
        self.problem = problem
        super().__init__(f"checkpoint {checkpoint}: {problem}")
