"""A look at whole manifests: every clip decoded, duplicates within and leaks between their splits."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from earwitness.audio import MAX_SECONDS
from earwitness.data.clip_facts import ClipFacts, look_at
from earwitness.data.fingerprint import near_duplicates
from earwitness.hearing import clip_uris
from earwitness.manifest import Example, read_manifest
from earwitness.manifest_index import Referee

Told = Callable[[int, int], None]
AHEAD = 64
"""Clips handed out beyond the last result, so that a manifest of millions is no list of millions of tasks."""


@dataclass(frozen=True)
class Twins:
    """Lines that share a clip, or clips that sound alike."""

    lines: list[str]
    """`manifest:id`, in order."""
    splits: list[str]
    """Those that the lines are in."""
    likeness: float
    """1 for the same content; else the share of equal bits of their fingerprints."""


@dataclass(frozen=True)
class Checked:
    """What a check came to. All lists name lines as `manifest:id`."""

    lines: dict[str, int]
    """By split."""
    clips: int
    """Different files."""
    text_only: int
    """Lines without a clip."""
    seconds: dict[str, float]
    """Lengths of clips: least, median, 95 % of them at most, most, sum."""
    longer: int
    """Clips longer than a model hears at a time."""
    rates: dict[str, int]
    """Clips by sample rate (Hz) of the file."""
    channels: dict[str, int]
    level: dict[str, float]
    """Root mean square (dB of full scale) of clips with sound: least, median, most."""
    unreadable: dict[str, str]
    """Lines whose clip cannot be decoded, and why."""
    changed: list[str]
    """Lines whose clip is not the one whose checksum the manifest has."""
    references: dict[str, str]
    """Lines whose reference fails its own verifier, and how."""
    silent: list[str]
    clipped: list[str]
    repeated: list[list[str]]
    """Lines that ask the same of the same clip."""
    shared: int
    """Clips (by content) that several lines of one split use."""
    near: list[Twins] = field(default_factory=list)
    """Clips of one split that sound alike and are not the same."""
    leaks: list[Twins] = field(default_factory=list)
    """Clips that two splits share, by content or likeness."""

    @property
    def wrong(self) -> bool:
        """Whether something must be mended; silence, clipping and duplicates within a split may be meant."""
        return bool(self.unreadable or self.changed or self.references or self.leaks)

    def as_record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"wrong": self.wrong}


@dataclass(frozen=True)
class _Line:
    name: str
    split: str
    example: Example


def check_manifests(uris: Sequence[str], referee: Referee, told: Told) -> Checked:
    """Reads manifests and decodes every clip once, on all cores. Several manifests are splits; so are the parts of one
    that was imported from several. Raises ManifestError."""
    names = _short(uris)
    lines = [
        _Line(f"{name}:{example.prompt.id}", name if len(uris) > 1 else _split_of(example, name), example)
        for uri, name in zip(uris, names, strict=True)
        for example in read_manifest(uri)
    ]
    heard = _heard(list(dict.fromkeys(uri for line in lines for uri in clip_uris(line.example.prompt))), told)
    readable = [facts for facts in heard.values() if not facts.problem]
    of_clip: dict[str, list[_Line]] = defaultdict(list)
    for line in lines:
        for content in {heard[uri].content for uri in clip_uris(line.example.prompt)} - {""}:
            of_clip[content].append(line)
    near = _near(of_clip, {facts.content: facts for facts in readable})
    same = [_twins(group, 1.0) for group in of_clip.values() if len({line.split for line in group}) > 1]
    return Checked(
        lines=dict(Counter(line.split for line in lines)),
        clips=len(heard),
        text_only=sum(not clip_uris(line.example.prompt) for line in lines),
        seconds=_spread([facts.seconds for facts in readable], "p95", total=True),
        longer=sum(facts.seconds > MAX_SECONDS for facts in readable),
        rates=_counts(facts.rate for facts in readable),
        channels=_counts(facts.channels for facts in readable),
        level=_spread([facts.level for facts in readable if not facts.silent]),
        unreadable={line.name: facts.problem for line, facts in _with(lines, heard) if facts.problem},
        changed=[line.name for line, facts in _with(lines, heard) if _is_changed(line.example, facts)],
        references={line.name: wrong for line in lines if (wrong := referee(line.example.prompt))},
        silent=[line.name for line, facts in _with(lines, heard) if facts.silent],
        clipped=[line.name for line, facts in _with(lines, heard) if facts.clipped],
        repeated=_repeated(lines, heard),
        shared=sum(max(Counter(line.split for line in group).values()) > 1 for group in of_clip.values()),
        near=[twins for twins in near if len(twins.splits) == 1],
        leaks=[*same, *(twins for twins in near if len(twins.splits) > 1)],
    )


def _heard(uris: Sequence[str], told: Told) -> dict[str, ClipFacts]:
    """Facts by URI, in order."""
    clips = [uri for uri in uris if uri]
    found: dict[str, ClipFacts] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(clips), AHEAD):
            part = clips[start : start + AHEAD]
            for uri, facts in zip(part, pool.map(look_at, part), strict=True):
                found[uri] = facts
                told(len(found), len(clips))
    return found


def _short(uris: Sequence[str]) -> list[str]:
    """File names, or whole URIs where two are the same."""
    names = [PurePosixPath(uri).stem for uri in uris]
    return names if len(set(names)) == len(names) else list(uris)


def _split_of(example: Example, name: str) -> str:
    source = example.extra.get("source")
    split = source.get("split") if isinstance(source, Mapping) else None
    return split if isinstance(split, str) else name


def _with(lines: Iterable[_Line], heard: Mapping[str, ClipFacts]) -> list[tuple[_Line, ClipFacts]]:
    return [(line, heard[uri]) for line in lines for uri in clip_uris(line.example.prompt)]


def _is_changed(example: Example, facts: ClipFacts) -> bool:
    source = example.extra.get("source")
    said = source.get("xxh3_128") if isinstance(source, Mapping) else None
    known = said if isinstance(said, list) else [said]
    return bool(said and facts.xxh3 and facts.xxh3 not in known)


def _repeated(lines: Iterable[_Line], heard: Mapping[str, ClipFacts]) -> list[list[str]]:
    groups: dict[object, list[str]] = defaultdict(list)
    for line in lines:
        prompt = line.example.prompt
        clips = tuple(heard[uri].content or uri for uri in clip_uris(prompt))
        groups[line.split, clips, prompt.question, tuple(prompt.choices)].append(line.name)
    return [names for names in groups.values() if len(names) > 1]


def _near(of_clip: Mapping[str, list[_Line]], facts: Mapping[str, ClipFacts]) -> list[Twins]:
    """Clips of different content that sound alike."""
    contents = list(of_clip)
    prints = [facts[content].words for content in contents]
    pairs = near_duplicates([words for words in prints if words is not None])
    return [_twins([*of_clip[contents[one]], *of_clip[contents[other]]], share) for one, other, share in pairs]


def _twins(lines: Sequence[_Line], likeness: float) -> Twins:
    names = [line.name for line in lines]
    return Twins(names, list(dict.fromkeys(line.split for line in lines)), round(likeness, 3))


def _counts(values: Iterable[int]) -> dict[str, int]:
    return {str(value): count for value, count in Counter(values).most_common()}


def _spread(values: Sequence[float], middle: str = "", *, total: bool = False) -> dict[str, float]:
    if not values:
        return {}
    found = {"least": min(values), "median": float(np.median(values))}
    if middle:
        found[middle] = float(np.percentile(values, 95))
    found["most"] = max(values)
    if total:
        found["sum"] = sum(values)
    return {name: round(value, 3) for name, value in found.items()}
