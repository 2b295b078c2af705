"""The supervisor with real processes and a real Redis.

The five services are stand-ins that only answer health checks: what is tested here is who is started, started again
and stopped. Each also starts a child in a session of its own, as torchrun and vLLM do.
"""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from earwitness.active import ACTIVE, ActiveJob, write_active
from earwitness.errors import InputError
from earwitness.local import control
from earwitness.local.plan import Options
from earwitness.local.sockets import sockets_folder
from earwitness.local.state import MeshFailed, MeshState, NoMesh, read_state
from earwitness.local.sweep import born, tagged
from earwitness.redis_client import connect
from earwitness.redis_server import RedisServer
from earwitness.settings import Settings
from reward.recognise.track import AWAY, NotHeard
from services.recogniser.asking import Asking, Silence
from tests.integration.process_kit import wait_for
from tests.unit.reward.onnx_toy import network, tuned

STAND_IN = """
import os, pathlib, signal, subprocess, sys, threading
from concurrent import futures
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
if os.environ["EW_NAME"] in os.environ.get("BROKEN", "").split(","):
    sys.exit("cannot find the thing it needs")
server = grpc.server(futures.ThreadPoolExecutor(2))
state = health.HealthServicer()
health_pb2_grpc.add_HealthServicer_to_server(state, server)
server.add_insecure_port(os.environ["EW_LISTEN"])
server.start()
state.set("", health_pb2.HealthCheckResponse.SERVING)
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: None if "STUBBORN" in os.environ else stop.set())
stop.wait()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder, with stand-ins for the services; whatever a test leaves behind is ended."""
    package = tmp_path / "stand-ins" / "services"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    for service in ("jobs", "rollout", "reward", "reference", "trainer"):
        (package / f"{service}.py").write_text(STAND_IN)
    # torchrun takes seconds to import torch; the stand-in launcher runs the module after its own options.
    launcher = tmp_path / "stand-ins" / "torch" / "distributed"
    launcher.mkdir(parents=True)
    for init in (launcher.parent, launcher):
        (init / "__init__.py").write_text("")
    (launcher / "run.py").write_text("import runpy\nrunpy.run_module('services.trainer', run_name='__main__')\n")
    here = str(Path(__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "stand-ins"), here]))
    folder = tmp_path / "mesh"
    yield folder
    with suppress(NoMesh):
        control.stop(folder)


def up(folder: Path, **options: object) -> tuple[MeshState, list[str]]:
    lines: list[str] = []
    return control.start_detached(Options(folder, **options), lines.append), lines


def pids(state: MeshState) -> dict[str, int]:
    return {p.name: p.pid for p in state.processes}


def test_up_starts_everything_and_down_leaves_nothing(folder: Path) -> None:
    state, lines = up(folder, rollout=2)
    assert set(pids(state)) == {"queue", "weights", "jobs", "trainer", "rollout-0", "rollout-1", "reward-0"}
    assert all(p.state == "healthy" for p in state.processes)
    assert any("rollout-1: healthy" in line for line in lines)
    assert len(state.token) >= 24
    everyone = [*pids(state).values(), *tagged(state.mesh)]
    assert control.stop(folder) == []
    assert not [p for p in everyone if born(p)]
    assert tagged(state.mesh) == []
    with pytest.raises(NoMesh):
        read_state(folder)


def test_a_killed_process_comes_back_and_its_children_do_not_stay(folder: Path) -> None:
    state, _ = up(folder)
    (before,) = (p for p in state.processes if p.name == "rollout-0")
    of_rollout = tagged(state.mesh, "rollout-0")
    assert len(of_rollout) == 2
    os.kill(before.pid, signal.SIGKILL)

    def back() -> bool:
        now = next(p for p in read_state(folder).processes if p.name == "rollout-0")
        return now.pid not in (0, before.pid) and now.state == "healthy" and now.restarts == before.restarts + 1

    wait_for("rollout-0 to come back", back)
    assert not [p for p in of_rollout if born(p)]


@pytest.mark.parametrize("store", ["queue", "weights"])
def test_a_killed_redis_comes_back_where_it_was(folder: Path, store: str) -> None:
    state, _ = up(folder)
    url = state.queue_url if store == "queue" else state.weights_urls[0]
    client = connect(url)
    client.set("ew:test", "kept")
    # What was written outlives the process, synced or not; a disk that is slow may hold the write itself back.
    wait_for("the append-only file to be written", lambda: not client.info("persistence").get("aof_buffer_length"))
    old = pids(state)[store]
    os.kill(old, signal.SIGKILL)
    wait_for(f"{store} to come back", lambda: pids(read_state(folder))[store] not in (0, old))
    assert connect(url).get("ew:test") == (b"kept" if store == "queue" else None)


def test_a_mesh_whose_supervisor_was_killed_ends_by_itself(folder: Path) -> None:
    state, _ = up(folder)
    os.kill(state.pid, signal.SIGKILL)
    wait_for("the processes to end", lambda: not tagged(state.mesh))
    wait_for("Redis to end", lambda: not born(pids(state)["queue"]))


def test_up_ends_what_a_killed_mesh_left_and_keeps_its_logs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, _ = up(folder)
    sockets = sockets_folder(state.mesh)
    assert sockets.is_dir() and stat.S_IMODE(sockets.stat().st_mode) == 0o700
    for guard in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if f"earwitness.local.guard\0{state.mesh}".encode() in guard.read_bytes():
                os.kill(int(guard.parent.name), signal.SIGKILL)
    os.kill(state.pid, signal.SIGKILL)
    wait_for("the supervisor to end", lambda: not born(state.pid))
    assert tagged(state.mesh)
    (folder / "logs" / "jobs.log").write_text("the last words")
    again, _ = up(folder)
    assert tagged(state.mesh) == []
    assert not sockets.exists()
    assert (folder / "logs.old" / "jobs.log").read_text() == "the last words"
    for path, mode in ((folder, 0o700), (folder / "logs", 0o700), (folder / "logs" / "jobs.log", 0o600)):
        assert stat.S_IMODE(path.stat().st_mode) == mode
    control.stop(folder)
    assert not sockets_folder(again.mesh).exists()


def test_proxies_and_a_long_folder_for_temporary_files_are_no_obstacle(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "grpc_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(variable, raising=False)
    long = tmp_path / ("long" * 25)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    state, _ = up(folder)
    environment = Path(f"/proc/{pids(state)['rollout-0']}/environ").read_bytes().split(b"\0")
    (base,) = [e.partition(b"=")[2] for e in environment if e.startswith(b"VLLM_RPC_BASE_PATH=")]
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(base + b"/" + b"0" * 36)  # vLLM names its sockets with a UUID


def test_a_password_is_in_nobodys_arguments(folder: Path, tmp_path: Path) -> None:
    with RedisServer("queue", tmp_path / "own") as server:
        password = server.url.split(":")[2].split("@")[0].encode()
        up(folder, redis=server.url)
        seen = []
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                seen.append(process.read_bytes())
        assert not [arguments for arguments in seen if password in arguments]
        control.stop(folder)
    assert password not in b"".join(p.read_bytes() for p in folder.rglob("*.log"))


def test_a_process_that_ignores_sigterm_is_killed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUBBORN", "1")
    state, _ = up(folder)
    os.kill(state.pid, signal.SIGKILL)  # the guard's grace is shorter than the supervisor's
    wait_for("the processes to be killed", lambda: not tagged(state.mesh))


def test_a_service_that_cannot_start_is_named_with_the_end_of_its_log(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKEN", "reward-0")
    with pytest.raises(MeshFailed, match="cannot find the thing it needs") as caught:
        up(folder)
    assert str(caught.value).startswith("reward-0 exited with status 1")
    assert read_state(folder).failure
    assert tagged(read_state(folder).mesh) == []


@pytest.mark.parametrize("name", ["trainer", "reward-0"])
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("import a_package_that_is_not_there", "No module named 'a_package_that_is_not_there'"),
        ("import broken_library", "cannot load library 'libsndfile.so'"),
        (
            "from earwitness.errors import InputError; raise InputError('EW_THREADS', 'is many', 'a number')",
            "EW_THREADS: is many; expected a number",
        ),
    ],
)
def test_a_service_that_is_not_installed_or_configured_says_so_once_and_at_once(
    folder: Path, name: str, line: str, reason: str
) -> None:
    stand_ins = Path(os.environ["PYTHONPATH"].split(os.pathsep)[0])
    (stand_ins / "broken_library.py").write_text("raise OSError(\"cannot load library 'libsndfile.so'\")\n")
    service = stand_ins / "services" / f"{name.removesuffix('-0')}.py"
    service.write_text(f"{line}\n{service.read_text()}")
    lines: list[str] = []
    with pytest.raises(MeshFailed) as caught:
        control.start_detached(Options(folder), lines.append)
    assert str(caught.value).startswith(f"{name} cannot start: ")
    assert reason in str(caught.value)
    assert not [line for line in lines if "starting again" in line]
    assert tagged(read_state(folder).mesh) == []


def test_scale_adds_and_removes_workers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EW_RECOGNISER", "of.another.mesh:1")
    state, _ = up(folder)
    assert psutil.Process(pids(state)["reward-0"]).environ()["EW_RECOGNISER"] == ""
    with pytest.raises(InputError, match="earwitness up --recogniser 2"):
        control.scale(folder, "recogniser", 2)
    control.scale(folder, "rollout", 3)
    grown = pids(read_state(folder))
    assert {"rollout-0", "rollout-1", "rollout-2"} <= set(grown)
    assert grown["rollout-0"] == pids(state)["rollout-0"]
    control.scale(folder, "rollout", 1)
    wait_for("the workers to leave", lambda: not tagged(state.mesh, "rollout-2"))
    control.scale(folder, "rollout", 2)
    assert "rollout-1" in pids(read_state(folder))


def test_recognisers_share_an_address_and_come_and_go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real ones, of a mesh of stand-ins: those who ask need one address, whichever of them are there."""
    pytest.importorskip("onnxruntime")
    stand_ins, here = (Path(part) for part in os.environ["PYTHONPATH"].split(os.pathsep))
    for name in ("recogniser", "entry.py"):
        (stand_ins / "services" / name).symlink_to(here / "services" / name)
    model = network(folder.with_name("toy.onnx"), tuned(300.0, rate=16_000))
    model.with_suffix(".json").write_text(json.dumps({"sample_rate": 16_000, "labels": ["Dog"]}))
    monkeypatch.setenv("EW_TAGGER", str(model))
    state, _ = up(folder, recogniser=1)
    address = psutil.Process(pids(state)["reward-0"]).environ()["EW_RECOGNISER"]
    settings = Settings(recogniser=address, token=state.token)

    def hears() -> bool:
        """Whether one answers: asked anew each time, about a clip of its own."""
        clip = np.random.default_rng().uniform(-0.1, 0.1, 8_000).astype(np.float32)
        try:
            return "dog" in Asking(settings, Silence(0.0)).recognise(clip)
        except NotHeard as reason:
            assert str(reason).startswith(AWAY)
            return False

    wait_for("the first one to answer", hears)
    control.scale(folder, "recogniser", 2)
    os.kill(pids(read_state(folder))["recogniser-0"], signal.SIGKILL)
    wait_for("the other one to be found", hears)
    control.scale(folder, "recogniser", 2)  # it comes back
    control.scale(folder, "recogniser", 0)
    wait_for("nobody to answer", lambda: not hears())
    control.scale(folder, "recogniser", 1)
    wait_for("one that answers", hears)
    assert control.stop(folder) == []


def test_the_reference_runs_only_while_a_job_needs_it(folder: Path) -> None:
    state, _ = up(folder)
    assert "reference-0" not in pids(state)
    client = connect(state.queue_url)
    write_active(client, ActiveJob(job_id="j", needs_reference=True, reference_uri="file:///nowhere"))
    wait_for("the reference", lambda: pids(read_state(folder)).get("reference-0"))
    client.delete(ACTIVE)
    wait_for("the reference to leave", lambda: "reference-0" not in pids(read_state(folder)))
    wait_for("its processes to end", lambda: not tagged(state.mesh, "reference-0"))


def test_jobs_outlive_the_mesh_unless_it_starts_fresh(folder: Path) -> None:
    state, _ = up(folder)
    connect(state.queue_url).set("ew:test", "kept")
    control.stop(folder)
    state, _ = up(folder)
    assert connect(state.queue_url).get("ew:test") == b"kept"
    control.stop(folder)
    state, _ = up(folder, fresh=True)
    assert connect(state.queue_url).get("ew:test") is None


def test_a_redis_that_is_not_there_is_said_and_no_service_is_started(folder: Path) -> None:
    with pytest.raises(MeshFailed, match=r"127\.0\.0\.1:1"):
        up(folder, redis="redis://127.0.0.1:1/0")
    assert list((folder / "logs").iterdir()) == []
    assert tagged(read_state(folder).mesh) == []


def test_the_foreground_mesh_stops_on_ctrl_c(folder: Path) -> None:
    command = [sys.executable, "-m", "earwitness", "up", "--state", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as shown:
        assert shown.stdout is not None
        wait_for("the mesh", lambda: "ready at" in shown.stdout.readline())
        mesh = json.loads((folder / "mesh.json").read_text())["mesh"]
        os.killpg(shown.pid, signal.SIGINT)
        assert shown.wait() == 0
    assert tagged(mesh) == []
