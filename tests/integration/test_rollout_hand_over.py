"""Generation that is interrupted and gone on with, on a real vLLM: no token is lost, none is made twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio

from earwitness.wire.trajectory.v1 import trajectory_pb2
from rollout.engine import RolloutEngine
from tests.integration.rollout_setting import GAP_BOUND, Setting, serving_first_weights
from tests.integration.rollout_toy import prompt, sampling, slowed, tokens_in_core, until_begun

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAMPLES = 8
LONG = 300
"""Tokens of a trajectory: some tenths of a second."""
BEGUN = 10
"""Tokens of a trajectory, on average, when it is interrupted."""


def audio(setting: Setting) -> list[str]:
    """No clip, and three."""
    return ["", *setting.clips[1:4]]


def start(setting: Setting, number: int, begun: Sequence[trajectory_pb2.Trajectory] = (), **how: Any) -> asyncio.Task:
    """A group about a clip, or without one."""
    how = {"samples": SAMPLES, "max_tokens": LONG, **how}
    task = prompt(number, audio(setting)[number])
    return asyncio.create_task(setting.engine.generate(task, sampling(**how), ordinal=number, begun=begun))


async def another(engine: RolloutEngine) -> None:
    """The next worker: the same engine as if nothing had been interrupted."""
    engine._interrupted = False
    await engine._llm.resume_generation()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def setting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Setting]:
    async with serving_first_weights(tmp_path_factory.mktemp("hand-over")) as setting:
        yield setting


async def test_the_samples_of_a_prompt_share_its_cache_also_with_a_clip(setting: Setting) -> None:
    cached = []
    run = setting.engine._run

    async def look(*arguments: Any) -> Any:
        output = await run(*arguments)
        cached.append((len(output.prompt_token_ids), output.num_cached_tokens))
        return output

    setting.engine._run = look  # type: ignore[method-assign]
    try:
        for number in (0, 3):
            await start(setting, number, max_tokens=4)
    finally:
        setting.engine._run = run  # type: ignore[method-assign]
    for prompt_tokens, found in cached:  # of the sample that ended last: all but the first have whole blocks of it
        assert found >= (prompt_tokens - 1) // 32 * 32 > 0, cached


async def test_an_interrupt_loses_no_token_and_another_goes_on(setting: Setting) -> None:
    engine = setting.engine
    whole = await asyncio.gather(*[start(setting, number) for number in range(4)])
    in_core: dict[str, int] = {}
    pause = engine._llm.pause_generation

    async def pause_and_count(**how: Any) -> None:
        await pause(**how)
        (counted,) = await engine._llm.collective_rpc(tokens_in_core)
        in_core.update(counted)

    before = engine.tokens
    async with slowed(engine):
        works = [start(setting, number) for number in range(4)]
        await until_begun(engine, 4 * SAMPLES * BEGUN)
        engine._llm.pause_generation = pause_and_count
        await engine.interrupt()
        engine._llm.pause_generation = pause
        cut = await asyncio.gather(*works)
    unfinished = [t for _, trajectories in cut for t in trajectories if not t.finish_reason]
    assert len(unfinished) > SAMPLES, "the test's trajectories are too short to be cut"
    had = sum(len(t.token_ids) for t in unfinished)
    print(f"{len(unfinished)} of {4 * SAMPLES} trajectories cut, {had} tokens handed back, vLLM had {in_core}")
    assert had == sum(in_core.values()), "tokens that vLLM generated were lost"
    assert engine.tokens - before == sum(len(t.token_ids) for _, ts in cut for t in ts)
    for (_, trajectories), (_, complete) in zip(cut, whole, strict=True):
        assert [t.index for t in trajectories] == list(range(SAMPLES))
        for t, full in zip(trajectories, complete, strict=True):
            assert len(t.logprobs) == len(t.token_ids) == sum(s.tokens for s in t.versions)
            assert list(t.token_ids) == list(full.token_ids)[: len(t.token_ids)]

    await another(engine)
    between = engine.tokens
    again = [
        await asyncio.gather(*[start(setting, n, begun=trajectories) for n, (_, trajectories) in enumerate(cut)])
        for _ in range(2)
    ]
    groups = again[0]
    for (prompt_ids, trajectories), (_, begun), (whole_ids, _) in zip(groups, cut, whole, strict=True):
        assert prompt_ids == whole_ids
        assert [t.index for t in trajectories] == list(range(SAMPLES))
        for t, old in zip(trajectories, begun, strict=True):
            kept = len(old.token_ids)
            assert list(t.token_ids[:kept]) == list(old.token_ids)
            assert list(t.logprobs[:kept]) == list(old.logprobs)
            assert t.finish_reason and len(t.logprobs) == len(t.token_ids) <= LONG
            assert [(s.version, s.tokens) for s in t.versions] == [(1, len(t.token_ids))]
            if t.finish_reason == trajectory_pb2.FINISH_REASON_LENGTH:
                assert len(t.token_ids) == LONG
    made = sum(len(t.token_ids) for _, ts in groups for t in ts) - sum(len(t.token_ids) for _, ts in cut for t in ts)
    assert engine.tokens - between == 2 * made
    # where it was cut decides how it goes on
    assert [[list(t.token_ids) for t in ts] for _, ts in again[0]] == [
        [list(t.token_ids) for t in ts] for _, ts in again[1]
    ]
    # what was put together is what the policy says of the whole
    gap = setting.gaps(groups, 0.7, setting.model_dir, audio(setting)).mean()
    print(f"log-prob gap over the hand-over: {gap:.2e}")
    assert gap <= GAP_BOUND


@pytest.mark.parametrize("budget", [0, 7, LONG])
async def test_the_think_block_is_closed_at_its_budget_and_nothing_else_changes(setting: Setting, budget: int) -> None:
    """The toy hardly ever closes it by itself."""
    closing = setting.engine.codec.think_end
    for number in (0, 1):
        _, free = await start(setting, number)
        prompt_ids, bounded = await start(setting, number, think_tokens=budget)
        assert prompt_ids and [t.index for t in bounded] == list(range(SAMPLES))
        forced = 0
        for t, unbounded in zip(bounded, free, strict=True):
            tokens = list(t.token_ids)
            assert tokens[:budget] == list(unbounded.token_ids)[: min(budget, len(tokens))]
            assert len(t.logprobs) == len(tokens) == sum(s.tokens for s in t.versions) <= LONG + len(closing)
            assert t.finish_reason
            if budget == LONG:
                assert tokens == list(unbounded.token_ids) and list(t.logprobs) == list(unbounded.logprobs)
            elif not setting.engine.codec.has_thought(tokens[:budget]) and len(tokens) > budget:
                forced += 1
                assert tokens[budget : budget + len(closing)] == closing
                assert set(t.logprobs[budget : budget + len(closing)]) == {0.0}
                assert len(tokens) > budget + len(closing), "no answer came"
        assert forced > SAMPLES // 2 or budget == LONG


async def test_a_bounded_think_block_goes_on_after_an_interrupt(setting: Setting) -> None:
    engine, budget = setting.engine, 60
    async with slowed(engine):
        work = start(setting, 2, think_tokens=budget)
        await until_begun(engine, SAMPLES * BEGUN)
        await engine.interrupt()
        _, cut = await work
    await another(engine)
    assert any(not t.finish_reason and len(t.token_ids) < budget for t in cut), "it was not cut while it thought"
    _, ended = await start(setting, 2, begun=cut, think_tokens=budget)
    for t, before in zip(ended, cut, strict=True):
        tokens = list(t.token_ids)
        assert t.finish_reason and tokens[: len(before.token_ids)] == list(before.token_ids)
        assert len(tokens) <= budget or engine.codec.has_thought(tokens[: budget + len(engine.codec.think_end)])


async def test_a_think_block_that_ends_goes_on_once_with_the_words_asked_for(setting: Setting) -> None:
    """The toy hardly ever ends it by itself, so it goes on from where others did, one of them for the second time."""
    codec, words = setting.engine.codec, " The"
    thought, said = codec.ids("It rises."), codec.ids(words)
    begun = []
    for index, tokens in enumerate([thought + codec.think_end, thought + said + codec.think_end, thought]):
        trajectory = trajectory_pb2.Trajectory(index=index, token_ids=tokens, logprobs=[-0.5] * len(tokens))
        trajectory.versions.add(version=1, tokens=len(tokens), lineage=setting.engine.served.lineage)
        begun.append(trajectory)
    _, ended = await start(setting, 1, begun=begun, extend=words, max_tokens=60)
    opened, again, still = ended
    at = len(thought)
    assert list(opened.token_ids)[: at + len(said)] == thought + said
    assert set(opened.logprobs[at : at + len(said)]) == {0.0} and set(opened.logprobs[:at]) == {-0.5}
    assert list(again.token_ids)[: len(begun[1].token_ids)] == list(begun[1].token_ids)
    assert list(still.token_ids)[:at] == thought
    for t in ended:
        assert t.finish_reason and t.text and len(t.logprobs) == len(t.token_ids) == sum(s.tokens for s in t.versions)
