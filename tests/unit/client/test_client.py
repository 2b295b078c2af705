"""The client against a server in this process: typed errors, deadlines, resumed watches."""

import socket
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest
import yaml
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from earwitness.client import Mesh, NotAllowed, Refused, ServerUnreachable, UnknownJob
from earwitness.errors import DocumentError
from earwitness.local.state import MeshFailed, MeshState, NoMesh, write_state
from earwitness.wire.jobs.v1 import jobs_pb2, jobs_pb2_grpc
from tests.integration.process_kit import PATIENCE, wait_for

RECIPE = """\
name: small
output: runs/small
model: {toy: {}}
data: {cold_start: data/cold.jsonl}
stages:
  - type: sft
    tune: {steps: 1, optimizer: {learning_rate: 0.001}}
"""


class Jobs(jobs_pb2_grpc.JobServiceServicer):
    """Ten events; each watch breaks after three."""

    def __init__(self) -> None:
        self.submitted: list[jobs_pb2.SubmitJobRequest] = []
        self.watched_after: list[int] = []
        self.metadata: dict[str, str] = {}

    def SubmitJob(self, request, context):
        self.submitted.append(request)
        self.metadata = dict(context.invocation_metadata())
        return jobs_pb2.SubmitJobResponse(job=jobs_pb2.Job(job_id="small-1"))

    def GetJob(self, request, context):
        if request.job_id == "secret":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "wrong token")
        if request.job_id != "small-1":
            context.abort(grpc.StatusCode.NOT_FOUND, f"no job {request.job_id!r}")
        return jobs_pb2.GetJobResponse(job=jobs_pb2.Job(job_id="small-1"))

    def ListJobs(self, request, context):
        start = int(request.page_token or 0)
        jobs = [jobs_pb2.Job(job_id=str(i)) for i in range(start, min(start + 2, 5))]
        return jobs_pb2.ListJobsResponse(jobs=jobs, next_page_token=str(start + 2) if start + 2 < 5 else "")

    def CancelJob(self, request, context):
        bad = error_details_pb2.BadRequest()
        bad.field_violations.add(field="job_id", description="has ended; expected a running job")
        detail = any_pb2.Any()
        detail.Pack(bad)
        status = status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message="bad", details=[detail])
        context.abort_with_status(rpc_status.to_status(status))

    def WatchJob(self, request, context):
        if request.until_now:
            job = jobs_pb2.Job(job_id=request.job_id, state=jobs_pb2.JOB_STATE_RUNNING)
            for sequence in range(1, 5):
                yield jobs_pb2.WatchJobResponse(event=jobs_pb2.Event(sequence=sequence, job=job))
            return
        self.watched_after.append(request.after_sequence)
        for sequence in range(request.after_sequence + 1, min(request.after_sequence + 3, 10) + 1):
            state = jobs_pb2.JOB_STATE_SUCCEEDED if sequence == 10 else jobs_pb2.JOB_STATE_RUNNING
            job = jobs_pb2.Job(job_id=request.job_id, state=state)
            yield jobs_pb2.WatchJobResponse(event=jobs_pb2.Event(sequence=sequence, job=job))
        if request.after_sequence + 3 < 10:
            context.abort(grpc.StatusCode.UNAVAILABLE, "restarting")


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


@pytest.fixture
def mesh(jobs: Jobs) -> Iterator[Mesh]:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    jobs_pb2_grpc.add_JobServiceServicer_to_server(jobs, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with Mesh.connect(f"127.0.0.1:{port}", "token-1", seconds=PATIENCE) as connected:
        yield connected
    server.stop(None).wait()


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return Path("recipe.yaml")


def unreachable_in_time(address: str) -> None:
    """A machine that stalls may make one error late, never each."""

    def in_time() -> bool:
        started = time.monotonic()
        with pytest.raises(ServerUnreachable, match=address):
            Mesh.connect(address)
        return time.monotonic() - started < 5.0

    wait_for("an error within five seconds", in_time)


def test_nobody_there_is_known_within_five_seconds() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        unreachable_in_time(f"127.0.0.1:{unused.getsockname()[1]}")


def test_a_port_that_accepts_and_says_nothing_is_known_within_five_seconds() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        unreachable_in_time(f"127.0.0.1:{silent.getsockname()[1]}")


def test_no_mesh_in_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EW_ADDRESS", raising=False)
    with pytest.raises(NoMesh, match="earwitness up"):
        Mesh.connect(state=tmp_path)


def test_submit_sends_absolute_paths_the_token_and_the_request_id(mesh: Mesh, jobs: Jobs, recipe: Path) -> None:
    assert mesh.submit(recipe, request_id="once").job_id == "small-1"
    sent = yaml.safe_load(jobs.submitted[0].recipe_yaml)
    assert sent["output"] == str(Path.cwd() / "runs/small")
    assert sent["data"] == {"cold_start": str(Path.cwd() / "data/cold.jsonl")}
    assert jobs.submitted[0].request_id == "once"
    assert jobs.metadata["authorization"] == "Bearer token-1"


def test_submit_takes_paths_from_a_folder_of_the_mesh(mesh: Mesh, jobs: Jobs, recipe: Path) -> None:
    mesh.submit(recipe, base="/data")
    assert yaml.safe_load(jobs.submitted[0].recipe_yaml)["output"] == "/data/runs/small"


def test_two_submissions_without_a_request_id_are_two(mesh: Mesh, jobs: Jobs, recipe: Path) -> None:
    mesh.submit(recipe)
    mesh.submit(recipe)
    assert jobs.submitted[0].request_id != jobs.submitted[1].request_id


def test_a_recipe_with_mistakes_is_not_sent(mesh: Mesh, jobs: Jobs, recipe: Path) -> None:
    recipe.write_text(RECIPE.replace("steps: 1", "steps: no").replace("type: sft", "type: sft\n    typo: 1"))
    with pytest.raises(DocumentError) as caught:
        mesh.submit(recipe)
    assert len(caught.value.problems) == 2
    assert not jobs.submitted


def test_a_recipe_of_ten_megabytes_is_not_sent(mesh: Mesh, jobs: Jobs, recipe: Path) -> None:
    recipe.write_text(RECIPE + "# " + "x" * 10_000_000)
    with pytest.raises(DocumentError, match="MiB"):
        mesh.submit(recipe)
    assert not jobs.submitted


def test_unknown_job(mesh: Mesh) -> None:
    with pytest.raises(UnknownJob, match="nope"):
        mesh.get("nope")


def test_wrong_token(mesh: Mesh) -> None:
    with pytest.raises(NotAllowed, match="wrong token"):
        mesh.get("secret")


def test_a_refusal_names_the_fields(mesh: Mesh) -> None:
    with pytest.raises(Refused) as caught:
        mesh.cancel("small-1")
    assert caught.value.problems == (("job_id", "has ended; expected a running job"),)
    assert "job_id" in str(caught.value)


def test_list_turns_pages(mesh: Mesh) -> None:
    assert [job.job_id for job in mesh.list()] == ["0", "1", "2", "3", "4"]
    assert len(mesh.list(limit=2)) == 2


def test_watch_goes_on_behind_the_last_event(mesh: Mesh, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earwitness.client.RETRY_SECONDS", 0.01)
    assert [event.sequence for event in mesh.watch("small-1")] == list(range(1, 11))
    assert jobs.watched_after == [0, 3, 6, 9]


def test_watch_gives_up_when_the_server_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earwitness.client.RETRY_SECONDS", 0.01)
    channel = grpc.insecure_channel("127.0.0.1:1")
    with pytest.raises(ServerUnreachable):
        list(Mesh(channel, "127.0.0.1:1", "").watch("small-1", patience=0.2))
    channel.close()


def test_why_a_local_mesh_gave_up_is_said_at_once(
    jobs: Jobs, mesh: Mesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EW_ADDRESS", raising=False)
    monkeypatch.setattr("earwitness.client.RETRY_SECONDS", 0.01)

    def write(failure: str) -> None:
        state = MeshState("m", 1, 0, mesh.address, "token-1", "", (), ready=True, failure=failure, processes=())
        write_state(tmp_path, state)

    write("")
    with Mesh.connect(state=tmp_path, seconds=PATIENCE) as local:
        watching = local.watch("small-1")
        assert [next(watching).sequence for _ in range(3)] == [1, 2, 3]  # then the stream breaks
        write("rollout-0 cannot start: no kernels")
        with pytest.raises(MeshFailed, match="no kernels"):
            next(watching)
    with pytest.raises(MeshFailed, match="no kernels"):
        Mesh.connect(state=tmp_path)
    assert jobs.watched_after == [0]


def test_events_so_far_end_although_the_job_runs(mesh: Mesh) -> None:
    assert [event.sequence for event in mesh.events("small-1")] == [1, 2, 3, 4]
