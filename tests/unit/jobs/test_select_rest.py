"""Selection in two goes takes the prompts that it takes in one, and samples what could change that alone."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from earwitness.errors import InputError
from earwitness.recipe.load import load_recipe
from earwitness.recipe.stages import RlStage
from earwitness.recipe.stages.rl import REST
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

WINDOWS = [(3, 6, 8, 6), (3, 6, 8, 7), (0, 1, 8, 2), (0, 1, 8, 7), (2, 6, 8, 7), (8, 8, 8, 1), (2, 3, 4, 3)]
"""Fewest and most right, of how many samples, and how many of them come first."""


def stage_of(least: int, most: int, samples: int, first: int | None, **more: Any) -> RlStage:
    select = {"min_correct": least, "max_correct": most, "samples": samples, "first": first, **more}
    fields = {"steps": 1, "groups_per_step": 1, "optimizer": {"learning_rate": 1e-3}, "select": select}
    return RlStage.model_validate(fields)


class Job:
    """A job as far as selection touches it. Of each prompt its samples are given, the next ones come next."""

    index, earlier = 0, ()

    def __init__(self, folder: Path, samples: Sequence[Sequence[bool]], lost: int | None = None) -> None:
        self.folder, self.samples, self.lost = folder, samples, lost
        self.stage: RlStage
        self.phase = ""
        self.taken = [0] * len(samples)

    def path(self, *parts: str) -> str:
        return str(self.folder.joinpath(*parts))

    def place(self, ordinal: int) -> int:
        return self.order[ordinal]

    async def sample(self, places: Sequence[int] | None = None) -> list[wire.Group]:
        asked = list(range(len(self.samples)) if places is None else places)
        assert asked == sorted(asked)  # manifests stand one behind the other
        of = self.stage.asks(self.phase, [wire.Prompt(id=f"p{place}") for place in asked])
        # The order of the first go is one of its own; the second asks each prompt once, whatever manifests weigh.
        self.order = [*range(len(asked))][:: -1 if of.shuffled else 1]
        assert of.count == len(asked) and of.shuffled is (places is None)
        groups = []
        for ordinal, at in enumerate(self.order):
            place = asked[at]
            begun = self.taken[place]
            self.taken[place] += of.sampling.samples
            group = wire.Group(task=wire.GroupTask(ordinal=ordinal, prompt=of.prompts[at]))
            for right in self.samples[place][begun : self.taken[place]]:
                group.trajectories.add().reward.correct = right
            if not (place == self.lost and places is not None):
                groups.append(group)
        return groups

    async def tell(self, kind: str, message: str, metrics: Any = None) -> None:
        pass

    def goes_through(self, stage: RlStage) -> dict[str, Any]:
        """What selection writes."""
        self.stage = stage
        for self.phase in stage.phases()[:-1]:
            asyncio.run(stage.run(self.phase, self))
        return json.loads(self.folder.joinpath("select/0.json").read_text())


@pytest.mark.parametrize("window", WINDOWS)
def test_what_is_selected_is_the_same_for_the_same_samples(window: tuple[int, ...], tmp_path: Path) -> None:
    least, most, samples, first = window
    drawn = random.Random(f"{window}")
    rows = [[drawn.random() < share for _ in range(samples)] for share in (0, 0.1, 0.3, 0.5, 0.7, 0.9, 1) * 20]
    whole = Job(tmp_path / "whole", rows).goes_through(stage_of(least, most, samples, None))
    job, stage = Job(tmp_path / "parted", rows), stage_of(least, most, samples, first)
    parted = job.goes_through(stage)
    figures = stage.figures(0, lambda file: json.loads(tmp_path.joinpath("parted", file).read_text()))
    assert 0 < len(whole["selected"]) < len(rows)
    assert (parted["selected"], parted["places"]) == (whole["selected"], whole["places"])
    out = [sum(row[:first]) > most or sum(row[:first]) + samples - first < least for row in rows]
    assert job.taken == [first if far else samples for far in out]
    assert parted["saved"] == len(rows) * samples - sum(job.taken) == figures["samples saved"]
    assert (parted["correct"], whole["saved"]) == (
        {f"p{at}": sum(rows[at][: job.taken[at]]) for at in reversed(range(len(rows)))}, 0,
    )  # fmt: skip


def test_a_group_that_is_dropped_in_the_second_go_is_not_counted_as_if_dropped_in_one(tmp_path: Path) -> None:
    rows = [[True] * 4 + [False] * 4, [True] * 8, [False] * 3 + [True] * 5]
    found = Job(tmp_path, rows, lost=2).goes_through(stage_of(3, 6, 8, 7))
    assert found["selected"] == ["p0"] and found["correct"] == {"p1": 7, "p0": 4} and found["saved"] == 1


def test_where_nothing_is_left_to_sample_nothing_is(tmp_path: Path) -> None:
    found = Job(tmp_path, [[True] * 8] * 3).goes_through(stage_of(3, 6, 8, 7))
    assert found["selected"] == [] and found["saved"] == 3


@pytest.mark.parametrize(
    ("window", "problem"),
    [
        ((3, 6, 8, 5), "expected 6 to 7"),
        ((3, 6, 8, 8), "expected 6 to 7"),
        ((0, 8, 8, 4), "expected none: the window is never out of reach"),
        ((3, 6, 8, 6, True), "nothing is sampled with from_mgrd"),
    ],
)
def test_a_first_go_after_which_nothing_can_be_saved_is_refused(window: tuple[int, ...], problem: str) -> None:
    least, most, samples, first, *by_mgrd = window
    select = {"min_correct": least, "max_correct": most, "samples": samples, "first": first, "from_mgrd": bool(by_mgrd)}
    rl = {"type": "rl", "steps": 1, "optimizer": {"learning_rate": 1e-3}, "select": select}
    recipe = {"name": "n", "output": "/o", "model": {"toy": {}}, "data": {"train": "/t"}, "stages": [rl]}
    with pytest.raises(InputError, match=problem):
        load_recipe(json.dumps(recipe))


def test_phases_stand_as_before_without_it() -> None:
    assert stage_of(3, 6, 8, None).phases() == ["select", "train"]
    assert stage_of(3, 6, 8, 6).phases() == ["select", REST, "train"]
