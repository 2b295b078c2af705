"""The model that a job starts from: the directory that its recipe names, or a toy that is made for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from earwitness.chat import render_prompt, render_response
from earwitness.errors import InputError
from earwitness.families.toy import TOKENS
from earwitness.manifest import Example
from earwitness.manifest_index import indexed
from earwitness.recipe.recipe import Recipe
from earwitness.storage import local_path
from trainer.checkpoint import weights_of
from trainer.model.toy import make_toy


def prepared(recipe: Recipe) -> Path:
    """The folder of the weights and config; a toy is made under the job's output unless it is there."""
    if recipe.model.path is not None:
        return weights_of(recipe.model.path)
    assert recipe.model.toy is not None, "the schema asks for exactly one of the two"
    folder = local_path(recipe.output) / "model"
    if not (folder / "config.json").is_file():
        make_toy(str(folder), recipe.model.toy, map(_text, _traces(recipe)), recipe.seed)
    return folder


def _traces(recipe: Recipe) -> Iterator[Example]:
    """Every trace of the recipe's manifests: the tokenizer should know the words also of those that no stage uses, so
    that another recipe can go on from the model with them."""
    supervised = [name for stage in recipe.stages if stage.begins for name in stage.manifests]
    for data in dict.fromkeys([*supervised, *recipe.data]):
        if data not in recipe.data:
            raise InputError(f"data.{data}", "is not known", "the manifest that the toy's tokenizer learns from")
        with closing(indexed(recipe.data[data])) as examples:
            yield from (example for example in examples if example.reasoning)


def _text(example: Example) -> str:
    """What the tokenizer learns from: an example as the model reads it, without its clip."""
    answer = example.prompt.answer if example.response is None else example.response
    rendered = render_prompt(example.prompt, []) + render_response(example.reasoning or "", answer)
    for token in TOKENS:
        rendered = rendered.replace(token, "\n")
    return rendered
