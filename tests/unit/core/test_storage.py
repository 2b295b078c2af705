"""URIs: what they mean, which are refused, and how far a file is read."""

from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earwitness import storage
from earwitness.errors import InfrastructureError
from earwitness.storage import StorageError


@pytest.mark.parametrize(
    ("uri", "folder", "joined"),
    [
        ("m.jsonl", ".", "./a.wav"),
        ("sets/m.jsonl", "sets", "sets/a.wav"),
        ("/sets/m.jsonl", "/sets", "/sets/a.wav"),
        ("/m.jsonl", "/", "/a.wav"),
        ("file:///sets/m.jsonl", "file:///sets", "file:///sets/a.wav"),
        ("s3://bucket/sets/m.jsonl", "s3://bucket/sets", "s3://bucket/sets/a.wav"),
        ("s3://bucket/m.jsonl", "s3://bucket", "s3://bucket/a.wav"),
    ],
)
def test_a_path_starts_from_the_folder_of_its_manifest(uri: str, folder: str, joined: str) -> None:
    assert storage.parent(uri) == folder
    assert storage.join(folder, "a.wav") == joined
    assert storage.join(folder, "/b.wav") == "/b.wav"
    assert storage.join(folder, "s3://b/b.wav") == "s3://b/b.wav"


@pytest.mark.parametrize(
    ("uri", "resolved"),
    [
        ("a/b", "/base/a/b"),
        ("../b", "/b"),
        ("./b", "/base/b"),
        ("~user", "/base/~user"),
        ("/b", "/b"),
        ("s3://x/../y", "s3://x/../y"),
    ],
)
def test_relative_paths_start_from_the_base(uri: str, resolved: str) -> None:
    assert storage.absolute(uri, "/base") == resolved


def test_home_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert storage.absolute("~/runs", "/base") == "/home/me/runs"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_an_absolute_path_stays(path: str) -> None:
    once = storage.absolute(path, "/base")
    assert storage.is_absolute(once)
    assert storage.absolute(once, "/other") == once


@pytest.mark.parametrize(
    "uri",
    [
        "http://host/x",
        "ssh://host/x",
        "reference://",
        "github://a:b@/x",
        "simplecache::s3://b/x",
        "a\nb",
        "a\0b",
        "a\x9bb",
        "a\u2028b",
        "a\udcffb",
        "x" * 5000,
    ],
)
def test_uris_that_jobs_may_not_use_are_refused(uri: str) -> None:
    for use in (storage.check_scheme, storage.open_to_read):
        with pytest.raises(StorageError):
            use(uri)


@pytest.mark.parametrize(
    "name", ["at\u202f3.wav", "a\u00a0b.wav", "\u3000.wav", "👨\u200d👩\u200d👧.wav", "e\u0301\ufeff.wav"]
)
def test_names_with_unusual_spaces_and_joiners_are_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"sound")
    assert storage.read_bytes(str(tmp_path / name), 10) == b"sound"


def test_a_store_without_its_package_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(uri: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(StorageError, match=r"s3://b/x: needs a package that is not installed \(Install s3fs"):
        storage.open_to_read("s3://b/x")


def test_reading_stops_at_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(bytes(2048))
    assert len(storage.read_bytes(str(path), 2048)) == 2048
    with pytest.raises(StorageError, match="larger than 1 KiB; expected at most 1 KiB"):
        storage.read_bytes(str(path), 1024)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for name, what in [("gone", "no such file"), ("file/below", "no such file"), ("", "cannot be read")]:
        with pytest.raises(StorageError, match=what):
            storage.open_to_read(str(tmp_path / name))


def test_a_line_is_read_up_to_its_limit_on_every_store() -> None:
    with fsspec.open("memory://long/line", "wb") as file:
        file.write(b"x" * 10_000)
    with storage.open_to_read("memory://long/line") as file:
        assert len(file.readline(100)) == 100


def test_every_error_of_a_store_has_a_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for uri in ("/proc/self/mem", str(tmp_path / "loop"), str(tmp_path / ("n" * 300)), str(tmp_path)):
        with pytest.raises(StorageError) as wrong:
            storage.read_bytes(uri, 100)
        assert wrong.value.field == uri and "cannot be read" in wrong.value.problem

    class Driver:
        """A remote store whose library has errors of its own."""

        def __init__(self, error: Exception) -> None:
            self.error = error

        def open(self, path: str, mode: str) -> None:
            raise self.error

    for error in (
        RuntimeError("no credentials"),
        TimeoutError("slow"),
        ConnectionResetError(104, "reset"),
        OSError(116, ""),
    ):
        monkeypatch.setattr(storage, "store", lambda uri, error=error: (Driver(error), uri))
        with pytest.raises(InfrastructureError, match="s3://bucket/clip"):
            storage.read_bytes("s3://bucket/clip.wav", 100)


def test_a_file_has_one_path_however_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "a b#1?.txt").write_text("here")
    for uri in (f"{tmp_path}/a b#1?.txt", f"file://{tmp_path}/a b#1?.txt", f"file://{tmp_path}/a%20b%231%3f.txt"):
        assert storage.local_path(uri) == tmp_path / "a b#1?.txt"
        assert storage.read_bytes(uri, 10) == b"here"
        fs, path = storage.store(uri)
        assert fs.cat_file(path) == b"here"
    with pytest.raises(StorageError, match="s3://bucket/model: is not on a file system"):
        storage.local_path("s3://bucket/model")
