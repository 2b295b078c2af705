"""Files put onto the mesh's volume: whole or not at all, below one folder, and on from where they were cut off."""

import asyncio
import random
import threading
from pathlib import Path

import grpc
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from earwitness.cli.commands import app
from earwitness.client import Mesh, NotAllowed, Refused
from earwitness.errors import InfrastructureError, InputError
from earwitness.jobs.uploads import Uploads
from earwitness.log import get_logger
from earwitness.pushing import PIECE_BYTES, push
from earwitness.rpc.interceptors import AsyncGuard
from earwitness.rpc.server import OPTIONS
from earwitness.wire.jobs.v1 import jobs_pb2_grpc
from services.jobs.servicer import JobService


def digest(data: bytes) -> bytes:
    return xxhash.xxh3_128_digest(data)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@given(st.binary(max_size=200), st.lists(st.tuples(st.integers(0, 220), st.integers(0, 90)), max_size=12))
def test_whatever_is_sent_in_whatever_order_the_file_is_whole_or_absent(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, pieces: list[tuple[int, int]]
) -> None:
    """Pieces twice, out of order, after a lost answer: what is held is a beginning of the file and never shrinks."""
    root = tmp_path_factory.mktemp("volume")
    uploads, before = Uploads(root), 0
    for start, length in pieces:
        held = uploads.put("a/clip.wav", len(content), digest(content), min(start, len(content)),
                           content[min(start, len(content)) :][:length])  # fmt: skip
        target = root / "a" / "clip.wav"
        assert held >= before or (before == len(content) and start == 0)  # from the begin anew: asked for
        assert not target.exists() or target.read_bytes() == content
        before = held
    held = uploads.put("a/clip.wav", len(content), digest(content), 0, b"")
    while held < len(content):
        held = uploads.put("a/clip.wav", len(content), digest(content), held, content[held : held + 50])
    assert (root / "a" / "clip.wav").read_bytes() == content


def test_an_older_file_of_the_name_stands_until_the_new_one_is_whole_and_right(tmp_path: Path) -> None:
    uploads, old, new = Uploads(tmp_path), b"old", b"new content"
    (tmp_path / "m.jsonl").write_bytes(old)
    uploads.put("m.jsonl", len(new), digest(new), 0, new[:5])
    assert (tmp_path / "m.jsonl").read_bytes() == old
    with pytest.raises(InputError, match="not what its checksum says"):
        uploads.put("m.jsonl", len(new), digest(new), 5, b"spoilt")
    assert files(tmp_path) == {"m.jsonl": old}  # and nothing of the spoilt one
    assert uploads.put("m.jsonl", len(new), digest(new), 0, b"") == 0
    assert uploads.put("m.jsonl", len(new), digest(new), 0, new) == len(new)
    assert files(tmp_path) == {"m.jsonl": new}


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "/etc/x", "", ".", "..", "a/", "s3://bucket/x", "out/x", "a\nb", "x" * 5000, "folder"]
)
def test_nothing_is_written_outside(tmp_path: Path, path: str) -> None:
    root, outside = tmp_path / "volume", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "out").symlink_to(outside)
    (root / "folder").mkdir()
    with pytest.raises(InputError):
        Uploads(root).put(path, 1, digest(b"x"), 0, b"x")
    assert files(tmp_path) == {}


def test_a_path_may_be_that_of_recipes(tmp_path: Path) -> None:
    assert Uploads(tmp_path).put(f"{tmp_path}/data/x", 1, digest(b"x"), 0, b"x") == 1
    assert files(tmp_path) == {"data/x": b"x"}


@pytest.mark.parametrize(
    ("size", "checksum", "data", "said"),
    [(1, b"short", b"x", "16"), (1, digest(b"x"), b"xy", "at most 1"), (2, digest(b"x"), b"xx", "checksum")],
)
def test_a_piece_that_cannot_be_is_refused(tmp_path: Path, size: int, checksum: bytes, data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Uploads(tmp_path).put("x", size, checksum, 0, data)
    assert files(tmp_path) == {}


def test_a_disk_that_takes_nothing_is_not_the_callers_fault(tmp_path: Path) -> None:
    """/dev/full stands for a volume without room."""
    uploads, content = Uploads(tmp_path), b"x" * 10
    uploads.put("x", 11, digest(content), 0, b"")
    partial = tmp_path / f".{xxhash.xxh3_128_hexdigest(b'x' + digest(content))}.part"
    partial.symlink_to("/dev/full")
    with pytest.raises(InfrastructureError, match="No space left"):
        uploads.put("x", 10, digest(content), 0, content)


def test_two_who_send_the_same_file_make_one(tmp_path: Path) -> None:
    content = random.Random(1).randbytes(200_000)

    def send() -> None:
        uploads = Uploads(tmp_path)
        held = uploads.put("x", len(content), digest(content), 0, b"")
        while held < len(content):
            held = uploads.put("x", len(content), digest(content), held, content[held : held + 5000])

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "x").read_bytes() == content


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What is pushed: a manifest, clips, one of two pieces and a half, an empty file; links and hidden ones."""
    source, bytes_of = tmp_path / "source", random.Random(7).randbytes
    (source / "clips").mkdir(parents=True)
    (source / "train.jsonl").write_bytes(b"{}\n")
    (source / "clips" / "a.wav").write_bytes(bytes_of(1000))
    (source / "clips" / "twin.wav").symlink_to(source / "clips" / "a.wav")
    (source / "model.safetensors").write_bytes(bytes_of(PIECE_BYTES * 5 // 2))
    (source / "empty").touch()
    (source / ".cache").mkdir()
    (source / ".cache" / "lock").write_text("left out")
    return source


def test_a_push_that_was_cut_off_sends_the_rest_only(tmp_path: Path, folder: Path) -> None:
    uploads, volume, calls = Uploads(tmp_path / "volume"), tmp_path / "volume", 0

    def breaks(*piece: object) -> int:
        nonlocal calls
        calls += bool(piece[4])
        if calls == 4:
            raise ConnectionError("the way broke")
        return uploads.put(*piece)  # type: ignore[arg-type]

    with pytest.raises(InfrastructureError, match="the way broke"):
        push(str(folder), "data", breaks)
    first = sum(len(data) for data in files(volume).values())
    told: list[tuple[int, int]] = []
    pushed = push(str(folder), "data", uploads.put, lambda done, total: told.append((done, total)))
    expected = {f"data/{name}": data for name, data in files(folder).items() if not name.startswith(".")}
    assert files(volume) == expected
    assert pushed.files == 5
    assert pushed.bytes == sum(map(len, expected.values()))
    assert pushed.sent == pushed.bytes - first
    assert told[-1] == (pushed.bytes, pushed.bytes)
    assert push(str(folder), "data", uploads.put).sent == 0
    assert push(str(folder / "train.jsonl"), "other", uploads.put).files == 1
    assert (volume / "other" / "train.jsonl").read_bytes() == b"{}\n"


def test_links_to_folders_and_empty_sources_are_named(tmp_path: Path, folder: Path) -> None:
    (folder / "more").symlink_to(folder / "clips")
    with pytest.raises(InputError, match="more: is a link to a folder"):
        push(str(folder), "data", Uploads(tmp_path).put)
    for nothing in (tmp_path / "absent", folder / ".cache"):
        with pytest.raises(InputError):
            push(str(nothing / "none"), "data", Uploads(tmp_path).put)


async def test_the_command_pushes_through_a_real_jobs_service(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = grpc.aio.server(interceptors=[AsyncGuard("word", get_logger("jobs"))], options=OPTIONS)
    volume = tmp_path / "volume"
    service = JobService(None, None, Uploads(volume))  # type: ignore[arg-type]  # neither is asked
    jobs_pb2_grpc.add_JobServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    monkeypatch.setenv("EW_ADDRESS", f"127.0.0.1:{port}")
    try:
        command = ["model", "push", str(folder), "models/toy", "--token", "word"]
        refused = await asyncio.to_thread(CliRunner().invoke, app, command)
        assert refused.exit_code == 1
        assert "no config.json" in refused.output
        (folder / "config.json").write_text("{}")
        pushed = await asyncio.to_thread(CliRunner().invoke, app, command)
        assert "models/toy: 6 files, 10.0 MiB, of them 10.0 MiB sent now" in pushed.output
        assert (volume / "models/toy/model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
        outside = await asyncio.to_thread(CliRunner().invoke, app, [*command[:3], "../out", "--token", "word"])
        assert outside.exit_code == 1
        assert "is not within" in outside.output

        def too_much() -> None:
            with Mesh.connect(token="word") as mesh, pytest.raises(Refused, match="at most"):
                mesh.put_file("x", 2 * PIECE_BYTES, digest(b""), 0, bytes(2 * PIECE_BYTES))
            with Mesh.connect(token="other") as mesh, pytest.raises(NotAllowed):
                mesh.put_file("x", 1, digest(b""), 0, b"")

        await asyncio.to_thread(too_much)
    finally:
        await server.stop(None)
