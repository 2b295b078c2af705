"""Files in a job's folder: written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf import json_format

from earwitness import storage
from earwitness.json_text import parsed
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire


def write_bytes(uri: str, data: bytes) -> None:
    """Write a file; a reader sees the old one or the new one."""
    fs, path = storage.store(uri)
    fs.makedirs(storage.parent(path), exist_ok=True)
    partial = f"{path}.part"
    with fs.open(partial, "wb") as file:
        file.write(data)
    fs.mv(partial, path)


def read_bytes(uri: str) -> bytes:
    """A file, whole."""
    fs, path = storage.store(uri)
    with fs.open(path, "rb") as file:
        data: bytes = file.read()
    return data


def write_text(uri: str, text: str) -> None:
    """Write a UTF-8 file, as `write_bytes` does."""
    write_bytes(uri, text.encode())


def read_text(uri: str) -> str:
    """A UTF-8 file."""
    return read_bytes(uri).decode()


def exists(uri: str) -> bool:
    """True if there is such a file."""
    fs, path = storage.store(uri)
    return bool(fs.isfile(path))


def write_json(uri: str, value: Any) -> None:
    """Write a value as JSON."""
    write_text(uri, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(uri: str) -> Any:
    """The value of a JSON file. Raises ValueError, also for what nests too deeply."""
    return parsed(read_text(uri))


def write_groups(uri: str, groups: Iterable[wire.Group]) -> None:
    """Write groups as JSON lines, in the field names of the wire."""
    lines = (
        json.dumps(json_format.MessageToDict(g, preserving_proto_field_name=True), ensure_ascii=False) for g in groups
    )
    write_text(uri, "".join(f"{line}\n" for line in lines))


def read_groups(uri: str) -> Sequence[wire.Group]:
    """The groups of `write_groups`. Fields that are no more are skipped, as on the wire."""
    return [
        json_format.Parse(line, wire.Group(), ignore_unknown_fields=True)
        for line in read_text(uri).splitlines()
        if line
    ]


def outline(group: wire.Group) -> wire.Group:
    """The group without texts: where it was, under which versions, and what it earned."""
    task = group.task
    small = wire.Group(worker=group.worker, passages=group.passages)
    small.task.run_id, small.task.ordinal, small.task.lineage = task.run_id, task.ordinal, task.lineage
    small.task.min_version, small.task.traceparent = task.min_version, task.traceparent
    small.task.prompt.kind = task.prompt.kind
    for trajectory in group.trajectories:
        earned = trajectory.reward
        small.trajectories.add(
            index=trajectory.index,
            versions=trajectory.versions,
            reward=wire.Reward(total=earned.total, correct=earned.correct, drop_reason=earned.drop_reason),
        )
    return small


def compact(group: wire.Group) -> wire.Group:
    """The group without what only training needs: log-probs and prompt tokens."""
    small = wire.Group()
    small.CopyFrom(group)
    del small.prompt_token_ids[:]
    for trajectory in small.trajectories:
        del trajectory.logprobs[:]
        del trajectory.reference_logprobs[:]
    return small
