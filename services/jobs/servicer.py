"""JobService: what a client can ask for. It reads and writes the store; the runner does the work."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

from grpc.aio import ServicerContext as Context

from earwitness import storage
from earwitness.errors import ConflictError, InfrastructureError, InputError, NotFoundError, shown
from earwitness.hearing import clip_uris
from earwitness.jobs.apart import WorkFailed, apart
from earwitness.jobs.changes import Ended, apply
from earwitness.jobs.mesh import MeshView
from earwitness.jobs.record import JobRecord
from earwitness.jobs.report.clips import sound
from earwitness.jobs.states import State, Wish, refusal
from earwitness.jobs.store import JobStore
from earwitness.jobs.uploads import Uploads
from earwitness.recipe.yamltext import MAX_BYTES
from earwitness.wire.jobs.v1 import jobs_pb2 as wire
from earwitness.wire.jobs.v1 import jobs_pb2_grpc

JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
"""A recipe's name, date, time and four digits; it becomes part of keys, where a colon would lead to others."""
LAST_SEQUENCE = 2**63 - 1
"""The highest number of an event, far beyond those that a job has."""
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
PAGE_SIZE = 50
LARGEST_PAGE = 500
POLL_SECONDS = 0.2
"""Between two looks at a job that is watched or awaited."""

CANCEL_SECONDS = 9.5
"""CancelJob answers within ten seconds."""

PAUSE_SECONDS = 5.0
"""PauseJob waits so long for the update in hand, then answers that the job is still running."""

WATCH_BATCH = 200

SHOWN_BYTES = 3 * 1024 * 1024
"""Of groups in one answer: a client takes 4 MiB."""

PLACES = 8
"""Submissions whose recipe and data are read at the same time."""

PLACE_SECONDS = 10.0
"""Longest wait for one of them."""

QUIET_SECONDS = 10.0
"""So long the store of a recipe's data may not answer."""


class JobService(jobs_pb2_grpc.JobServiceServicer):
    """The methods of the proto; typed errors become statuses in the server's interceptor."""

    def __init__(self, store: JobStore, mesh: MeshView, uploads: Uploads) -> None:
        self._store = store
        self._mesh = mesh
        self._uploads = uploads
        self._places = asyncio.Semaphore(PLACES)

    async def SubmitJob(self, request: wire.SubmitJobRequest, context: Context) -> wire.SubmitJobResponse:  # noqa: N802 - the proto's name
        if not REQUEST_ID.fullmatch(request.request_id):
            raise InputError("request_id", f"{request.request_id[:80]!r}", "1 to 64 letters, digits, '-', '_'")
        known = await self._store.find_request(request.request_id)
        if known is not None:
            return wire.SubmitJobResponse(job=known.wire(), existed=True)
        recipe = await self._checked(request.recipe_yaml)
        now = time.time()
        job_id = f"{recipe['name']}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{secrets.token_hex(2)}"
        record = JobRecord(
            job_id=job_id,
            request_id=request.request_id,
            name=recipe["name"],
            # A folder of its own: a second run of a recipe must not resume from the checkpoints of the first.
            output_uri=storage.join(recipe["output"], job_id),
            stages=recipe["stages"],
            submitted_at=now,
        )
        submission = await self._store.submit(record, request.recipe_yaml)
        return wire.SubmitJobResponse(job=submission.record.wire(), existed=submission.existed)

    async def _checked(self, recipe_yaml: bytes) -> dict[str, Any]:
        """Name, output and number of stages of a recipe that can be run, as far as can be told before it is."""
        try:
            text = recipe_yaml.decode()
        except UnicodeDecodeError as error:
            raise InputError("recipe", f"not UTF-8 ({error.reason} at byte {error.start})", "YAML in UTF-8") from error
        if len(recipe_yaml) > MAX_BYTES:
            raise InputError("recipe", f"{len(recipe_yaml)} bytes", f"at most {MAX_BYTES}")
        try:
            async with asyncio.timeout(PLACE_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            what = f"one of {PLACES} places to read a recipe and its data"
            raise InfrastructureError(what, PLACE_SECONDS, "others are read; submit it again") from None
        try:
            checked: dict[str, Any] = await apart("check", {"recipe": text}, QUIET_SECONDS)
            return checked
        except WorkFailed as error:
            raise InputError("recipe", str(error), "a smaller recipe") from error
        finally:
            self._places.release()

    async def GetJob(self, request: wire.GetJobRequest, context: Context) -> wire.GetJobResponse:  # noqa: N802
        stored = await self._store.get(_job_id(request.job_id))
        return wire.GetJobResponse(job=stored.record.wire(), recipe_yaml=stored.recipe)

    async def ListJobs(self, request: wire.ListJobsRequest, context: Context) -> wire.ListJobsResponse:  # noqa: N802
        if request.page_token and not request.page_token.isdecimal():
            raise InputError("page_token", f"{request.page_token[:80]!r}", "the token of the previous response")
        offset = int(request.page_token[:9] or 0)
        size = min(request.page_size or PAGE_SIZE, LARGEST_PAGE)
        records = await self._store.newest(offset, size + 1)
        following = str(offset + size) if len(records) > size else ""
        return wire.ListJobsResponse(jobs=[r.wire() for r in records[:size]], next_page_token=following)

    async def WatchJob(self, request: wire.WatchJobRequest, context: Context) -> AsyncIterator[wire.WatchJobResponse]:  # noqa: N802
        after = request.after_sequence
        if after > LAST_SEQUENCE:
            raise InputError("after_sequence", f"{after}", f"at most {LAST_SEQUENCE}, or 0 for all events")
        while True:
            stored = await self._store.get(_job_id(request.job_id))
            for event in await self._store.events(request.job_id, after, WATCH_BATCH):
                after = event.sequence
                yield wire.WatchJobResponse(event=event)
            if after < stored.sequence:
                continue
            if stored.record.state.ended or request.until_now:
                return
            await asyncio.sleep(POLL_SECONDS)

    async def CancelJob(self, request: wire.CancelJobRequest, context: Context) -> wire.CancelJobResponse:  # noqa: N802
        record = await self._allowed(_job_id(request.job_id), "cancel")
        if record.state is State.QUEUED:
            ended = apply(record, Ended(State.CANCELLED, time.time()))
            if await self._store.cancel_waiting(ended):
                return wire.CancelJobResponse(job=ended.wire())
        await self._store.set_wish(request.job_id, "cancel")
        record = await self._wait(request.job_id, CANCEL_SECONDS, lambda r: r.state.ended)
        if not record.state.ended:
            raise InfrastructureError(f"{request.job_id} to stop", CANCEL_SECONDS, "it will be cancelled; ask again")
        return wire.CancelJobResponse(job=record.wire())

    async def PauseJob(self, request: wire.PauseJobRequest, context: Context) -> wire.PauseJobResponse:  # noqa: N802
        record = await self._hold(_job_id(request.job_id), "pause", "pause")
        return wire.PauseJobResponse(job=record.wire())

    async def ResumeJob(self, request: wire.ResumeJobRequest, context: Context) -> wire.ResumeJobResponse:  # noqa: N802
        record = await self._hold(_job_id(request.job_id), "resume", "")
        return wire.ResumeJobResponse(job=record.wire())

    async def GetMesh(self, request: wire.GetMeshRequest, context: Context) -> wire.GetMeshResponse:  # noqa: N802
        return await self._mesh.describe()

    async def ListGroups(self, request: wire.ListGroupsRequest, context: Context) -> wire.ListGroupsResponse:  # noqa: N802
        answer = wire.ListGroupsResponse()
        for group in await self._mesh.groups(_job_id(request.job_id)):
            if answer.ByteSize() + group.ByteSize() > SHOWN_BYTES:
                break
            answer.groups.append(group)
        return answer

    async def GetGroup(self, request: wire.GetGroupRequest, context: Context) -> wire.GetGroupResponse:  # noqa: N802
        job_id = _job_id(request.job_id)
        ordinal = request.ordinal if request.HasField("ordinal") else None
        record = (await self._store.get(job_id)).record
        return wire.GetGroupResponse(group=await self._mesh.way(job_id, ordinal), submitted_at=record.submitted_at)

    async def GetClip(self, request: wire.GetClipRequest, context: Context) -> wire.GetClipResponse:  # noqa: N802
        job_id = _job_id(request.run_id.split("/")[0])
        for group in await self._mesh.groups(job_id):  # no other file is read
            task = group.task
            if (task.run_id, task.ordinal) == (request.run_id, request.ordinal) and clip_uris(task.prompt):
                wav, _ = await asyncio.to_thread(sound, clip_uris(task.prompt))
                return wire.GetClipResponse(wav=wav)
        raise NotFoundError(f"no clip of ordinal {request.ordinal} is among the newest groups of {job_id}")

    async def PutFile(self, request: wire.PutFileRequest, context: Context) -> wire.PutFileResponse:  # noqa: N802
        piece = (request.path, request.size, request.xxh3_128, request.offset, request.data)
        return wire.PutFileResponse(held=await asyncio.to_thread(self._uploads.put, *piece))

    async def _hold(self, job_id: str, call: Literal["pause", "resume"], wish: Wish) -> JobRecord:
        """Note the wish and wait a little for the runner to follow it."""
        await self._allowed(job_id, call)
        await self._store.set_wish(job_id, wish)
        there = (lambda r: r.state is State.PAUSED) if wish else (lambda r: r.state is not State.PAUSED)
        return await self._wait(job_id, PAUSE_SECONDS, there)

    async def _allowed(self, job_id: str, call: Literal["pause", "resume", "cancel"]) -> JobRecord:
        """The job, if `call` is possible. Raises ConflictError."""
        record = (await self._store.get(job_id)).record
        reason = refusal(record.state, call)
        if reason:
            raise ConflictError(f"{job_id}: {reason}")
        return record

    async def _wait(self, job_id: str, seconds: float, there: Callable[[JobRecord], bool]) -> JobRecord:
        """The job as soon as it is `there`, or as it is when the time is up."""
        until = time.monotonic() + seconds
        while True:
            record = (await self._store.get(job_id)).record
            if there(record) or record.state.ended or time.monotonic() > until:
                return record
            await asyncio.sleep(POLL_SECONDS)


def _job_id(text: str) -> str:
    if not JOB_ID.fullmatch(text):
        raise InputError("job_id", shown(text), "the id of a job, as `earwitness list` shows it")
    return text
