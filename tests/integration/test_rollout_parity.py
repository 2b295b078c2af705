"""The rollout engine on a real vLLM: its log-probs are the trainer's, before and after a weight update."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from safetensors.numpy import load_file, save_file
from vllm.model_executor.models import ModelRegistry

from earwitness.audio import AudioError
from earwitness.errors import InputError
from earwitness.families.family import THINK_END
from earwitness.families.step_audio import AUDIO_PATCH, EOT, SPECIAL_TOKENS, STEP_AUDIO, audio_tokens
from earwitness.hearing import read_segments
from earwitness.logmel import frames
from earwitness.weights import WeightPublisher
from earwitness.wire.trajectory.v1 import trajectory_pb2
from earwitness.wire.weights.v1.weights_pb2 import VERSION_KIND_DELTA
from rollout.contract import FetchError, Served
from rollout.model.audio_model import AudioModel
from rollout.plugin import ARCHITECTURE, register
from tests.integration.rollout_setting import GAP_BOUND, LINEAGE, Setting, change_some, serving_first_weights
from tests.integration.rollout_toy import prompt, sampling, slowed, until_begun, weight_tensors
from tests.integration.trainer_side import gate

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATCH_ID = SPECIAL_TOKENS.index(AUDIO_PATCH)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def setting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Setting]:
    async with serving_first_weights(tmp_path_factory.mktemp("parity")) as setting:
        yield setting


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def first_weights(setting: Setting) -> None:
    """Every test begins with the first model's weights, whatever another left behind."""
    if setting.engine.served != Served(LINEAGE, 1):
        setting.publisher.publish_anchor(1, weight_tensors(setting.model_dir))
        await setting.serve(LINEAGE, 1)


@pytest.fixture(scope="module")
def other_model(setting: Setting) -> Path:
    return setting.other_model()


async def test_the_plug_in_may_be_called_again(setting: Setting) -> None:
    register()
    assert ModelRegistry.models[ARCHITECTURE].model_cls is AudioModel


@pytest.mark.parametrize("temperature", [0.7, 1.0])
async def test_logprobs_are_the_trainers(setting: Setting, temperature: float) -> None:
    groups = await setting.generate_all(temperature=temperature)
    setting.check_agreement(f"the first version, at temperature {temperature}", groups, setting.model_dir, temperature)


async def test_prompt_has_one_placeholder_for_each_audio_token(setting: Setting) -> None:
    for clip, (prompt_ids, _) in zip(setting.clips, await setting.generate_all(), strict=False):
        heard = read_segments(clip, STEP_AUDIO)
        assert prompt_ids.count(PATCH_ID) == sum(audio_tokens(frames(len(segment))) for segment in heard)


async def test_a_clip_does_not_depend_on_its_neighbours(setting: Setting) -> None:
    together = await setting.generate_all(seed=21)
    for number, clip in enumerate(setting.clips):
        # a prompt that no cache has seen: another id of the clip's content would be the same clip
        _, alone = await setting.generate(number, clip, seed=21)
        for one, other in zip(alone, together[number][1], strict=True):
            assert list(one.token_ids) == list(other.token_ids)
            assert np.allclose(one.logprobs, other.logprobs, atol=1e-4)


async def test_seeds_decide_the_samples(setting: Setting) -> None:
    _, first = await setting.generate(0, setting.clips[2], ordinal=5, samples=4)
    _, again = await setting.generate(0, setting.clips[2], ordinal=5, samples=4)
    _, other = await setting.generate(0, setting.clips[2], ordinal=6, samples=4)
    assert [list(t.token_ids) for t in first] == [list(t.token_ids) for t in again]
    assert [list(t.token_ids) for t in first] != [list(t.token_ids) for t in other]
    assert len({tuple(t.token_ids) for t in first}) == 4
    assert [t.index for t in first] == [0, 1, 2, 3]


async def test_the_end_of_turn_is_part_of_the_response(setting: Setting) -> None:
    _, trajectories = await setting.generate(0, "", samples=64, max_tokens=200, temperature=2.0)
    ended = [t for t in trajectories if t.finish_reason == trajectory_pb2.FINISH_REASON_STOP]
    cut = [t for t in trajectories if t.finish_reason == trajectory_pb2.FINISH_REASON_LENGTH]
    assert ended and cut and len(ended) + len(cut) == 64
    for t in trajectories:
        assert len(t.logprobs) == len(t.token_ids) == sum(span.tokens for span in t.versions)
        assert max(t.logprobs) <= 0.0
    stop = setting.engine.codec.stop_ids
    assert all(t.token_ids[-1] in stop and not t.text.endswith(EOT) for t in ended)
    assert all(len(t.token_ids) == 200 and t.token_ids[-1] not in stop for t in cut)


async def test_a_stop_string_ends_a_response_and_says_so(setting: Setting) -> None:
    task = sampling(samples=32, max_tokens=120, temperature=2.0)
    task.stop.append(THINK_END)
    _, trajectories = await setting.engine.generate(prompt(0, ""), task, ordinal=0)
    think_end = SPECIAL_TOKENS.index(THINK_END)
    stopped = [t for t in trajectories if t.token_ids[-1] == think_end]
    assert stopped and all(t.finish_reason == trajectory_pb2.FINISH_REASON_STOP for t in stopped)
    assert not any(THINK_END in t.text for t in trajectories)
    assert not any(think_end in t.token_ids[:-1] for t in trajectories)


async def test_more_prompts_than_fit_in_a_step(setting: Setting) -> None:
    """A prompt that vLLM splits over steps kills the engine on the CPU: see the engine's arguments."""
    longest = setting.clips[-1]
    many = [setting.generate(i, longest, samples=32, max_tokens=4) for i in range(24)]
    assert all(len(trajectories) == 32 for _, trajectories in await asyncio.gather(*many))
    setting.engine.check()


async def test_a_bad_prompt_is_refused_and_the_engine_goes_on(setting: Setting) -> None:
    with pytest.raises(AudioError, match="no such file"):
        await setting.generate(0, str(setting.folder / "missing.wav"))
    long = prompt(0, "")
    long.question = "pitch? " * 2_000
    with pytest.raises(InputError, match="p0"):
        await setting.engine.generate(long, sampling(), ordinal=0)
    setting.engine.check()
    await setting.generate(0, setting.clips[1])


async def test_a_version_that_is_not_there_changes_nothing(setting: Setting) -> None:
    before = setting.engine.served
    with pytest.raises(FetchError, match="MissingVersion"):
        await setting.serve(LINEAGE, 99)
    with pytest.raises(FetchError, match="MissingVersion"):
        await setting.serve("other/0", 1)
    assert setting.engine.served == before
    await setting.generate(0, setting.clips[1])


async def test_the_gate_lets_the_same_weights_pass_and_shows_where_others_differ(setting: Setting) -> None:
    """One weight of one layer is not what the trainer has: RL does not start, and the first wrong token is named."""

    async def probe() -> list[trajectory_pb2.Group]:
        groups = []
        for number, (prompt_ids, trajectories) in enumerate(await setting.generate_all()):
            audio = [*setting.clips, ""][number]
            task = trajectory_pb2.GroupTask(ordinal=number, prompt=prompt(number, audio), sampling=sampling())
            groups.append(trajectory_pb2.Group(task=task, prompt_token_ids=prompt_ids, trajectories=trajectories))
        return groups

    assert gate(setting.model_dir, await probe()) == ""

    other = shutil.copytree(setting.model_dir, setting.folder / "toy-other")
    weights = load_file(other / "model.safetensors")
    name = "model.layers.1.mlp.down_proj.weight"
    weights[name] = weights[name] * np.float32(1.05)
    save_file(weights, other / "model.safetensors")
    publisher = WeightPublisher(setting.urls, "job/other")
    publisher.publish_anchor(1, weight_tensors(other))
    await setting.serve("job/other", 1)
    refused = await probe()
    said = gate(setting.model_dir, refused)
    print(said)
    found = re.search(
        r"first batch is ([\d.e-]+); expected at most logprob_gap_bound = 0\.001\. The first token that differs: "
        r"ordinal (\d+), trajectory (\d+), token (\d+) of its response, id (\d+) '.*': trainer (-?[\d.]+), "
        r"rollout (-?[\d.]+)$",
        said,
        re.DOTALL,
    )
    assert found is not None, said
    ordinal, trajectory, position, token_id = map(int, found.groups()[1:5])
    ours, theirs = map(float, found.groups()[5:])
    shown = refused[ordinal].trajectories[trajectory]
    assert shown.token_ids[position] == token_id
    assert abs(shown.logprobs[position] - theirs) < 1e-3 < abs(ours - theirs)
    assert gate(setting.model_dir, refused, bound=5.0) == ""  # the recipe may allow it


async def test_an_update_replaces_every_weight(setting: Setting, other_model: Path) -> None:
    """The same prompts, seen by every cache before, come out as the trainer's model with the new weights says."""
    before = await setting.generate_all()
    setting.publisher.publish_anchor(2, weight_tensors(other_model))
    await setting.check_served(LINEAGE, 2, other_model, before)


async def test_deltas_reach_what_the_engine_computes_with(setting: Setting) -> None:
    """A delta, then two more of which the engine loads only the second: the outputs are those of the new weights.

    On the CPU vLLM computes with repacked copies, which a patch in place would not reach.
    """
    new = shutil.copytree(setting.model_dir, setting.folder / "toy-delta")
    numbers = np.random.default_rng(4)
    publisher = WeightPublisher(setting.urls, "job/delta")
    publisher.publish(10, weight_tensors(new))
    await setting.serve("job/delta", 10)
    before = await setting.generate_all()
    for version in (11, 12, 13):
        change_some(new, numbers)
        manifest = publisher.publish(version, weight_tensors(new))
        assert (manifest.kind, manifest.base_version) == (VERSION_KIND_DELTA, version - 1)
        if version == 12:
            continue
        before = await setting.check_served("job/delta", version, new, before)
        sync = setting.engine.sync
        assert 0 < sync.nbytes < 2 * sum(c.nbytes for c in manifest.chunks) + 100_000  # two deltas at most, no anchor
        assert sync.fetch_seconds > 0 and sync.pause_seconds > 0


async def test_requests_in_flight_go_on_under_the_new_weights(setting: Setting, other_model: Path) -> None:
    publisher = WeightPublisher(setting.urls, "job/in-flight")
    publisher.publish_anchor(2, weight_tensors(other_model))
    await setting.serve("job/in-flight", 2)
    publisher.publish_anchor(3, weight_tensors(setting.model_dir))
    async with slowed(setting.engine):
        running = [asyncio.create_task(setting.generate(i, "", samples=8, max_tokens=400)) for i in range(4)]
        await until_begun(setting.engine, 4 * 8 * 10)
        assert not any(task.done() for task in running), "the test's requests are too short to be in flight"
        await setting.serve("job/in-flight", 3)
    spans = [[(s.version, s.tokens) for s in t.versions] for task in running for t in (await task)[1]]
    crossed = [s for s in spans if [version for version, _ in s] == [2, 3]]
    assert crossed, f"no trajectory has tokens of both versions: {spans}"
    assert all(tokens > 0 for s in spans for _, tokens in s)
    # one that finished before the update has the old version only, none has only the new one
    assert all(s[0][0] == 2 for s in spans)
    # and back on the first weights, the trainer agrees again
    assert setting.gaps(await setting.generate_all(), 0.7, setting.model_dir).mean() <= GAP_BOUND
