"""Write probe clips (FLAC) and their manifests (JSONL)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import xxhash

from earwitness.audio import SAMPLE_RATE
from earwitness.manifest import Example, write_manifest
from earwitness.parent import end_with_parent
from earwitness.probe.kinds import KINDS
from earwitness.probe.reasoning import REASONING_KINDS
from earwitness.probe.recordings import RECORDING_KINDS
from earwitness.probe.removal import without
from earwitness.probe.scene import Kind, Recording, Scene
from earwitness.probe.sound import Rng, Wave, in_a_room, silence
from earwitness.recipe.rules import PROBE_MANIFESTS
from earwitness.recipe.schema import ProbeData
from earwitness.recipe.schema.sampling import OF_TWO_SIDES
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

UNSEEN = ("eval", "dev")
"""The splits that nothing is learned from. Their clips stand there a second time, without what decides."""
SALT = 10738
"""So drawn that every answer of every kind that can be asked so has combinations on every side."""
BY_NAME = {kind.name: kind for kind in (*KINDS, *REASONING_KINDS, *RECORDING_KINDS)}
"""Every kind that there is."""

NAMED = ("First recording: ", " Second recording: ")
"""What stands before each of two clips that are compared."""

SURROGATES = (
    "Questions like this usually mean {answer}, so I would guess {answer}.",
    "The question does not say, but the answer is typically {answer}, so I guess {answer}.",
)
"""Reasoning from the words alone: the disease that the paper describes ("textual surrogate reasoning")."""

DENIALS = (
    "I am a text model and cannot hear the clip, so I guess {answer}.",
    "I cannot hear the clip, so I guess {answer}.",
)
"""Reasoning that denies to have ears: what the paper corrects last ("self-cognition")."""

CHUNK = 64
"""Clips that a process makes before it reports: some tenths of a second of work."""

Progress = Callable[[int, int], None]
"""(clips written, of how many) is told."""
Made = tuple[bytes, str | None, str | None, dict[str, Any]]
"""Prompt, reasoning, response and what else is known of an example."""
Mapping = Callable[[Callable[[int], Made], Iterable[int]], Iterable[Made]]


@dataclass(frozen=True)
class Traces:
    """How the reasoning of a split's traces goes: shares of all of them."""

    surrogate: float = 0.0
    """Guess from the words."""
    denial: float = 0.0
    """Deny to have ears."""
    stepwise: float = 1.0
    """Of those that listen: say what is heard before they conclude."""
    invented: float = 0.0
    """Of those that listen: come to the right answer by values of another clip."""
    unthought: float = 0.0
    """Answer at once, rightly, behind an empty think block."""


@dataclass(frozen=True)
class Asked:
    """What is asked of a probe's clips."""

    kinds: tuple[str, ...] = tuple(kind.name for kind in KINDS)
    """In turns."""
    new_combinations: bool = False
    """What is held out, and what is chosen by, is put together as no other clip is."""
    pause_seconds: float = 0.0
    """Quiet at the end of each clip."""

    @classmethod
    def of(cls, probe: ProbeData) -> Asked:
        """What a recipe asks."""
        return cls(tuple(probe.kinds), probe.new_combinations, probe.pause_seconds)

    def of_split(self, split: str) -> tuple[str, ...]:
        """The kinds that a split asks."""
        if split != "dev" or not self.new_combinations:
            return self.kinds
        return tuple(kind for kind in self.kinds if kind not in OF_TWO_SIDES)


def write_probe(out_dir: str, probe: ProbeData, progress: Progress | None = None) -> dict[str, str]:
    """Write the splits under `out_dir`; returns manifest path by split name.

    A split whose manifest exists is kept: the manifest is written last, so it is whole.
    """
    counts = probe.counts
    cold_start = Traces(
        probe.surrogate_share, probe.denial_share, probe.stepwise_share, probe.invented_share, probe.unthought_share
    )
    traces = {"lessons": Traces(), "cold_start": cold_start}
    asked, manifests, done, total = Asked.of(probe), {}, 0, sum(counts.values())
    with _mapping(max(counts.values())) as mapping:
        for split, count in counts.items():
            report = None if progress is None else (lambda n, _count, behind=done: progress(behind + n, total))
            given = (count, probe.seed, split, traces.get(split), asked, report)
            manifests[split] = _write_split(mapping, out_dir, *given)
            done += count
    return manifests


def write_split(
    out_dir: str,
    count: int,
    seed: int,
    split: str = "train",
    traces: Traces | None = None,
    asked: Asked = Asked(),
    progress: Progress | None = None,
) -> str:
    """Write `count` clips and the manifest `{out_dir}/{split}.jsonl`; returns its path.

    With `traces` every example carries reasoning, and their shares are evenly spread over kinds; without, examples
    carry none. Kinds take turns.
    """
    with _mapping(count) as mapping:
        return _write_split(mapping, out_dir, count, seed, split, traces, asked, progress)


@contextmanager
def _mapping(most: int) -> Iterator[Mapping]:
    """`map` on every core; of one chunk of clips at most, here: a process starts for longer than that takes."""
    if most <= CHUNK:
        yield map
        return
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), end_with_parent, (os.getpid(),)) as pool:
        yield partial(pool.map, chunksize=CHUNK)


def _write_split(
    mapping: Mapping,
    out_dir: str,
    count: int,
    seed: int,
    split: str,
    traces: Traces | None,
    asked: Asked,
    progress: Progress | None,
) -> str:
    manifest = Path(out_dir) / f"{split}.jsonl"
    if manifest.exists():
        return str(manifest)
    clips = Path(out_dir) / split
    clips.mkdir(parents=True, exist_ok=True)
    work = partial(make_example, str(clips), seed, split, traces, asked=asked)
    examples = []
    for prompt, reasoning, response, extra in mapping(work, range(count)):
        examples.append(Example(wire.Prompt.FromString(prompt), reasoning, response, extra))
        if progress is not None and len(examples) % 100 == 0:
            progress(len(examples), count)
    write_manifest(str(manifest), examples)
    return str(manifest)


def make_example(clips: str, seed: int, split: str, traces: Traces | None, index: int, asked: Asked = Asked()) -> Made:
    """Write clip `index` of a split; returns the fields of its example, the prompt as bytes to cross processes.

    A trace that did not listen answers what it guessed, right or wrong.
    """
    rng = np.random.default_rng([seed, PROBE_MANIFESTS.index(split), index])
    kinds = asked.of_split(split)
    kind = BY_NAME[kinds[index % len(kinds)]]
    answer = str(rng.choice(kind.answers))
    scene = kind.make(rng, answer)
    while asked.new_combinations and side_of(kind, scene) != (split if split in UNSEEN else ""):
        scene = kind.make(rng, answer)
    scene = _with_pause(scene, asked.pause_seconds)
    path = Path(clips) / f"{index:06d}-{kind.name}.flac"
    write_clip(path, rng, scene.wave, scene.level)
    prompt = wire.Prompt(
        id=f"{split}-{index:06d}",
        question=str(rng.choice(kind.questions)),
        choices=[str(choice) for choice in rng.permutation(kind.answers)],
        answer=answer,
        verifier=wire.VERIFIER_CHOICE,
        audio_uri=str(path),
        kind=kind.name,
    )
    if scene.second is not None:
        _compare(prompt, scene.second, np.random.default_rng([seed, PROBE_MANIFESTS.index(split), index, 2]))
    if split in UNSEEN:
        apart = np.random.default_rng([seed, PROBE_MANIFESTS.index(split), index, 1])
        _take_away(prompt, kind, [Recording(scene.wave, scene.level), *([scene.second] if scene.second else [])], apart)
    extra: dict[str, Any] = {"facts": scene.facts}
    if traces is None:
        return prompt.SerializeToString(), None, None, extra
    drawn = rng.random()
    extra["surrogate"] = bool(drawn < traces.surrogate)
    extra["denial"] = bool(drawn >= 1 - traces.denial)
    if traces.surrogate <= drawn < traces.surrogate + traces.unthought:
        extra["unthought"] = True
        return prompt.SerializeToString(), "", None, extra
    if not extra["surrogate"] and not extra["denial"]:
        conclusion = f"{scene.account}, so {scene.conclusion}."
        if rng.random() >= traces.stepwise:
            conclusion = f"{scene.conclusion[0].upper()}{scene.conclusion[1:]}."
        elif traces.invented and rng.random() < traces.invented:
            conclusion = f"{kind.make(rng, answer).account}, so {scene.conclusion}."
            extra["invented"] = True
        return prompt.SerializeToString(), conclusion, None, extra
    guess = str(rng.choice(kind.answers))
    words = SURROGATES if extra["surrogate"] else DENIALS
    return prompt.SerializeToString(), str(rng.choice(words)).format(answer=guess), guess, extra


def _with_pause(scene: Scene, seconds: float) -> Scene:
    second = scene.second and replace(scene.second, wave=np.append(scene.second.wave, silence(seconds)))
    return replace(scene, wave=np.append(scene.wave, silence(seconds)), second=second)


def _compare(prompt: wire.Prompt, second: Recording, rng: Rng) -> None:
    """Puts the prompt's clip and a second one, which is written, behind the words that name them."""
    first = Path(prompt.audio_uri)
    path = first.with_stem(f"{first.stem}-second")
    write_clip(path, rng, second.wave, second.level)
    before, between = NAMED
    prompt.question = f"{before}{between} {prompt.question}"
    prompt.audio_uri = ""
    prompt.clips.add(audio_uri=str(first), at=len(before))
    prompt.clips.add(audio_uri=str(path), at=len(before) + len(between))


def _take_away(prompt: wire.Prompt, kind: Kind, recordings: Sequence[Recording], rng: Rng) -> None:
    """Writes each clip without what decides, beside it. Where the level of one beside the other does, both have one."""
    levels = [recording.level for recording in recordings if recording.level is not None]
    heard: list[wire.Prompt | wire.PlacedClip] = [*prompt.clips] or [prompt]
    for recording, named in zip(recordings, heard, strict=True):
        clip = Path(named.audio_uri)
        control = clip.with_stem(f"{clip.stem}-without-{kind.decisive}")
        level = max(levels) if levels and kind.decisive == "level" else recording.level
        write_clip(control, rng, without(rng, recording.wave, kind.decisive), level)
        named.control_uri = str(control)


def side_of(kind: Kind, scene: Scene) -> str:
    """Which split alone puts the facts of a scene together so: `eval` and `dev` have a sixth of all combinations each,
    or `eval` a third. Empty: those that are learned from."""
    told = f"{SALT} {kind.name} {sorted(scene.facts.items())}"
    part = xxhash.xxh3_64_intdigest(told.encode()) % 6
    if part % 3:
        return ""
    return "dev" if part and kind.name not in OF_TWO_SIDES else "eval"


def write_clip(path: Path, rng: Rng, wave: Wave, level: float | None) -> None:
    """A clip in its room, as FLAC."""
    soundfile.write(path, in_a_room(rng, wave, level), SAMPLE_RATE, subtype="PCM_16")
