"""What the jobs service remembers about a job. Only the runner changes a record once the job has been taken."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

import yaml

from earwitness import storage
from earwitness.jobs.states import State
from earwitness.recipe.recipe import Recipe
from earwitness.wire.jobs.v1 import jobs_pb2


@dataclass(frozen=True)
class JobRecord:
    """One job. Times are seconds since the Unix epoch, 0 before they are known."""

    job_id: str
    request_id: str
    name: str
    output_uri: str
    """The job's own folder."""
    stages: int
    submitted_at: float
    state: State = State.QUEUED
    reason: str = ""
    cursor: int = 0
    """Index of the current phase in `phases_of(recipe)`."""
    stage_index: int = 0
    stage_type: str = ""
    phase: str = ""
    step: int = 0
    steps: int = 0
    seconds_left: float = -1.0
    started_at: float = 0.0
    ended_at: float = 0.0
    phase_started_at: float = 0.0
    paused_at: float = 0.0
    paused_seconds: float = 0.0
    """Seconds the current phase was paused."""
    model_uri: str = ""
    checkpoint_uri: str = ""
    """Checkpoint of the policy as it is; empty: the weights in `model_uri`."""
    version: int = 0
    """Weight version of the policy as it is."""
    published: int = 0
    """Newest weight version that the workers were given."""
    lineage: int = 0
    after_step: int = 0
    """Trainer figures up to this step of the current phase are in the events."""
    manifests: dict[str, str] = field(default_factory=dict)
    """Manifest URI by name, probe data included."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Seconds of ended phases by part, pauses not counted."""
    trouble: list[str] = field(default_factory=list)
    """Rules of `explain` that hold in the current phase."""
    ledgers: dict[str, dict[str, int]] = field(default_factory=dict)
    """By run of an ended phase: how many ordinals were used, and dropped by reason."""

    def to_json(self) -> str:
        """The record as text."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> JobRecord:
        """The record of `to_json`."""
        fields: dict[str, Any] = json.loads(text)
        return cls(**{**fields, "state": State(fields["state"])})

    def wire(self) -> jobs_pb2.Job:
        """The record as callers see it: those of its fields that the wire has."""
        told = {name: getattr(self, name) for name in jobs_pb2.Job.DESCRIPTOR.fields_by_name}
        return jobs_pb2.Job(**{**told, "state": self.state.wire})

    def path(self, *parts: str) -> str:
        """URI of an artifact in the job's folder."""
        return storage.join(self.output_uri, "/".join(parts))


def effective_recipe(record: JobRecord, recipe: Recipe) -> Recipe:
    """The recipe as the other services get it: the job's own folder, and every manifest by its URI.

    Probe data that has been written is a manifest like any other.
    """
    changes = {"output": record.output_uri, "data": {**recipe.data, **record.manifests}}
    return recipe.model_copy(update=changes | ({"probe": None} if record.manifests else {}))


def recipe_yaml(recipe: Recipe) -> bytes:
    """A recipe as YAML text."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True).encode()
