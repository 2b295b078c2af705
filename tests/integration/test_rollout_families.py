"""Checkpoints of other families on a real vLLM: log-probs are the trainer's, with clips as long as they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
import soundfile

from earwitness.audio import read_audio
from earwitness.errors import InputError
from earwitness.families.family import Family
from earwitness.hearing import segments
from earwitness.logmel import frames
from earwitness.redis_server import RedisServer
from earwitness.weights import WeightPublisher
from rollout.contract import EngineConfig
from rollout.engine import RolloutEngine
from tests.integration.family_toys import CONFIGS, LONGEST, TOKENS, make_toy_of
from tests.integration.rollout_setting import GAP_BOUND, LINEAGE, serve
from tests.integration.rollout_toy import TEXTS, comparison, make_clips, prompt, sampling, weight_tensors
from tests.integration.trainer_side import trainer_logprobs

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Setting:
    """A running engine, and what it is fed with."""

    engine: RolloutEngine
    family: Family
    model_dir: Path
    clips: list[str]


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=CONFIGS, ids=[family.model_type for family in CONFIGS]
)
async def setting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Setting]:
    family: Family = request.param
    folder = tmp_path_factory.mktemp(family.model_type)
    model_dir = make_toy_of(family, folder / "toy", TEXTS * 20)
    with RedisServer("weights", folder / "redis") as redis:
        WeightPublisher([redis.url], LINEAGE).publish_anchor(1, weight_tensors(model_dir))
        config = EngineConfig(str(model_dir), weight_urls=(redis.url,), max_model_len=LONGEST)
        engine = await RolloutEngine.start(config)
        try:
            await serve(engine, LINEAGE, 1)
            yield Setting(engine, family, model_dir, make_clips(folder))
        finally:
            engine.stop()


def heard_tokens(setting: Setting, clip: str) -> int:
    cut = segments(read_audio(clip, max_seconds=61), setting.family)
    return sum(setting.family.audio_tokens(frames(len(segment))) for segment in cut)


async def test_logprobs_are_the_trainers_and_clips_have_their_tokens(setting: Setting) -> None:
    asked = [*setting.clips[1:], ""]  # the first is too short for a token
    groups = await asyncio.gather(
        *[setting.engine.generate(prompt(i, clip), sampling(), ordinal=i) for i, clip in enumerate(asked)]
    )
    rows, found = [], []
    for clip, (prompt_ids, trajectories) in zip(asked, groups, strict=True):
        expected = heard_tokens(setting, clip) if clip else 0
        assert prompt_ids.count(TOKENS.index(setting.family.layout.audio_patch)) == expected
        for trajectory in trajectories:
            tokens = [*prompt_ids, *trajectory.token_ids]
            rows.append({"tokens": tokens, "prompt_tokens": len(prompt_ids), "audio": clip, "temperature": 0.7})
            found.extend(trajectory.logprobs)
    wanted = [p for row in trainer_logprobs(setting.model_dir, rows) for p in row]
    gaps = np.abs(np.array(wanted) - np.array(found))
    print(f"log-prob gap: mean {gaps.mean():.2e}, largest {gaps.max():.2e}")
    assert np.std(found) > 0.1, "a flat distribution would hide mistakes"
    assert gaps.mean() <= GAP_BOUND


async def test_several_clips_and_long_ones_are_the_trainers(setting: Setting, tmp_path: Path) -> None:
    """Qwen2-Audio hears 30 s of a clip; one of a minute is refused with what would be right."""
    long = str(tmp_path / "long.flac")
    soundfile.write(long, 0.1 * np.random.default_rng(3).standard_normal(60 * 16_000).clip(-3, 3), 16_000)
    asked = [comparison(setting.clips[3], setting.clips[1]), comparison(setting.clips[1], setting.clips[1])]
    heard = [[setting.clips[3], setting.clips[1]], [setting.clips[1]] * 2]
    if setting.family.longest_seconds >= 60:
        asked, heard = [*asked, prompt(0, long)], [*heard, [long]]
    else:
        with pytest.raises(InputError, match=r"lasts 60\.00 s or more; expected at most 29\.98 s"):
            await setting.engine.generate(prompt(0, long), sampling(), ordinal=0)
    groups = await asyncio.gather(*[setting.engine.generate(p, sampling(), ordinal=i) for i, p in enumerate(asked)])
    rows, found = [], []
    for clips, (prompt_ids, trajectories) in zip(heard, groups, strict=True):
        expected = sum(heard_tokens(setting, clip) for clip in clips)
        assert prompt_ids.count(TOKENS.index(setting.family.layout.audio_patch)) == expected
        for t in trajectories:
            tokens = [*prompt_ids, *t.token_ids]
            rows.append({"tokens": tokens, "prompt_tokens": len(prompt_ids), "audio": clips, "temperature": 0.7})
            found.extend(t.logprobs)
    wanted = [p for row in trainer_logprobs(setting.model_dir, rows) for p in row]
    gaps = np.abs(np.array(wanted) - np.array(found))
    print(f"log-prob gap of several and long clips: mean {gaps.mean():.2e}, largest {gaps.max():.2e}")
    assert gaps.mean() <= GAP_BOUND


async def test_a_clip_without_a_single_token_is_refused(setting: Setting) -> None:
    """Where a family's front end does not fill it up with silence."""
    asked = setting.engine.generate(prompt(0, setting.clips[0]), sampling(), ordinal=0)
    if setting.family.shortest_seconds:
        prompt_ids, _ = await asked
        assert prompt_ids.count(TOKENS.index(setting.family.layout.audio_patch)) == 7
    else:
        with pytest.raises(InputError, match="too short for an audio token"):
            await asked
    setting.engine.check()
