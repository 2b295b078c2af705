"""The order of a curriculum: which examples meet in which of its updates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from earwitness.errors import InputError
from earwitness.recipe.schema import Curriculum


class Lessons:
    """Draws for the updates of a curriculum. Update `step` depends on the seed and the step only."""

    def __init__(self, config: Curriculum, kinds: Sequence[str], batch_size: int, seed: int) -> None:
        """`kinds` is the kind of each example. Raises InputError if a kind of the curriculum has no example."""
        self._config = config
        self._batch_size = batch_size
        self._seed = seed
        self._of_kind = [np.flatnonzero([k == kind for k in kinds]) for kind in config.kinds]
        for kind, found in zip(config.kinds, self._of_kind, strict=True):
            if not found.size:
                problem = f"no example is of the kind {kind!r}"
                raise InputError("tune.curriculum.kinds", problem, "kinds of the manifest")

    @property
    def steps(self) -> int:
        """Updates of the curriculum: once the last kind has had its turn, it is over."""
        return len(self._config.kinds) * self._config.steps_each

    def batch(self, step: int) -> list[int]:
        """Indices of the examples of update `step`, from 1."""
        random = np.random.default_rng([self._seed, step])
        newest = (step - 1) // self._config.steps_each
        joined = np.concatenate(self._of_kind[: newest + 1])
        sources = random.random(self._batch_size) < self._config.newest_share
        return [int(random.choice(self._of_kind[newest] if new else joined)) for new in sources]
