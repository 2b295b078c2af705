"""Which answers DPO prefers: to listen, over to guess or to deny."""

import pytest

from earwitness.recipe.stages.dpo import DpoStage, kind_of, pair_up
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

STAGE = DpoStage(tune={"steps": 1, "optimizer": {"learning_rate": 1e-3}}, max_per_prompt=2)


def trajectory(text: str = "It rises.\n</think>\nup", **reward: object) -> wire.Trajectory:
    good = {"correct": True, "well_formed": True, "coherent": True, "supported": 1}
    return wire.Trajectory(text=text, reward=wire.Reward(**{**good, **reward}))


@pytest.mark.parametrize(
    ("reward", "kind"),
    [
        ({}, "listens"),
        ({"supported": 0}, "listens"),
        ({"surrogate": True}, "does not listen"),
        ({"denial": True, "correct": False}, "does not listen"),
        ({"correct": False}, "wrong answer"),
        ({"coherent": False}, "incoherent"),
        ({"truncated": True, "denial": True}, "malformed"),
        ({"well_formed": False, "surrogate": True}, "malformed"),
    ],
)
def test_kinds_of_answers(reward: dict, kind: str) -> None:
    assert kind_of(trajectory(**reward)) == kind


def group(*answers: tuple[str, dict]) -> wire.Group:
    made = wire.Group(task=wire.GroupTask(prompt=wire.Prompt(id="p", question="?", answer="up")))
    for index, (text, reward) in enumerate(answers):
        made.trajectories.add().CopyFrom(trajectory(f"{text}\n</think>\nup", **reward))
        made.trajectories[index].index = index
    return made


def test_pairs_take_the_best_supported_answer_and_no_text_twice() -> None:
    deaf = {"denial": True}
    paired = pair_up(
        [
            group(("a", {}), ("b", {"supported": 3}), ("b", {}), ("c", {}), ("I cannot hear", deaf), ("text", deaf)),
            group(("a", {}), ("b", {})),
            group(("only", deaf)),
        ],
        STAGE,
    )
    lines = [(e.prompt.id, e.reasoning, e.response) for e in paired.examples]
    assert lines == [
        ("p~0+", "b", "up"), ("p~0-", "I cannot hear", "up"), ("p~1+", "a", "up"), ("p~1-", "text", "up"),
    ]  # fmt: skip
    assert paired.outcomes == {"listens": 6, "does not listen": 3}


def test_a_prompt_gives_no_more_pairs_than_it_has_answers_of_both_kinds() -> None:
    surrogate = {"surrogate": True}
    paired = pair_up([group(("a", {}), *((str(n), surrogate) for n in range(5)))], STAGE)
    assert len(paired.examples) == 2
