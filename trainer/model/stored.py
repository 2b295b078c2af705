"""What a Hugging Face directory's weights are, against what its config asks for: read from headers, without a model."""

from __future__ import annotations

from pathlib import Path

from earwitness.errors import InputError
from earwitness.families.architecture import Architecture
from earwitness.families.family import Family
from trainer.model.weight_files import DTYPES, Directory, Stored

VALUE_HEAD = ("value_head.weight", "value_head.bias")
"""A critic's own tensors, named in the manner of Hugging Face."""


class WeightsError(InputError):
    """A directory's weights do not fit its config, with everything that is wrong."""

    def __init__(self, path: str, problems: dict[str, list[str]]) -> None:
        """`problems`: names or files under what is wrong with them."""
        self.problems = {label: names for label, names in problems.items() if names}
        parts = [f"{label}: {', '.join(names)}" for label, names in self.problems.items()]
        super().__init__(path, "; ".join(parts), "exactly the weights that config.json describes")


def check_weights(
    architecture: Architecture, model_dir: Path, *, value_head: bool = False
) -> dict[str, tuple[Path, Stored]]:
    """Where each tensor stands, by its published name. Raises WeightsError with all that is wrong."""
    family = architecture.family
    expected = full_shapes(architecture, value_head=value_head)
    directory = Directory.read(model_dir)
    where: dict[str, tuple[Path, Stored]] = {}
    twice: list[str] = []
    for file in directory.files:
        for name, stored in file.tensors.items():
            if family.names.passes(name):
                continue
            published = published_name(family, name)
            if published in where:
                twice.append(published)
            where[published] = (file.path, stored)
    unreadable = {published_name(family, name) for name in directory.unreadable}
    # a critic has no lm_head, but may start from a directory that has
    heads = full_shapes(architecture, value_head=False).keys() - expected.keys()
    optional = {*VALUE_HEAD, *heads} if value_head else set()
    problems = {
        "damaged": directory.damaged,
        "missing": sorted(expected.keys() - where.keys() - optional - unreadable) if directory.files else [],
        "unexpected": sorted(where.keys() - expected.keys() - optional),
        "twice": sorted(set(twice)),
        "wrong shape": [
            f"{name} {list(where[name][1].shape)} instead of {list(shape)}"
            for name, shape in expected.items()
            if name in where and where[name][1].shape != shape
        ],
        "wrong type": [
            f"{name} {where[name][1].dtype} instead of {', '.join(DTYPES)}"
            for name in expected
            if name in where and where[name][1].dtype not in DTYPES
        ],
    }
    if any(problems.values()):
        raise WeightsError(str(model_dir), problems)
    return where


def full_shapes(architecture: Architecture, *, value_head: bool) -> dict[str, tuple[int, ...]]:
    """Shape, by its name in the family's checkpoints, of every tensor of the whole model.

    A critic has a value head in the place of lm_head.
    """
    shapes = architecture.weight_shapes()
    if value_head:
        shapes.pop("lm_head.weight", None)
        shapes.update(zip(VALUE_HEAD, ((1, architecture.decoder.hidden_size), (1,)), strict=True))
    return {architecture.family.names.published(name): shape for name, shape in shapes.items()}


def published_name(family: Family, stored: str) -> str:
    """The published name of a tensor that a file calls `stored`."""
    return family.names.published(family.names.ours(stored))
