"""Sources that were made to do harm: a typed error that says what, and nothing written."""

import base64
import gzip
import io
import json
import os
import pickle
import struct
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from earwitness.data.importing import import_data
from earwitness.data.question import SourceError

sys.path.insert(0, str(Path(__file__).parent))

from data_kit import lines, plan, tone, write

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ROW = {"id": 1, "question": "q", "answer": "yes"}


def names(path: str) -> Callable[[Path], Path]:
    return lambda folder: lines(folder / "t.jsonl", ROW, {**ROW, "id": 2, "audio": path})


def a_link_out(folder: Path) -> Path:
    (folder / "sounds").symlink_to("/etc")
    return names("sounds/passwd")(folder)


def tar(change: Callable[[tarfile.TarInfo], object]) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        path = folder / "train-000000.tar"
        with tarfile.open(path, "w") as archive:
            for name, data in (("a.json", json.dumps(ROW).encode()), ("b.wav", tone(300))):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                if name == "b.wav":
                    change(info)
                archive.addfile(info, io.BytesIO(data) if info.isreg() and info.size == len(data) else None)
        return path

    return made


def table():
    return pa.table({"id": ["1"], "question": ["q"], "answer": ["yes"]})


def parquet(metadata: dict[bytes, bytes]) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        pq.write_table(table().replace_schema_metadata(metadata), folder / "t.parquet")
        return folder / "t.parquet"

    return made


def pickled_column(folder: Path) -> Path:
    """The extension type that pyarrow before 14.0.1 unpickles as it opens a file (CVE-2023-47248)."""
    evil = {"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": base64.b64encode(EVIL)}
    field = pa.field("answer", pa.string(), metadata=evil)
    schema = pa.schema([pa.field("id", pa.string()), pa.field("question", pa.string()), field])
    with pa.OSFile(str(folder / "t.arrow"), "wb") as file, pa.ipc.new_stream(file, schema) as writer:
        writer.write_table(table().cast(schema))
    return folder / "t.arrow"


def offsets_that_lead_out(folder: Path) -> Path:
    """A choice that ends before it begins: nothing looks at offsets within lists unless it is asked to."""
    rows = table().append_column("choices", pa.array([["yes", "no"]]))
    with pa.OSFile(str(folder / "t.arrow"), "wb") as file, pa.ipc.new_stream(file, rows.schema) as writer:
        writer.write_table(rows)
    data = (folder / "t.arrow").read_bytes()
    last = data.rindex(struct.pack("<iii", 0, 3, 5))
    return write(folder / "t.arrow", data[: last + 4] + struct.pack("<i", -5) + data[last + 8 :])


def claims_10_gb(folder: Path) -> Path:
    """A footer whose row group says 10 GB: the number that stands there is changed where it is written."""
    path = folder / "t.parquet"
    pq.write_table(table(), path)
    data, size = path.read_bytes(), pq.ParquetFile(path).metadata.row_group(0).total_byte_size
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    footer, old, new = data[start:-8], varint(size), varint(10 * 1024**3)
    at = footer.rfind(b"\x16" + old)  # thrift: a field of 64 bits behind the last
    footer = footer[: at + 1] + new + footer[at + 1 + len(old) :]
    path.write_bytes(data[:start] + footer + len(footer).to_bytes(4, "little") + data[-4:])
    return path


def varint(value: int) -> bytes:
    value, found = value << 1, b""  # zigzag
    while value > 0x7F:
        found, value = found + bytes([value & 0x7F | 0x80]), value >> 7
    return found + bytes([value])


EVIL = pickle.dumps(ROW)

HOSTILE = {
    "a path outside": (names("../../../etc/passwd"), "leads out of"),
    "a path inside a path outside": (names("a/../../x.wav"), "leads out of"),
    "an absolute path": (names("/etc/passwd"), "leads out of"),
    "a path of Windows": (names("..\\..\\x.wav"), "leads out of"),
    "a path that steers the terminal": (names("\x1b[2J.wav"), "is not a path"),
    "a link that leads out": (a_link_out, "leads out of"),
    "a tar member outside": (tar(lambda info: setattr(info, "name", "../b.wav")), "leads out of"),
    "a tar member with an absolute path": (tar(lambda info: setattr(info, "name", "/b.wav")), "leads out of"),
    "a tar member that is a link": (tar(lambda info: setattr(info, "type", tarfile.SYMTYPE)), "is a link"),
    "a tar member that is a device": (tar(lambda info: setattr(info, "type", tarfile.CHRTYPE)), "is a link"),
    "a tar member of 10 GB": (tar(lambda info: setattr(info, "size", 10 * 1024**3)), "claims 10,737,418,240 bytes"),
    "a tar that ends early": (tar(lambda info: setattr(info, "size", 1024**2)), "the file ends before"),
    "a tar that is none": (lambda folder: write(folder / "x.tar", b"\0" * 100 + b"x" * 5000), "is damaged"),
    "a pickle in parquet metadata": (parquet({b"pandas": EVIL}), "pickled object"),
    "a pickle as base64": (parquet({b"x": base64.b64encode(EVIL)}), "pickled object"),
    "a pickle of protocol 0": (parquet({b"x": b"c__builtin__\neval\n(V1\ntR."}), "pickled object"),
    "a column to be unpickled": (pickled_column, "pickled object"),
    "a row group of 10 GB": (claims_10_gb, "claims 10,737,418,240 bytes"),
    "a parquet that is none": (lambda folder: write(folder / "t.parquet", b"PAR1" + b"x" * 100), "cannot be read"),
    "a parquet that ends early": (
        lambda folder: write(folder / "t.parquet", parquet({})(folder).read_bytes()[:-20]), "cannot be read",
    ),
    "an Arrow file that is none": (lambda folder: write(folder / "t.arrow", b"\xff" * 200), "cannot be read"),
    "an Arrow file whose offsets lead out of it": (offsets_that_lead_out, "cannot be read"),
    "a line without end": (lambda folder: write(folder / "t.jsonl", b'{"a": "' + b"x" * 17_000_000), "longer than 16"),
    "nested without end": (lambda folder: write(folder / "t.json", b"[" * 100_000), "not JSON"),
    "a key twice": (lambda folder: write(folder / "t.jsonl", '{"id": 1, "question": "q", "id": 2}'), "same key twice"),
    "a clip of a conversation outside": (
        lambda folder: lines(folder / "t.jsonl", {**ROW, "messages": [{"role": "user", "content": [
            {"type": "text", "text": "q"}, {"type": "audio", "audio": "../../x.wav"}]}]}), "leads out of",
    ),
    "a clip beside a conversation outside": (
        lambda folder: lines(
            folder / "t.jsonl",
            {"id": 1, "prompt": [{"role": "user", "content": "<audio>?"}], "audios": ["/etc/passwd"], "answer": "x"},
        ), "leads out of",
    ),
    "a compressed tar": (
        lambda folder: write(folder / "x.tar", gzip.compress(tar(lambda info: None)(folder).read_bytes())),
        "is damaged",
    ),
    "a list of no objects": (lambda folder: write(folder / "t.json", b"[1]"), "a JSON int"),
    "a field without end": (lambda folder: write(folder / "t.csv", b"id,question\n1," + b"x" * 2_000_000), "not CSV"),
    "a quote without end": (lambda folder: write(folder / "t.csv", b'id,question\n1,"x'), "not CSV"),
    "bytes that are no text": (lambda folder: write(folder / "t.csv", b"id,question\n1,\xff\xfe"), "not CSV"),
    "a saved split that names files outside": (
        lambda folder: write(
            folder / "ds/state.json", json.dumps({"_data_files": [{"filename": "../../x.arrow"}]})
        ).parent,
        "leads out of",
    ),
    "splits outside": (
        lambda folder: write(folder / "ds/dataset_dict.json", json.dumps({"splits": ["../.."]})).parent, "leads out of",
    ),
    "a pipe": (lambda folder: os.mkfifo(folder / "t.parquet") or folder / "t.parquet", "is a device"),
    "a device": (lambda folder: (folder / "t.arrow").symlink_to("/dev/zero") or folder / "t.arrow", "is a device"),
    "nothing": (lambda folder: write(folder / "t.jsonl", ""), "no row can be used"),
    "no folder": (lambda folder: folder / "gone", "no such file"),
    "another layout": (lambda folder: lines(folder / "t.jsonl", {"x": 1}), "no question: 1"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_source_is_refused_and_nothing_is_written(tmp_path: Path, kind: str) -> None:
    make, words = HOSTILE[kind]
    (tmp_path / "in").mkdir()
    source, out = make(tmp_path / "in"), tmp_path / "out"
    with pytest.raises(SourceError, match=words):
        import_data(plan("generic", source, out), lambda done, total: None)
    assert not out.exists()


def test_a_wav_that_claims_2_gb_is_left_out(tmp_path: Path) -> None:
    wav = bytearray(tone(300))
    wav[40:44] = (1_900_000_000).to_bytes(4, "little")  # bytes of the chunk `data`
    write(tmp_path / "in/x.wav", bytes(wav))
    source = lines(tmp_path / "in/t.jsonl", ROW, {**ROW, "id": 2, "audio": "x.wav"})
    done = import_data(plan("generic", source, tmp_path / "out"), lambda done, total: None)
    assert list(done.manifests.values()) == [1]
    assert [reason.startswith("audio: ") for reason in done.left_out] == [True]


def test_links_within_a_cache_of_the_hub_are_followed(tmp_path: Path) -> None:
    """`snapshots/REVISION` holds nothing but links to `blobs` two folders above."""
    revision = tmp_path / "datasets--a--b/snapshots/0123"
    write(tmp_path / "datasets--a--b/blobs/abc", tone(300))
    lines(tmp_path / "datasets--a--b/blobs/def", {**ROW, "file_name": "x.wav"})
    revision.mkdir(parents=True)
    (revision / "x.wav").symlink_to("../../blobs/abc")
    (revision / "metadata.jsonl").symlink_to("../../blobs/def")
    done = import_data(plan("generic", revision, tmp_path / "out"), lambda done, total: None)
    assert list(done.manifests.values()) == [1]
    assert not done.left_out
