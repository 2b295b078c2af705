"""A manifest of any length is read once, and then an example at a time."""

import json
from pathlib import Path

import pytest

from earwitness.errors import InputError
from earwitness.manifest import ManifestError, read_manifest
from earwitness.manifest_index import IndexedManifest, index_manifest, read_index, write_index


def line(identity: str, **fields: object) -> str:
    return json.dumps({"id": identity, "question": "wie läuft’s?", "answer": "a", "verifier": "text"} | fields)


def manifest(folder: Path, lines: list[str]) -> str:
    (folder / "m.jsonl").write_text("\n".join(lines), encoding="utf-8")  # without a newline at the end
    return str(folder / "m.jsonl")


def nothing(*_: object) -> None:
    pass


def test_every_example_is_found_where_it_stands(tmp_path: Path) -> None:
    lines = [line(f"ü{n}", extra={"pad": "x" * (n * 37 % 400)}) for n in range(300)]
    uri = manifest(tmp_path, [*lines[:100], "", "   ", *lines[100:]])
    whole, seen = read_manifest(uri), []
    offsets = index_manifest(uri, seen.append, nothing)
    write_index(str(tmp_path / "index" / "m.lines"), offsets)
    with IndexedManifest(uri, read_index(str(tmp_path / "index" / "m.lines"))) as examples:
        assert seen == whole
        assert [examples[n] for n in reversed(range(300))] == whole[::-1]
        assert (examples[-1], examples[5:9]) == (whole[-1], whole[5:9])
        with pytest.raises(IndexError):
            examples[300]


def test_what_is_wrong_with_it_is_what_reading_it_finds(tmp_path: Path) -> None:
    for lines in (
        [line("a"), "", line("b"), line("a"), line("c"), line("b")],
        [line("a"), "{", line("b", verifier="guess")],
        [""],
    ):
        uri = manifest(tmp_path, lines)
        with pytest.raises(ManifestError) as read:
            read_manifest(uri)
        with pytest.raises(ManifestError) as indexed:
            index_manifest(uri, nothing, nothing)
        assert indexed.value.problems == read.value.problems


def test_a_limit_ends_the_reading_and_a_refusal_too(tmp_path: Path) -> None:
    uri = manifest(tmp_path, [line("a"), line("b"), "{"])
    assert len(index_manifest(uri, nothing, nothing, limit=2)) == 2

    def refuse(example: object) -> None:
        raise InputError("data.x", "no", "yes")

    with pytest.raises(InputError, match=r"data\.x"):
        index_manifest(uri, refuse, nothing)


def test_a_manifest_that_has_changed_since_is_said(tmp_path: Path) -> None:
    uri = manifest(tmp_path, [line("a"), line("b")])
    offsets = index_manifest(uri, nothing, nothing)
    manifest(tmp_path, ["", line("a"), line("b")])
    with IndexedManifest(uri, offsets) as examples, pytest.raises(ManifestError, match=r"m\.jsonl:2: not JSON"):
        examples[1]
