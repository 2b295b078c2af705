"""`rounds`: stages that are gone through over and over. In the file they stand once, in the recipe once a round."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

from earwitness.errors import Problem, child_path, shown

MOST = 16
"""Rounds of a recipe; the paper has three."""
KEYS = ("rounds", "stages")


def expanded(data: Any) -> tuple[Any, list[str], list[Problem]]:
    """A recipe as it was read, with its stages of every round one behind the other, each with its `round` from 1 and
    what has a name with `_<round>` behind it; where each of them is written; and what is wrong with `rounds`."""
    stages = data.get("stages") if isinstance(data, dict) else None
    if not isinstance(stages, list):
        return data, [], []
    flat: list[Any] = []
    written: list[str] = []
    problems: list[Problem] = []
    blocks = 0
    for place, stage in enumerate(stages):
        path = f"stages[{place}]"
        if not (isinstance(stage, dict) and "rounds" in stage):
            flat.append(stage)
            written.append(path)
            continue
        blocks += 1
        found = _problems(stage, path, blocks)
        problems += found
        for number in range(1, 0 if found else stage["rounds"] + 1):
            flat += [_of_round(inner, number) for inner in stage["stages"]]
            written += [f"{path}.stages[{inner}]" for inner in range(len(stage["stages"]))]
    return {**data, "stages": flat}, written, problems


def as_written(problems: Sequence[Problem], written: Sequence[str]) -> list[Problem]:
    """Problems of the stages at the places where these are written, each once."""

    def path(found: re.Match[str]) -> str:
        return written[int(found[1])] if int(found[1]) < len(written) else found[0]

    moved = [Problem(re.sub(r"^stages\[(\d+)\]", path, p.path), p.what, p.expected) for p in problems]
    return list(dict.fromkeys(moved))


def _problems(block: dict[str, Any], path: str, nth: int) -> list[Problem]:
    rounds, stages = block["rounds"], block.get("stages")
    problems = [
        Problem(child_path(path, key), "unknown key", f"{' and '.join(KEYS)}, and no other")
        for key in block
        if key not in KEYS
    ]
    if nth > 1:
        problems.append(Problem(f"{path}.rounds", "a second time", "one place with rounds"))
    if not isinstance(rounds, int) or isinstance(rounds, bool) or not 1 <= rounds <= MOST:
        problems.append(Problem(f"{path}.rounds", shown(rounds), f"how many: 1 to {MOST}"))
    if not isinstance(stages, list) or not stages:
        problems.append(Problem(f"{path}.stages", shown(stages), "the stages of a round"))
    elif any(isinstance(stage, dict) and "rounds" in stage for stage in stages):
        problems.append(Problem(f"{path}.stages", "rounds within rounds", "stages"))
    return problems


def _of_round(stage: Any, number: int) -> Any:
    if not isinstance(stage, dict):
        return stage
    named = {"name": f"{stage['name']}_{number}"} if isinstance(stage.get("name"), str) else {}
    return {**copy.deepcopy(stage), **named, "round": number}
