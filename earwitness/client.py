"""The Python client of a mesh.

    with Mesh.connect() as mesh:                       # the mesh of `earwitness up` in this directory
        job = mesh.submit("recipes/quickstart.yaml")
        for event in mesh.watch(job.job_id):           # goes on after a broken connection, without gaps
            print(event.message)

    with Mesh.in_cluster("ew") as mesh:                # the mesh that the Helm chart installed in namespace ew
        ...

Every call has a deadline. Errors: ServerUnreachable, NotAllowed, UnknownJob, Refused, ServerError; of a local mesh
also NoMesh and MeshFailed, in a cluster those of `earwitness.cluster`.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import grpc

from earwitness.bearer import bearer
from earwitness.errors import InputError
from earwitness.local.state import DEFAULT_FOLDER, MeshFailed, MeshState, NoMesh, read_state
from earwitness.loopback import direct
from earwitness.rpc.client_errors import (
    NotAllowed,
    Refused,
    ServerError,
    ServerUnreachable,
    UnknownJob,
    typed_error,
)
from earwitness.wire.jobs.v1 import jobs_pb2, jobs_pb2_grpc
from earwitness.wire.trajectory.v1 import trajectory_pb2

if TYPE_CHECKING:
    from earwitness.cluster import Api, Forward, Release

__all__ = ["Mesh", "NotAllowed", "Refused", "ServerError", "ServerUnreachable", "UnknownJob", "state_name"]

CONNECT_SECONDS = 4.0
"""A person should know within five seconds that nobody answers."""

CALL_SECONDS = 10.0
"""Deadline of a call that reads or writes state."""

SUBMIT_SECONDS = 30.0
"""Deadline of a submission: the service checks the data the recipe names."""

CANCEL_SECONDS = 20.0
"""Deadline of a cancellation: it answers once nothing of the job runs, promised within ten seconds."""

PUT_SECONDS = 600.0
"""Deadline of a piece of a file: with the last one the service reads the whole file for its checksum."""

WATCH_SECONDS = 60.0
"""A watch is opened anew this often, so that a connection that died silently is noticed."""

PATIENCE_SECONDS = 60.0
"""Longest time without the server before a watch gives up: a restart takes a few seconds."""

RETRY_SECONDS = 1.0
"""Between two attempts of a watch."""

OPTIONS = [
    # A service that restarts is found again in seconds, not after the minutes of the default back-off.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
]

TERMINAL = frozenset({jobs_pb2.JOB_STATE_SUCCEEDED, jobs_pb2.JOB_STATE_FAILED, jobs_pb2.JOB_STATE_CANCELLED})
"""States that a job never leaves."""

_Response = TypeVar("_Response")


def state_name(state: jobs_pb2.JobState) -> str:
    """JOB_STATE_RUNNING -> running."""
    return jobs_pb2.JobState.Name(state).removeprefix("JOB_STATE_").lower()


class Mesh:
    """A connection to the jobs service of one mesh."""

    def __init__(self, channel: grpc.Channel, address: str, token: str) -> None:
        """Use `connect` or `in_cluster`; this is for a channel of one's own."""
        self.address = address
        self._base: str | None = None
        self._local: Path | None = None
        self._forward: Forward | None = None
        self._channel = channel
        self._stub = jobs_pb2_grpc.JobServiceStub(channel)
        self._metadata = (("authorization", bearer(token)),) if token else ()

    @classmethod
    def connect(
        cls,
        address: str | None = None,
        token: str | None = None,
        *,
        state: str | Path = DEFAULT_FOLDER,
        authority: str | None = None,
        seconds: float = CONNECT_SECONDS,
    ) -> Mesh:
        """Connect, and wait until the server answers.

        `address` (host:port) and `token` default to EW_ADDRESS and EW_TOKEN, and without those to the local mesh whose
        folder is `state`. `authority` (default EW_TLS_CA) is the file of certificates (PEM) to trust; without it, and
        on the loopback of a local mesh, the connection is in the clear. Raises ServerUnreachable, NoMesh, MeshFailed,
        InputError.
        """
        address = address or os.environ.get("EW_ADDRESS")
        if address:
            token = token or os.environ.get("EW_TOKEN", "")
            authority = authority or os.environ.get("EW_TLS_CA")
        else:
            local = _well(Path(state))
            mesh = cls(_open(local.address, None, seconds), local.address, local.token)
            mesh._local = Path(state)
            return mesh
        return cls(_open(address, _certificates(authority) if authority else None, seconds), address, token)

    @classmethod
    def in_cluster(
        cls,
        namespace: str | None = None,
        *,
        release: str | None = None,
        context: str | None = None,
        token: str | None = None,
        seconds: float = CONNECT_SECONDS,
    ) -> Mesh:
        """Connect to a release of the chart, through a port forward that lives as long as this object.

        Defaults: the current context of $KUBECONFIG, its namespace, the only release there. `token` and, where the mesh
        speaks TLS, the authority are read from the release's Secrets unless `token` (or EW_TOKEN) and EW_TLS_CA say
        them. Relative paths of recipes start on the mesh's volume. Raises NoCluster, NoRelease, SeveralReleases,
        Forbidden, ServerUnreachable, InputError.
        """
        from earwitness.cluster import Api, find_release

        api = Api(context)
        return cls.of_release(api, find_release(api, namespace, release), token=token, seconds=seconds)

    @classmethod
    def of_release(
        cls, api: Api, release: Release, *, token: str | None = None, seconds: float = CONNECT_SECONDS
    ) -> Mesh:
        """As `in_cluster`, for a release that has been found."""
        from earwitness.cluster import Forward
        from earwitness.cluster.release import read_authority, read_token

        token = token or os.environ.get("EW_TOKEN") or read_token(api, release)
        authority = os.environ.get("EW_TLS_CA") if release.tls_secret else None
        trusted = _certificates(authority) if authority else read_authority(api, release)
        forward = Forward(api, release)
        try:
            mesh = cls(_open(forward.address, trusted, seconds), forward.address, token)
        except ServerUnreachable as error:
            forward.tried(PATIENCE_SECONDS)  # the cluster may answer more slowly than we wait for the service
            forward.close()
            raise forward.failure or error from error
        mesh._base, mesh._forward = release.folder, forward
        return mesh

    def submit(
        self, recipe: str | Path, *, request_id: str | None = None, base: str | Path | None = None
    ) -> jobs_pb2.Job:
        """Submit the recipe file `recipe`; the same `request_id` submits only once.

        Relative paths in the recipe are taken from the folder `base`, by default the current one, in a cluster the
        mesh's volume; for a mesh on other machines it is a folder of theirs. Raises RecipeError with every mistake
        found here, Refused with those the server found.
        """
        from earwitness.recipe.load import absolute_paths, read_recipe  # what only asks need not wait for it

        read_recipe(str(recipe))
        text = absolute_paths(Path(recipe).read_bytes(), str(base or self._base or Path.cwd()))
        request = jobs_pb2.SubmitJobRequest(request_id=request_id or uuid.uuid4().hex, recipe_yaml=text)
        return self._call(self._stub.SubmitJob, request, SUBMIT_SECONDS).job

    def get(self, job_id: str) -> jobs_pb2.Job:
        """One job. Raises UnknownJob."""
        return self._call(self._stub.GetJob, jobs_pb2.GetJobRequest(job_id=job_id)).job

    def list(self, limit: int = 50) -> list[jobs_pb2.Job]:
        """At most `limit` jobs, newest first."""
        jobs: list[jobs_pb2.Job] = []
        page = ""
        while len(jobs) < limit:
            request = jobs_pb2.ListJobsRequest(page_size=min(limit - len(jobs), 50), page_token=page)
            response = self._call(self._stub.ListJobs, request)
            jobs.extend(response.jobs)
            page = response.next_page_token
            if not page:
                break
        return jobs

    def cancel(self, job_id: str) -> jobs_pb2.Job:
        """Cancel; returns once nothing of the job runs."""
        return self._call(self._stub.CancelJob, jobs_pb2.CancelJobRequest(job_id=job_id), CANCEL_SECONDS).job

    def pause(self, job_id: str) -> jobs_pb2.Job:
        """Hold after the work in flight."""
        return self._call(self._stub.PauseJob, jobs_pb2.PauseJobRequest(job_id=job_id)).job

    def resume(self, job_id: str) -> jobs_pb2.Job:
        """Go on after `pause`."""
        return self._call(self._stub.ResumeJob, jobs_pb2.ResumeJobRequest(job_id=job_id)).job

    def mesh(self) -> jobs_pb2.GetMeshResponse:
        """Who is here, what waits where, what runs."""
        return self._call(self._stub.GetMesh, jobs_pb2.GetMeshRequest())

    def groups(self, job_id: str) -> Sequence[trajectory_pb2.Group]:
        """A few of a job's newest groups, newest first."""
        return self._call(self._stub.ListGroups, jobs_pb2.ListGroupsRequest(job_id=job_id)).groups

    def group(self, job_id: str, ordinal: int | None = None) -> jobs_pb2.GetGroupResponse:
        """The way of one of a job's newest groups; without an ordinal of the newest whose way is over."""
        return self._call(self._stub.GetGroup, jobs_pb2.GetGroupRequest(job_id=job_id, ordinal=ordinal))

    def clip(self, run_id: str, ordinal: int) -> bytes:
        """The begin of the clip that one of `groups` is about, as WAV."""
        return self._call(self._stub.GetClip, jobs_pb2.GetClipRequest(run_id=run_id, ordinal=ordinal)).wav

    def put_file(self, path: str, size: int, digest: bytes, offset: int, data: bytes) -> int:
        """Put the next bytes of a file onto the mesh's volume; returns how far it has come, at once without `data`.

        `digest`: xxh3-128 of the whole file. `earwitness.pushing.push` sends files and folders with it. A server that
        is away for a minute is waited for.
        """
        request = jobs_pb2.PutFileRequest(path=path, size=size, xxh3_128=digest, offset=offset, data=data)
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return int(self._call(self._stub.PutFile, request, PUT_SECONDS).held)
            except ServerUnreachable:
                if time.monotonic() > until:
                    raise
                time.sleep(RETRY_SECONDS)

    def watch(self, job_id: str, *, after: int = 0, patience: float = PATIENCE_SECONDS) -> Iterator[jobs_pb2.Event]:
        """Events with a sequence number above `after`, until the job has ended.

        After a broken connection it goes on behind the last event seen. Raises ServerUnreachable once the server has
        been away for `patience` seconds, MeshFailed at once where a local mesh has given up, UnknownJob.
        """
        last_answer = time.monotonic()
        while True:
            ended = False
            try:
                request = jobs_pb2.WatchJobRequest(job_id=job_id, after_sequence=after)
                for response in self._stub.WatchJob(request, timeout=WATCH_SECONDS, metadata=self._metadata):
                    last_answer = time.monotonic()
                    after = response.event.sequence
                    ended = response.event.job.state in TERMINAL
                    yield response.event
                if ended:
                    return
                # The stream closed well: the job ended before `after`, or the service is stopping.
                last_answer = time.monotonic()
                if self.get(job_id).state in TERMINAL:
                    return
            except ServerUnreachable:
                pass
            except grpc.RpcError as error:
                code = error.code()
                if code == grpc.StatusCode.DEADLINE_EXCEEDED:
                    last_answer = time.monotonic()
                    continue
                if code not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                    raise typed_error(error, self.address, WATCH_SECONDS) from error
            if self._local is not None:
                with suppress(NoMesh):  # stopped, and perhaps started again
                    _well(self._local)
            if time.monotonic() - last_answer > patience:
                raise ServerUnreachable(self.address, patience)
            time.sleep(RETRY_SECONDS)

    def events(self, job_id: str, *, after: int = 0) -> Sequence[jobs_pb2.Event]:
        """A job's events so far, with a sequence number above `after`. Raises UnknownJob."""
        request = jobs_pb2.WatchJobRequest(job_id=job_id, after_sequence=after, until_now=True)

        def read(request: Any, **how: Any) -> Sequence[jobs_pb2.Event]:
            return [response.event for response in self._stub.WatchJob(request, **how)]

        return cast(Sequence[jobs_pb2.Event], self._call(read, request, WATCH_SECONDS))

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()
        if self._forward is not None:
            self._forward.close()

    def __enter__(self) -> Mesh:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _call(self, method: Callable[..., Any], request: Any, seconds: float = CALL_SECONDS) -> Any:
        try:
            return method(request, timeout=seconds, metadata=self._metadata)
        except grpc.RpcError as error:
            raise typed_error(error, self.address, seconds) from error


def _well(folder: Path) -> MeshState:
    """The local mesh. Raises NoMesh, and MeshFailed with the reason of one that has given up."""
    state = read_state(folder)
    if state.failure:
        raise MeshFailed(state.failure)
    return state


def _open(address: str, authority: bytes | None, seconds: float) -> grpc.Channel:
    """A channel that is ready; `authority` in PEM, None for a connection in the clear. Raises ServerUnreachable."""
    options = [*OPTIONS, *direct(address)]
    if authority is None:
        channel = grpc.insecure_channel(address, options)
    else:
        channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(authority), options)
    try:
        grpc.channel_ready_future(channel).result(timeout=seconds)
    except grpc.FutureTimeoutError as error:
        channel.close()
        raise ServerUnreachable(address, seconds) from error
    return channel


def _certificates(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise InputError("EW_TLS_CA", f"{file!r} cannot be read ({error.strerror})", "a PEM file") from error
