"""Write probe clips (FLAC) and their manifests (JSONL)."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from earwitness.audio import SAMPLE_RATE
from earwitness.manifest import Example, write_manifest
from earwitness.probe.kinds import KINDS
from earwitness.probe.removal import without
from earwitness.probe.sound import Rng, Wave, in_a_room
from earwitness.recipe.schema import ProbeData
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

SPLITS = ("lessons", "cold_start", "train", "eval")
"""A split's index is part of every clip's seed, so no two splits can share a clip."""
CONTROLLED = "eval"
"""The split whose clips stand there a second time, without what decides."""

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


@dataclass(frozen=True)
class Diseases:
    """Shares of traces that do not listen."""

    surrogate: float = 0.0
    """Guess from the words."""
    denial: float = 0.0
    """Deny to have ears."""


def write_probe(out_dir: str, probe: ProbeData, progress: Progress | None = None) -> dict[str, str]:
    """Write the splits under `out_dir`; returns manifest path by split name.

    A split whose manifest exists is kept: the manifest is written last, so it is whole.
    """
    counts = {"lessons": probe.lessons, "cold_start": probe.cold_start, "train": probe.train, "eval": probe.eval}
    diseases = {"lessons": Diseases(), "cold_start": Diseases(probe.surrogate_share, probe.denial_share)}
    total, done, manifests = sum(counts.values()), 0, {}
    for split in SPLITS:
        base = done
        report = None if progress is None else (lambda n, _t, base=base: progress(base + n, total))
        manifests[split] = write_split(out_dir, counts[split], probe.seed, split, diseases.get(split), report)
        done += counts[split]
    return manifests


def write_split(
    out_dir: str,
    count: int,
    seed: int,
    split: str = "train",
    diseases: Diseases | None = None,
    progress: Progress | None = None,
) -> str:
    """Write `count` clips and the manifest `{out_dir}/{split}.jsonl`; returns its path.

    With `diseases` every example carries reasoning, and those shares of them (evenly spread over kinds) have one;
    without, examples carry no reasoning. Kinds take turns.
    """
    manifest = Path(out_dir) / f"{split}.jsonl"
    if manifest.exists():
        return str(manifest)
    clips = Path(out_dir) / split
    clips.mkdir(parents=True, exist_ok=True)
    work = partial(make_example, str(clips), seed, split, diseases)
    examples = []
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for prompt, reasoning, response, extra in pool.map(work, range(count), chunksize=CHUNK):
            examples.append(Example(wire.Prompt.FromString(prompt), reasoning, response, extra))
            if progress is not None and len(examples) % 100 == 0:
                progress(len(examples), count)
    write_manifest(str(manifest), examples)
    return str(manifest)


def make_example(
    clips: str, seed: int, split: str, diseases: Diseases | None, index: int
) -> tuple[bytes, str | None, str | None, dict[str, Any]]:
    """Write clip `index` of a split; returns the fields of its example, the prompt as bytes to cross processes.

    A trace that did not listen answers what it guessed, right or wrong.
    """
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    kind = KINDS[index % len(KINDS)]
    answer = str(rng.choice(kind.answers))
    scene = kind.make(rng, answer)
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
    if split == CONTROLLED:
        apart = np.random.default_rng([seed, SPLITS.index(split), index, 1])
        control = path.with_stem(f"{path.stem}-without-{kind.decisive}")
        write_clip(control, apart, without(apart, scene.wave, kind.decisive), scene.level)
        prompt.control_uri = str(control)
    extra: dict[str, Any] = {"facts": scene.facts}
    if diseases is None:
        return prompt.SerializeToString(), None, None, extra
    drawn = rng.random()
    extra["surrogate"] = bool(drawn < diseases.surrogate)
    extra["denial"] = bool(drawn >= 1 - diseases.denial)
    if not extra["surrogate"] and not extra["denial"]:
        return prompt.SerializeToString(), f"{scene.account}, so {scene.conclusion}.", None, extra
    guess = str(rng.choice(kind.answers))
    traces = SURROGATES if extra["surrogate"] else DENIALS
    return prompt.SerializeToString(), str(rng.choice(traces)).format(answer=guess), guess, extra


def write_clip(path: Path, rng: Rng, wave: Wave, level: float | None) -> None:
    """A clip in its room, as FLAC."""
    soundfile.write(path, in_a_room(rng, wave, level), SAMPLE_RATE, subtype="PCM_16")
