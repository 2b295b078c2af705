"""Requests that the jobs service refuses, each with the status and the field that say why."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

sys.path.insert(0, str(Path(__file__).parent))

from jobs_kit import ROOT, Mesh, jobs_mesh, whole_recipe

from earwitness.local.ports import free_ports
from earwitness.redis_client import OUTAGE_SECONDS
from earwitness.wire.jobs.v1 import jobs_pb2 as wire


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    with jobs_mesh(tmp_path) as mesh:
        yield mesh


@pytest.fixture
def recipe(tmp_path: Path) -> dict:
    return whole_recipe(tmp_path)


def violations(error: grpc.RpcError) -> dict[str, str]:
    status = rpc_status.from_call(error)
    bad = error_details_pb2.BadRequest()
    assert status is not None and status.details[0].Unpack(bad)
    return {v.field: v.description for v in bad.field_violations}


BY_ITS_PAUSES = """
import asyncio, runpy
from types import SimpleNamespace
from earwitness import redis_client

paused = 0.0

async def sleep(seconds):
    global paused
    paused += seconds

redis_client.time = SimpleNamespace(monotonic=lambda: paused)
redis_client.asyncio = SimpleNamespace(sleep=sleep, current_task=asyncio.current_task)
runpy.run_module("services.jobs", run_name="__main__")
"""
"""The service by a clock of its own, on which only the pauses that it makes take time, and no machine is slow."""
WRONG = {
    "unknown key": (lambda r: r | {"colour": 1}, "colour"),
    "wrong type": (lambda r: r | {"seed": "many"}, "seed"),
    "impossible order": (lambda r: r | {"stages": r["stages"][1:]}, "stages[0].type"),
    "relative path": (lambda r: r | {"output": "here"}, "output"),
    "no such manifest": (lambda r: r | {"data": {**r["data"], "eval": "/no/such.jsonl"}}, "/no/such.jsonl"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_recipe_is_refused_by_field(mesh: Mesh, recipe: dict, case: str) -> None:
    change, field = WRONG[case]
    with pytest.raises(grpc.RpcError) as refused:
        mesh.submit(change(recipe))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    found = violations(refused.value)
    assert any(field in f for f in found), found
    assert not mesh.stub.ListJobs(wire.ListJobsRequest()).jobs


def test_requests_that_make_no_sense(mesh: Mesh, recipe: dict) -> None:
    def code(call: Callable[[], object]) -> grpc.StatusCode:
        with pytest.raises(grpc.RpcError) as refused:
            call()
        return refused.value.code()

    assert code(lambda: mesh.submit(recipe, "spaces are not allowed")) == grpc.StatusCode.INVALID_ARGUMENT
    assert code(lambda: mesh.submit(recipe | {"name": "x" * 10_000_000})) == grpc.StatusCode.INVALID_ARGUMENT
    assert code(lambda: mesh.get("nobody")) == grpc.StatusCode.NOT_FOUND
    assert code(lambda: mesh.events("nobody")) == grpc.StatusCode.NOT_FOUND
    assert code(lambda: mesh.stub.CancelJob(wire.CancelJobRequest(job_id="nobody"))) == grpc.StatusCode.NOT_FOUND
    for nonsense in ("quick:events", "", "a\0b", "x" * 200):
        assert code(lambda: mesh.get(nonsense)) == grpc.StatusCode.INVALID_ARGUMENT  # noqa: B023 - called here
        cancel = wire.CancelJobRequest(job_id=nonsense)
        assert code(lambda: mesh.stub.CancelJob(cancel)) == grpc.StatusCode.INVALID_ARGUMENT  # noqa: B023
    beyond = wire.WatchJobRequest(job_id="nobody", after_sequence=2**64 - 1)
    assert code(lambda: list(mesh.stub.WatchJob(beyond))) == grpc.StatusCode.INVALID_ARGUMENT
    bad_page = wire.ListJobsRequest(page_token="next")
    assert code(lambda: mesh.stub.ListJobs(bad_page)) == grpc.StatusCode.INVALID_ARGUMENT


def test_redis_that_is_not_there_is_named_within_five_seconds_and_waited_for() -> None:
    env = {**os.environ, "EW_QUEUE_URL": f"redis://127.0.0.1:{free_ports(1)[0]}/0", "EW_TRAINER": "127.0.0.1:1"}
    ended = subprocess.run([sys.executable, "-c", BY_ITS_PAUSES], env=env, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1
    named = re.search(r'"waiting_for": "Redis at redis://127\.0\.0\.1:\d+/0", "seconds": ([\d.]+)', ended.stderr)
    assert named and 0 < float(named.group(1)) <= 5.0, ended.stderr
    waited = re.search(r"waited ([\d.]+) s for Redis at redis://127\.0\.0\.1", ended.stderr)
    assert waited and 5.0 < float(waited.group(1)) <= OUTAGE_SECONDS, ended.stderr
