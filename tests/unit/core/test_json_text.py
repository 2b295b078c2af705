"""JSON that nests too deeply is refused where it is read, at every way in, and never ends in a RecursionError."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from earwitness import artifacts
from earwitness.errors import InputError, Problem
from earwitness.families.reading import Section
from earwitness.jobs.report.compare import read_run
from earwitness.json_text import MAX_DEPTH, parsed
from earwitness.manifest import parse_line

DEPTHS = (MAX_DEPTH + 1, 900, 985, 5_000, 200_000)
"""The two in the middle are less than what Python's parser takes, and more than what walks the value may."""


def lists(depth: int) -> str:
    return "[" * depth + "]" * depth


def objects(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


@pytest.mark.parametrize("nested", [lists, objects])
def test_depth_is_counted_and_not_width(nested: Callable[[int], str]) -> None:
    assert parsed(nested(MAX_DEPTH)) == json.loads(nested(MAX_DEPTH))
    wide = json.dumps([{"a": [1, 2]}] * 1000)
    assert parsed(wide) == parsed(wide.encode()) == json.loads(wide)
    assert parsed(json.dumps("[{" * 1000)) == "[{" * 1000
    for depth in DEPTHS:
        for text in (nested(depth), nested(depth).encode()):
            with pytest.raises(ValueError, match=f"nested deeper than {MAX_DEPTH} levels"):
                parsed(text)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("nested", [lists, objects])
def test_every_way_in_says_so(nested: Callable[[int], str], depth: int, tmp_path: Path) -> None:
    problems: list[Problem] = []
    line = f'{{"id": "a", "question": "q", "answer": "x", "verifier": "exact", "extra": {{"a": {nested(depth)}}}}}'
    assert parse_line(line.encode(), "m.jsonl", 3, problems) is None
    assert [problem.path for problem in problems] == ["m.jsonl:3"] and "deeper" in str(problems[0])

    config = tmp_path / "config.json"
    config.write_text(f'{{"vocab_size": {nested(depth)}}}')
    with pytest.raises(InputError, match="deeper"):
        Section.of_file(config)
    (tmp_path / "report.json").write_text(f'{{"prompts": {nested(depth)}}}')
    with pytest.raises(InputError, match="deeper"):
        read_run(str(tmp_path))
    artifacts.write_json(str(tmp_path / "report.json"), {"prompts": {"final": [1]}})
    (tmp_path / "steps.jsonl").write_text(f'{{"stage": {nested(depth)}}}\n')
    with pytest.raises(InputError, match=r"steps\.jsonl cannot be read"):
        read_run(str(tmp_path))
