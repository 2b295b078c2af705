"""A recipe and its data, looked at before anything is spent on them. Runs in a process that can be killed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from earwitness.manifest import Example
from earwitness.manifest_index import Offsets, Referee, index_manifest
from earwitness.recipe.recipe import Recipe
from earwitness.recipe.stages import Stage

LOOKED_AT = 20_000
"""Examples of each manifest that are checked before a job is accepted, in about a second; the rest is checked when
the job prepares its data."""


def check_data(
    recipe: Recipe,
    manifests: Mapping[str, str],
    told: Callable[[str, int], None] = lambda name, lines: None,
    limit: int | None = None,
    referee: Referee = lambda prompt: None,
) -> dict[str, Offsets]:
    """Every manifest of `manifests` (URI by name) that a stage uses, checked line by line; where its lines begin.

    Raises ManifestError and others of InputError.
    """
    found = {}
    for name in sorted({name for stage in recipe.stages for name in stage.manifests} & manifests.keys()):
        stages = [stage for stage in recipe.stages if name in stage.manifests]
        check = partial(_check, stages)
        found[name] = index_manifest(manifests[name], check, partial(told, name), limit=limit, referee=referee)
    return found


def _check(stages: Sequence[Stage], example: Example) -> None:
    for stage in stages:
        stage.check(example)
