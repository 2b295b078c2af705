"""Whether `earwitness explain` names what keeps a policy from learning, with each trouble provoked in turn.

    python -m benchmarks.troubles [--record FILE] [all_wrong all_right length_collapse logprob_gap]

One mesh of this machine (vLLM, Megatron-core, Redis) with the toy model; an RL job for each case, after a few
supervised updates:

- all_wrong: a single one, so that no answer is even one;
- all_right: many, and prompts that all have the same answer;
- length_collapse: a reward for nothing but brevity;
- logprob_gap: steps that are far too large, over groups of up to eight versions before.

Exit status 1 if the rule is not among those that hold at the job's end in any case. FILE gets the figures that explain
reads, by rule and step (`tests/unit/explain/troubles.json` is such).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.bounds import figures
from benchmarks.toy_mesh import TOY, TUNE, ToyMesh, rl, toy_mesh
from earwitness.explain import explain
from earwitness.metrics import CLAIMS, KIND

STEPS = 10
"""Before so many steps there is no trend."""

READ = ("groups.", "think_tokens.", "truncated", "logprob_gap.", "entropy", "clip_share", "reward.", KIND, CLAIMS)
"""Beginnings of the figures that trouble is found by."""


@dataclass(frozen=True)
class Case:
    """What provokes a trouble."""

    stage: dict[str, Any] = field(default_factory=dict)
    """Settings of the RL stage."""
    rewards: dict[str, Any] = field(default_factory=dict)
    tuning: int = 5
    """Supervised updates before it."""
    steps: int = STEPS
    one_answer: bool = False
    """Only prompts with the most frequent answer."""


CASES = {
    "all_wrong": Case(tuning=1),
    "all_right": Case({"sampling": {"samples": 4, "max_tokens": 96, "temperature": 0.2}}, tuning=200, one_answer=True),
    "length_collapse": Case(
        {"sampling": {"samples": 8, "max_tokens": 64}, "optimizer": {"learning_rate": 3.0e-3}},
        rewards={"weights": {"overlong": 1.0}, "overlong_buffer_tokens": 64},
        tuning=60,
        steps=30,
    ),
    "logprob_gap": Case({"max_staleness": 8, "optimizer": {"learning_rate": 1.0e-2}}, tuning=60, steps=12),
}


def one_answer(data: dict[str, str]) -> dict[str, str]:
    """The same manifests with nothing but prompts whose answer is the most frequent one of `train`."""
    rows = {split: [json.loads(line) for line in Path(path).read_text().splitlines()] for split, path in data.items()}
    answer = Counter(row["answer"] for row in rows["train"]).most_common(1)[0][0]
    found = {}
    for split, path in data.items():
        kept = [row for row in rows[split] if row["answer"] == answer]
        to = Path(path).with_name(f"{split}-one.jsonl")  # beside the other, whose clips it names
        to.write_text("".join(json.dumps(row) + "\n" for row in kept))
        if kept:
            found[split] = str(to)
    return found


def job_of(mesh: ToyMesh, name: str, case: Case) -> Any:
    """The case's job at its end."""
    tune = {**TUNE, "tune": {**TUNE["tune"], "steps": case.tuning}}
    stages = [tune, {**rl(case.steps), **case.stage}]
    data = one_answer(mesh.probe()) if case.one_answer else mesh.probe()
    return mesh.done(name.replace("_", "-"), stages, {"toy": TOY}, data=data, rewards=case.rewards)


def main() -> int:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", type=Path, help="JSON file for the figures of the steps")
    parser.add_argument("cases", nargs="*", help="troubles to provoke; without any, all")
    given = parser.parse_args()
    missed, recorded = 0, {}
    with toy_mesh() as mesh:
        for rule in given.cases or CASES:
            job = job_of(mesh, rule, CASES[rule])
            events = list(mesh.client.events(job.job_id))
            recorded[rule] = figures(events, READ)
            found = {f.rule: f.words for phase in explain(events).phases for f in phase.trouble}
            missed += rule not in found
            verdict = f"right: {found[rule]}" if rule in found else "MISSED"
            others = ", ".join(other for other in found if other != rule)
            print(f"{rule:15} {verdict}" + (f" (also {others})" if others else ""), flush=True)
    if given.record:
        given.record.write_text(json.dumps(recorded) + "\n")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
