"""The installer against indexes made here: a planted fault is one line that says what to do."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import socket
import struct
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

PROGRAM = Path(__file__).parents[2] / ".ci" / "install.py"


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The program; its pip knows nothing of this machine and installs into `tmp_path`/site."""
    for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "site"))
    spec = importlib.util.spec_from_file_location("install", PROGRAM)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 2)
    return module


def wheel(index: Path, name: str, version: str, tag: str, content: str) -> str:
    """A wheel in a simple index; its SHA-256."""
    folder = index / name
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}.py", content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")
    page = "".join(f'<a href="{other.name}">{other.name}</a>\n' for other in sorted(folder.glob("*.whl")))
    (folder / "index.html").write_text(f"<html><body>{page}</body></html>")
    return hashlib.sha256(file.read_bytes()).hexdigest()


def entry(name: str, version: str, sha256: str) -> str:
    return f"{name}=={version} --hash=sha256:{sha256}"


def one_line(failure: pytest.ExceptionInfo[Exception]) -> str:
    text = str(failure.value)
    assert "\n" not in text and "Traceback" not in text
    return text


@pytest.fixture
def resetting() -> Iterator[str]:
    """Address of a server that resets every connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield address
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


PLATFORM = "py3-none-manylinux_2_17_x86_64"


def test_the_wheel_with_its_library_is_taken_though_an_index_lists_the_pure_one_first(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(tmp_path / "first", "soundfile", "1.0", "py2.py3-none-any", "library = None\n")
    sha256 = wheel(tmp_path / "second", "soundfile", "1.0", PLATFORM, "library = 'inside'\n")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "first").as_uri())
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", (tmp_path / "second").as_uri())
    install.from_lock(sys.executable, [entry("soundfile", "1.0", sha256)])
    assert (tmp_path / "site" / "soundfile.py").read_text() == "library = 'inside'\n"


def test_an_index_with_the_pure_wheel_alone_is_refused(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(tmp_path / "first", "soundfile", "1.0", "py2.py3-none-any", "library = None\n")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "first").as_uri())
    with pytest.raises(install.Failure) as failure:
        install.from_lock(sys.executable, [entry("soundfile", "1.0", "0" * 64)])
    text = one_line(failure)
    assert "soundfile" in text and "another file than the lock's" in text and str(tmp_path / "first") in text
    assert not (tmp_path / "site").exists()


def test_torch_comes_with_cuda_where_its_own_index_does_not_answer(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sha256 = wheel(tmp_path / "index", "torch", "2.0", PLATFORM, "cuda = True\n")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "index").as_uri())
    monkeypatch.setattr(install, "version_installed", lambda *_: None)
    monkeypatch.setattr(install, "PROBE_SECONDS", 0.2)
    monkeypatch.setattr(install, "CUDA_LOCK", tmp_path / "cuda.lock")
    install.CUDA_LOCK.write_text(entry("torch", "2.0", sha256) + "\n")
    with socket.create_server(("127.0.0.1", 0)) as black_hole:  # accepts, and never says a word
        monkeypatch.setattr(install, "PYTORCH_INDEX", f"http://127.0.0.1:{black_hole.getsockname()[1]}")
        install.install_torch(sys.executable, entry("torch", "2.0+cpu", "0" * 64), 1)
        assert (tmp_path / "site" / "torch.py").read_text() == "cuda = True\n"
        assert install.CUDA_SIZE in capsys.readouterr().out
        install.CUDA_LOCK.write_text(entry("torch", "3.0", sha256) + "\n")
        with pytest.raises(install.Failure) as failure:
            install.install_torch(sys.executable, entry("torch", "2.0+cpu", "0" * 64), 1)
    assert "torch==3.0" in one_line(failure) and "torch==2.0+cpu" in one_line(failure)


def test_a_proxy_that_resets_is_named(install: ModuleType, monkeypatch: pytest.MonkeyPatch, resetting: str) -> None:
    monkeypatch.setenv("PIP_PROXY", resetting)
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.invalid/simple")
    with pytest.raises(install.Failure) as failure:
        install.reach(sys.executable, entry("attrs", "1.0", "0" * 64))
    assert "proxy" in one_line(failure) and "attrs" in one_line(failure)


def test_an_index_that_is_not_there_is_named(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch, resetting: str
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", resetting)
    with pytest.raises(install.Failure) as failure:
        install.reach(sys.executable, entry("attrs", "1.0", "0" * 64))
    assert "attrs" in one_line(failure) and resetting in one_line(failure) and "pip config" in one_line(failure)


def test_no_room_and_no_shared_memory_are_said_before_anything_is_fetched(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "NEEDED_BYTES", 1 << 60)
    with pytest.raises(install.Failure, match="make room") as failure:
        install.check_room(tmp_path)
    assert str(tmp_path) in one_line(failure)
    monkeypatch.setattr(install, "NEEDED_BYTES", 0)
    with pytest.raises(install.Failure, match="mount a tmpfs") as failure:
        install.check_room(tmp_path, shm=str(tmp_path / "shm"))
    assert str(tmp_path / "shm") in one_line(failure)


def test_a_library_that_no_package_brings_is_said_before_anything_is_fetched(install: ModuleType) -> None:
    with pytest.raises(install.Failure, match=r"libnone\.so\.1.*apt install libnuma1") as failure:
        install.check_libraries("libnone.so.1")
    one_line(failure)
    install.check_libraries("libc.so.6")


def test_an_archive_that_does_not_fit_is_said(install: ModuleType) -> None:
    written = "Collecting torch==2.0\nERROR: Could not install packages: [Errno 28] No space left on device\n"
    assert install.reason(written).startswith("torch==2.0: the disk is full")


def test_python_3_10_alone_is_refused(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\necho 3.10\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(old))
    assert install.main(tmp_path / "venv") == 1
    said = capsys.readouterr().err.strip()
    assert "\n" not in said and "3.11 or 3.12 or 3.13" in said and str(old) in said
    assert not (tmp_path / "venv").exists()


def test_every_entry_of_the_locks_names_its_file(install: ModuleType) -> None:
    for lock in (install.LOCK, install.CUDA_LOCK, install.ROOT / "requirements-gpu.lock"):
        entries = install.entries_of(lock)
        assert entries
        assert [line for line in entries if "--hash=sha256:" not in line] == []
    assert {"torchvision", "torchaudio", "torchcodec"}.isdisjoint(
        install.name_of(line) for lock in (install.LOCK, install.CUDA_LOCK) for line in install.entries_of(lock)
    )
