"""What the groups of a step tell."""

import pytest

from earwitness.metrics import metric_of
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire
from trainer.rl.told import MOST_KINDS, WAY, group_metrics, way

NOW = 1000.0


def group(kind: str, right: list[bool], claims: list[tuple[str, int]] = ()) -> wire.Group:
    made = wire.Group(task=wire.GroupTask(prompt=wire.Prompt(kind=kind)))
    for index, correct in enumerate(right):
        trajectory = made.trajectories.add(index=index, token_ids=[7, 99, 8])
        trajectory.versions.add(version=4 + 2 * index, tokens=3)
        trajectory.reward.total, trajectory.reward.correct = float(index), correct
        for family, verdict in claims:
            trajectory.reward.claims.add(kind=family, verdict=verdict)
            trajectory.reward.supported += verdict == wire.VERDICT_SUPPORTED
            trajectory.reward.contradicted += verdict == wire.VERDICT_CONTRADICTED
    made.passages.add(station="rollout", worker="a", arrived=980, able=983, begun=984, ended=990)
    made.passages.add(station="reward", worker="b", arrived=990, able=990, begun=991, ended=993)
    return made


def told(*groups: wire.Group) -> dict[str, float]:
    figures = group_metrics(groups, 6, [99], [982.0], NOW, -1)
    assert all(metric_of(name) for name in figures)
    return figures


def test_figures_of_the_policy() -> None:
    first = group("pitch", [True, False])
    first.trajectories[0].reward.surrogate = True
    first.trajectories[1].token_ids[1] = 98
    figures = told(first)
    assert figures["reward.mean"] == 0.5
    assert figures["correct.mean"] == 0.5
    assert figures["surrogate_share"] == 0.5
    assert figures["think_tokens.mean"] == 2.0  # one is closed after a token, the other never
    assert figures["staleness.mean"] == 1.0
    assert figures["trajectories"] == 2
    assert figures["supported_share"] == 0.0


def test_groups_of_one_outcome_and_kinds() -> None:
    figures = told(
        group("pitch", [True, True]),
        group("pitch", [False, True]),
        group("tempo", [False, False]),
        group("", [True, True]),
    )
    assert (figures["groups.all_right"], figures["groups.all_wrong"]) == (0.5, 0.25)
    assert (figures["kind.pitch"], figures["kind.tempo"]) == (0.75, 0.0)
    assert "kind." not in figures


def test_what_was_dropped_does_not_count() -> None:
    half = group("pitch", [True, False])
    half.trajectories[1].reward.drop_reason = "verifier timed out"
    figures = told(half)
    assert (figures["groups.all_right"], figures["kind.pitch"], figures["trajectories"]) == (1.0, 1.0, 1)


def test_kinds_with_figures_are_few() -> None:
    often = [group("often", [True]), group("often", [False])]
    many = [group(f"kind_{i}", [True]) for i in range(2 * MOST_KINDS)] + often
    kinds = {name for name in told(*many) if name.startswith("kind.")}
    assert len(kinds) == MOST_KINDS and "kind.often" in kinds


def test_claims_are_counted_by_family() -> None:
    verdicts = {
        "pitch": [wire.VERDICT_SUPPORTED, wire.VERDICT_CONTRADICTED, wire.VERDICT_SUPPORTED],
        "noise": [wire.VERDICT_NOT_CHECKABLE],
    }
    claims = [(family, verdict) for family, of in verdicts.items() for verdict in of]
    figures = told(group("pitch", [True], claims))
    assert (figures["claims.pitch.supported"], figures["claims.pitch.contradicted"]) == (2, 1)
    assert not any(name.startswith("claims.noise") for name in figures)
    assert figures["supported_share"] == pytest.approx(2 / 3)


def test_a_group_s_seconds_add_up_to_its_life() -> None:
    figures = told(group("pitch", [True]))
    parts = ("seconds.weights", "seconds.queue.rollout", "seconds.generate", "seconds.queue.reward", "seconds.score",
             "seconds.queue.trainer")  # fmt: skip
    assert [figures[part] for part in parts] == [3, 1, 6, 1, 2, 7]
    assert sum(figures[part] for part in parts) == NOW - 980


def test_work_of_two_groups_at_once_is_that_of_one() -> None:
    figures = told(group("pitch", [True]), group("pitch", [True]))
    assert (figures["work.rollout"], figures["workers.rollout"]) == (6, 1)
    other = group("pitch", [True])
    other.passages[0].worker, other.passages[0].kv_use = "c", 0.5
    figures = told(group("pitch", [True]), other)
    assert (figures["work.rollout"], figures["workers.rollout"]) == (12, 2)
    assert "work.reference" not in figures and figures["kv_use"] == 0.25


def test_groups_without_passages_have_no_seconds() -> None:
    bare = group("pitch", [True])
    del bare.passages[:]
    assert not [name for name in told(bare) if name.startswith(("seconds.", "work."))]


def passed(arrived: float, able: float, begun: float, ended: float, scored: float, ordinal: int = 9) -> wire.Group:
    made = wire.Group(task=wire.GroupTask(ordinal=ordinal))
    made.passages.add(station="rollout", worker="a", arrived=arrived, able=able, begun=begun, ended=ended)
    made.passages.add(station="reward", worker="b", arrived=ended, able=ended, begun=ended, ended=scored)
    return made


@pytest.mark.parametrize(
    ("groups", "waits"),
    [
        # Of the way that ends last, what lies in the wait; the trainer took four seconds to take what was there.
        ([passed(90, 102, 103, 110, 116), passed(90, 102, 103, 112, 114)], {"weights": 2, "rollout": 8, "reward": 6}),
        # All was ready before the trainer asked.
        ([passed(80, 80, 81, 85, 90)], {}),
        # Until the first group was issued the trainer had not told of its step.
        ([passed(105, 108, 109, 113, 115)], {"weights": 3, "rollout": 5, "reward": 2}),
        ([passed(105, 105, 109, 113, 115)], {"weights": 0, "rollout": 8, "reward": 2}),
        # All that were issued first were dropped.
        ([passed(110, 110, 112, 115, 120, ordinal=10)], {"weights": 0, "rollout": 10, "reward": 10}),
        # This one came in place of others: their way was as long as its own is, part by part.
        ([passed(110, 110, 112, 114, 116), passed(100, 101, 102, 103, 104)],
         {"weights": 0, "rollout": 32 / 3, "reward": 16 / 3}),
        # Clocks that are a little off: nothing is negative.
        ([passed(99, 98, 97, 121, 122)], {"weights": 0, "rollout": 20, "reward": 0}),
    ],
)  # fmt: skip
def test_the_last_group_sets_the_pace(groups: list[wire.Group], waits: dict[str, float]) -> None:
    figures = {name.removeprefix(WAY): seconds for name, seconds in way(groups, [100.0], 120.0, 8).items()}
    assert figures == pytest.approx(waits | {"trainer": 20 - sum(waits.values())})


def test_groups_that_passed_nowhere_set_no_pace() -> None:
    assert way([wire.Group()], [100.0], 120.0, 8) == {}


def test_a_step_tells_of_its_pace_with_figures_that_have_names() -> None:
    figures = told(group("pitch", [True]))
    assert [figures[f"{WAY}{who}"] for who in ("weights", "rollout", "reward", "trainer")] == [1, 7, 3, 7]


def test_where_steps_overlap_a_group_s_whole_way_counts() -> None:
    """It was issued while the trainer had two other steps to do, which would not have come earlier without it."""
    late, early = passed(90, 93, 99, 108, 112), passed(92, 92, 93, 95, 96)
    figures = way([late, early], [90.0, 100.0, 110.0], 113.0, 8)
    assert figures == {f"{WAY}weights": 3, f"{WAY}rollout": 15, f"{WAY}reward": 4, f"{WAY}trainer": 1}
    assert way([early], [90.0, 100.0, 110.0], 113.0, 8) == {f"{WAY}trainer": 3}
