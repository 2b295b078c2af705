"""An import: every row looked at, its clip decoded, and a manifest written that says where all of it is from.

Two passes. The first reads everything but sound and writes nothing: a source that leads out of its folder, claims what
no data set has or holds objects to be unpickled ends there. The second takes the clips, several at a time.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import xxhash

from earwitness import artifacts
from earwitness.data.clips import Clip, Clips
from earwitness.data.importers.base import Columns, Importer
from earwitness.data.journal import Journal, Outcome
from earwitness.data.layout import RowFiles, lay_out
from earwitness.data.question import LeftOut, Question, Row, SourceError
from earwitness.errors import InputError, Problem
from earwitness.manifest import MAX_LINE_BYTES, Example, ManifestError, parse_line, write_manifest
from earwitness.manifest_index import Referee
from earwitness.parallel import in_parallel

Told = Callable[[int, int], None]


@dataclass(frozen=True)
class Imported:
    """What an import came to."""

    manifests: dict[str, int]
    """Lines by path."""
    rows: int
    left_out: dict[str, int]
    """Rows by reason, most frequent first."""
    list_of_left_out: str
    """File that names each of them; empty if there are none."""


@dataclass(frozen=True)
class Import:
    """What is to be imported."""

    name: str
    importer: Importer
    source: Path
    out: Path
    columns: Columns
    checksums: bool
    """Whether every clip's and every file's checksum is kept."""
    referee: Referee

    def manifest_of(self, split: str) -> str:
        """The name of the manifest for a split."""
        plain = re.sub(r"[^\w.-]+", "_", split).strip(".")
        return plain if self.importer.by_split and plain else self.name


def import_data(plan: Import, told: Told) -> Imported:
    """Imports; one that was cut off goes on. Raises SourceError, and InputError if a manifest is there already."""
    layout = lay_out(plan.source, plan.importer.files)
    clips = Clips(layout.root, plan.out)
    total, names = _first_look(plan, layout, clips)
    for name in sorted(names):
        if (path := plan.out / f"{name}.jsonl").exists():
            raise InputError("--out", f"{path} exists", "a folder without this manifest")
    with Journal(plan.out / f"{plan.name}.importing", _state_of(plan, layout)) as journal:
        seen = {(o.manifest, o.line["id"]) for o in journal.outcomes() if o.line}
        done = journal.count
        told(done, total)
        for outcome in _outcomes(plan, layout, clips, done):
            if outcome.line:
                key = (outcome.manifest, outcome.line["id"])
                if key in seen:
                    outcome = Outcome(outcome.where, outcome.manifest, None, "its id a second time")
                seen.add(key)
            journal.add(outcome)
            told(journal.count, total)
        found = _write(plan, layout, journal)
        journal.remove()
    return found


def records(plan: Import) -> dict[str, Mapping[str, Any]]:
    """The source's own rows, without sound, by the id that they have in the manifest; those that can be used."""
    found: dict[str, Mapping[str, Any]] = {}
    for row in lay_out(plan.source, plan.importer.files).rows(with_sound=False):
        try:
            question = plan.importer.question(row, plan.columns)
        except LeftOut:
            continue
        held = {key for key, value in row.fields.items() if isinstance(value, Mapping) and value.get("held")}
        found.setdefault(question.identity, {key: row.fields[key] for key in row.fields if key not in held})
    return found


def _first_look(plan: Import, layout: RowFiles, clips: Clips) -> tuple[int, set[str]]:
    """How many rows there are, and the manifests that they will stand in. Raises SourceError if none can be used."""
    total, names, reasons = 0, set[str](), Counter[str]()
    for row in layout.rows(with_sound=False):
        total += 1
        try:
            question = plan.importer.question(row, plan.columns)
            for sound in question.sounds:
                clips.find(row, sound)
        except LeftOut as error:
            reasons[str(error)] += 1
            continue
        names.add(plan.manifest_of(row.split))
    if not names:
        why = ", ".join(f"{reason}: {count}" for reason, count in reasons.most_common(3)) or "there is none"
        raise SourceError(str(plan.source), f"no row can be used ({why})", f"the layout of {plan.name}")
    return total, names


def _outcomes(plan: Import, layout: RowFiles, clips: Clips, skip: int) -> Iterator[Outcome]:
    """What becomes of each row behind the first `skip`, in order; clips are decoded a few at a time."""
    rows = islice(layout.rows(with_sound=True), skip, None)
    return in_parallel(partial(_outcome, plan, clips), rows, os.cpu_count() or 1)


def _outcome(plan: Import, clips: Clips, row: Row) -> Outcome:
    manifest = plan.manifest_of(row.split)
    try:
        question = plan.importer.question(row, plan.columns)
        taken = [clips.take(sound, clips.find(row, sound)) for sound in question.sounds]
        line = _line(question, row, taken, checksums=plan.checksums)
        _check(line, plan.referee)
    except LeftOut as error:
        return Outcome(row.where, manifest, None, str(error))
    return Outcome(row.where, manifest, line)


def _line(question: Question, row: Row, clips: Sequence[Clip], *, checksums: bool) -> dict[str, Any]:
    """The row as a manifest has it. Optional keys without a value are left away."""
    source: dict[str, Any] = {"row": row.where}
    if row.split:
        source["split"] = row.split
    if clips:
        source["seconds"] = _one_or_all([clip.seconds for clip in clips])
        if checksums:
            source["xxh3_128"] = _one_or_all([clip.xxh3 for clip in clips])
    asked: dict[str, Any] = {"question": question.question}
    if question.parts:
        heard = iter(clips)
        content = [
            {"type": "text", "text": part} if isinstance(part, str) else {"type": "audio", "audio": next(heard).audio}
            for part in question.parts
        ]
        asked = {"messages": [{"role": "user", "content": content}]}
    elif clips:
        asked["audio"] = clips[0].audio
    optional = {
        "choices": list(question.choices) or None,
        "kind": question.kind or None,
        "reasoning": question.reasoning,
    }
    return {
        "id": question.identity,
        **asked,
        "answer": question.answer,
        "verifier": question.verifier,
        **{key: value for key, value in optional.items() if value is not None},
        "extra": {**question.extra, "source": source},
    }


def _one_or_all(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _check(line: dict[str, Any], referee: Referee) -> None:
    """As `read_manifest` will, and by the line's own verifier. Raises LeftOut."""
    problems: list[Problem] = []
    written = json.dumps(line).encode()
    if len(written) > MAX_LINE_BYTES:
        raise LeftOut(f"longer than the {MAX_LINE_BYTES:,} bytes of a manifest's line")
    example = parse_line(written, "row", 0, problems)
    if example is None:
        raise LeftOut(f"{problems[0].path.removeprefix('row:0.')}: {problems[0].what}")
    if problem := referee(example.prompt):
        raise LeftOut(problem)


def _write(plan: Import, layout: RowFiles, journal: Journal) -> Imported:
    """Manifests, what was left out, and where it all is from: the manifests last, for they say that all is there."""
    lines, left_out = Counter[str](), Counter[str]()
    listing = ""
    for outcome in journal.outcomes():
        if outcome.line:
            lines[outcome.manifest] += 1
        else:
            left_out[outcome.reason] += 1
            listing += json.dumps({"where": outcome.where, "reason": outcome.reason}, ensure_ascii=False) + "\n"
    if not lines:
        journal.remove()
        why = ", ".join(f"{reason}: {count}" for reason, count in left_out.most_common(3))
        raise SourceError(str(plan.source), f"no row can be used ({why})", f"the layout of {plan.name}")
    if listing:
        artifacts.write_text(str(plan.out / f"{plan.name}.left_out.jsonl"), listing)
    provenance = {
        "importer": plan.name,
        "about": dict(plan.importer.about or {}),
        "source": str(plan.source.resolve()),
        "imported": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "files": [_described(path, checksums=plan.checksums) for _, path in layout.files],
        "rows": journal.count,
        "manifests": {f"{name}.jsonl": count for name, count in sorted(lines.items())},
        "left_out": dict(left_out.most_common()),
    }
    artifacts.write_json(str(plan.out / f"{plan.name}.provenance.json"), provenance)
    written = {}
    for name, count in sorted(lines.items()):
        path = plan.out / f"{name}.jsonl"
        write_manifest(str(path), _examples(journal, name, str(path)))
        written[str(path)] = count
    list_of = str(plan.out / f"{plan.name}.left_out.jsonl") if listing else ""
    return Imported(written, journal.count, dict(left_out.most_common()), list_of)


def _examples(journal: Journal, name: str, uri: str) -> Iterator[Example]:
    for number, outcome in enumerate(journal.outcomes(), start=1):
        if outcome.line and outcome.manifest == name:
            problems: list[Problem] = []
            example = parse_line(json.dumps(outcome.line).encode(), uri, number, problems)
            if example is None:
                raise ManifestError(problems)
            yield example


def _described(path: Path, *, checksums: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"path": str(path), "bytes": path.stat().st_size}
    if checksums:
        with path.open("rb") as file:
            found["xxh3_128"] = hashlib.file_digest(file, xxhash.xxh3_128).hexdigest()
    return found


def _state_of(plan: Import, layout: RowFiles) -> str:
    """Tells this import from one of another source, or of the same after it changed."""
    files = [(str(path), (s := path.stat()).st_size, s.st_mtime_ns) for _, path in layout.files]
    return xxhash.xxh3_128_hexdigest(json.dumps([plan.name, dict(plan.columns), files, plan.checksums]).encode())
