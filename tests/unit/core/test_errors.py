"""Errors say where, what and what would be right, and survive the trip between processes."""

import copy
import pickle

import pytest

from earwitness.audio import AudioError
from earwitness.errors import (
    DocumentError,
    EarwitnessError,
    InfrastructureError,
    InputError,
    Problem,
    child_path,
    shown,
)
from earwitness.manifest import ManifestError
from earwitness.recipe.load import RecipeError
from earwitness.storage import StorageError

PROBLEMS = [Problem("a", "is wrong", "right"), Problem("b", "too", "less")]


def test_an_input_error_names_its_field() -> None:
    error = InputError("stages[0].steps", "0 is out of range", "at least 1")
    assert str(error) == "stages[0].steps: 0 is out of range; expected at least 1"


def test_an_infrastructure_error_says_what_was_waited_for() -> None:
    assert str(InfrastructureError("redis", 5.0, "refused")) == "waited 5.0 s for redis: refused"


@pytest.mark.parametrize("kind", [RecipeError, ManifestError])
def test_a_document_error_lists_every_problem(kind: type[DocumentError]) -> None:
    error = kind(PROBLEMS)
    assert str(error) == "a: is wrong; expected right\nb: too; expected less"
    assert (error.field, error.problem, error.expected) == ("a", "is wrong", "right")


@pytest.mark.parametrize(
    "error",
    [
        InputError("a", "b", "c"),
        AudioError("a", "b", "c"),
        StorageError("a", "b", "c"),
        InfrastructureError("a", 1.0, "b"),
        RecipeError(PROBLEMS),
    ],
)
def test_errors_survive_copying_and_pickling(error: EarwitnessError) -> None:
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301 (our own bytes: process pools do it)
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)


def test_a_shown_value_is_one_short_line() -> None:
    assert shown("a\nb") == r"'a\nb'"
    assert len(shown("x" * 10_000)) == 123


@pytest.mark.parametrize(("key", "path"), [("steps", "a.steps"), ("a b", "a['a b']"), ("\x1b[31m", r"a['\x1b[31m']")])
def test_odd_keys_are_quoted_in_paths(key: str, path: str) -> None:
    assert child_path("a", key) == path
