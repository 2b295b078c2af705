"""Settings, tokens, statuses and logs, as every service of the mesh has them."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from earwitness.errors import ConflictError, DocumentError, InfrastructureError, InputError, NotFoundError, Problem
from earwitness.log import Logger
from earwitness.rpc import limits
from earwitness.rpc.client_errors import Refused, ServerError, ServerUnreachable, UnknownJob, typed_error
from earwitness.rpc.interceptors import AsyncGuard
from earwitness.rpc.server import RunningServer, Settings, serve_in_thread
from earwitness.rpc.status import code_of
from earwitness.wire.jobs.v1 import jobs_pb2, jobs_pb2_grpc
from earwitness.wire.recogniser.v1 import recogniser_pb2
from earwitness.wire.reference.v1 import reference_pb2
from earwitness.wire.reward.v1 import reward_pb2
from earwitness.wire.rollout.v1 import rollout_pb2
from earwitness.wire.trainer.v1 import trainer_pb2 as wire
from earwitness.wire.trainer.v1 import trainer_pb2_grpc
from tests.integration.process_kit import PATIENCE

PROBLEMS = [Problem("a.b", "wrong", "right"), Problem("c", "ü" * 9000, "y"), *[Problem("d", "z" * 500, "y")] * 20]
ERRORS = {
    1: (InputError("step", "is negative", "0 or more"), grpc.StatusCode.INVALID_ARGUMENT),
    2: (NotFoundError("no such job"), grpc.StatusCode.NOT_FOUND),
    3: (ConflictError("it has ended"), grpc.StatusCode.FAILED_PRECONDITION),
    4: (InfrastructureError("Redis", 5.0, "refused"), grpc.StatusCode.UNAVAILABLE),
    5: (KeyError("secret"), grpc.StatusCode.INTERNAL),
    6: (DocumentError(PROBLEMS), grpc.StatusCode.INVALID_ARGUMENT),
}  # fmt: skip


class Failing(trainer_pb2_grpc.TrainerServiceServicer):
    def GetStatus(self, request, context):
        if request.after_step:
            raise ERRORS[request.after_step][0]
        return wire.GetStatusResponse(step=3)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    settings = Settings(token="right", name="t")
    running = serve_in_thread(
        "trainer", settings, lambda s: trainer_pb2_grpc.add_TrainerServiceServicer_to_server(Failing(), s)
    )
    yield running
    running.stop()


def status(server: RunningServer, after_step: int = 0, token: str = "right") -> wire.GetStatusResponse:
    metadata = [("authorization", f"Bearer {token}")] if token else []
    with grpc.insecure_channel(server.address) as channel:
        stub = trainer_pb2_grpc.TrainerServiceStub(channel)
        return stub.GetStatus(wire.GetStatusRequest(after_step=after_step), metadata=metadata)


def test_the_token_opens(server: RunningServer) -> None:
    assert status(server).step == 3


@pytest.mark.parametrize("token", ["", "wrong", "righ", "rightt"])
def test_no_other_token_does(server: RunningServer, token: str) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        status(server, token=token)
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("method", ["GetStatus", "NoSuchMethod"])
def test_nothing_a_stranger_sends_is_read(server: RunningServer, method: str) -> None:
    """Bytes that are no message would be INTERNAL if a parser had seen them, a large one RESOURCE_EXHAUSTED."""
    for body in (b"\xff" * 100, b"\xff" * (40 << 20)):
        with grpc.insecure_channel(server.address, options=[("grpc.max_send_message_length", -1)]) as channel:
            call = channel.unary_unary(f"/earwitness.trainer.v1.TrainerService/{method}")
            with pytest.raises(grpc.RpcError) as refused:
                call(body)
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_health_needs_no_token(server: RunningServer) -> None:
    with grpc.insecure_channel(server.address) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("number", ERRORS)
def test_errors_become_statuses(server: RunningServer, number: int) -> None:
    error, code = ERRORS[number]
    assert code_of(error) == code
    with pytest.raises(grpc.RpcError) as raised:
        status(server, number)
    assert raised.value.code() == code
    if code is grpc.StatusCode.INTERNAL:
        assert "secret" not in raised.value.details()
    elif number != 6:
        assert raised.value.details() == str(error)


@pytest.mark.parametrize(("number", "fields"), [(1, ["step"]), (6, ["a.b", "c", "d", "d", "d", "d"])])
def test_mistakes_travel_by_field(server: RunningServer, number: int, fields: list[str]) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        status(server, number)
    bad = error_details_pb2.BadRequest()
    assert rpc_status.from_call(raised.value).details[0].Unpack(bad)
    assert [v.field for v in bad.field_violations] == fields


KINDS = {1: "INPUT", 2: "NOT_FOUND", 3: "CONFLICT", 4: "INFRASTRUCTURE", 5: "INTERNAL", 6: "INPUT"}


@pytest.mark.parametrize("number", ERRORS)
def test_the_kind_of_an_error_travels(server: RunningServer, number: int) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        status(server, number)
    info = error_details_pb2.ErrorInfo()
    assert rpc_status.from_call(raised.value).details[-1].Unpack(info)
    assert (info.domain, info.reason) == ("earwitness", KINDS[number])
    typed = typed_error(raised.value, server.address, 1.0)
    assert isinstance(typed, ServerError if number in (4, 5) else UnknownJob if number == 2 else Refused)


def test_words_do_not_make_a_kind(server: RunningServer) -> None:
    """A proxy on the way that answers in our words is not the service."""

    class Stranger(grpc.GenericRpcHandler):
        def service(self, details):
            def refuse(request, context):
                context.abort(grpc.StatusCode.UNAVAILABLE, "waited 5.0 s for Redis: refused")

            return grpc.unary_unary_rpc_method_handler(refuse)

    stranger = grpc.server(ThreadPoolExecutor(1), [Stranger()])
    port = stranger.add_insecure_port("127.0.0.1:0")
    stranger.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary("/any/Method")(b"", timeout=PATIENCE)
        assert isinstance(typed_error(raised.value, "there", 1.0), ServerUnreachable)
    finally:
        stranger.stop(None).wait()


def test_settings_of_an_empty_environment_are_usable() -> None:
    settings = Settings.from_env({})
    assert (settings.listen, settings.token, settings.metrics_port) == ("127.0.0.1:0", "", 0)
    assert settings.name


@pytest.mark.parametrize(
    ("environ", "field"),
    [
        ({"EW_LISTEN": "here"}, "EW_LISTEN"),
        ({"EW_LISTEN": "127.0.0.1:99999"}, "EW_LISTEN"),
        ({"EW_LISTEN": "0.0.0.0:70"}, "EW_TOKEN"),
        ({"EW_METRICS_PORT": "-1"}, "EW_METRICS_PORT"),
        ({"EW_CLAIM_IDLE_MS": "soon"}, "EW_CLAIM_IDLE_MS"),
        ({"EW_CLAIM_IDLE_MS": "²"}, "EW_CLAIM_IDLE_MS"),
        ({"EW_HEALTH_PORT": "٣"}, "EW_HEALTH_PORT"),
        ({"EW_METRICS_PORT": "9" * 5000}, "EW_METRICS_PORT"),
        ({"EW_LISTEN": "127.0.0.1:²"}, "EW_LISTEN"),
        ({"EW_LISTEN": "127.0.0.1:" + "9" * 5000}, "EW_LISTEN"),
        ({"EW_TLS_CERT": "/a"}, "EW_TLS_CERT, EW_TLS_KEY"),
        ({"EW_TLS_CA": "/no/such.pem"}, "EW_TLS_CA"),
    ],
)
def test_wrong_settings_are_named(environ: dict[str, str], field: str) -> None:
    with pytest.raises(InputError) as refused:
        Settings.from_env(environ)
    assert refused.value.field == field


def test_log_lines_are_json_with_bound_fields() -> None:
    stream = io.StringIO()
    log = Logger("jobs", stream=stream).bind(job="a\nb")
    log.debug("not shown")
    log.info("hello", step=1, odd={"x": {1}})
    (line,) = stream.getvalue().splitlines()
    assert {k: v for k, v in json.loads(line).items() if k != "time"} == {
        "level": "info", "service": "jobs", "event": "hello", "job": "a\nb", "step": 1, "odd": {"x": "{1}"},
    }  # fmt: skip


def test_nor_does_the_asyncio_server_read_it() -> None:
    async def code(body: bytes) -> grpc.StatusCode:
        server = grpc.aio.server(interceptors=[AsyncGuard("right", Logger("t", stream=io.StringIO()))])
        trainer_pb2_grpc.add_TrainerServiceServicer_to_server(Failing(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        options = [("grpc.max_send_message_length", -1)]
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
                await channel.unary_unary("/earwitness.trainer.v1.TrainerService/GetStatus")(body)
        except grpc.aio.AioRpcError as refused:
            return refused.code()
        finally:
            await server.stop(None)
        return grpc.StatusCode.OK

    for body in (b"\xff" * 100, b"\xff" * (40 << 20)):
        assert asyncio.run(code(body)) is grpc.StatusCode.UNAUTHENTICATED


def test_what_a_caller_sends_is_measured_by_method_and_named(server: RunningServer) -> None:
    """GetStatus needs no megabyte, although the server takes 32 of them where a group travels."""
    metadata = [("authorization", "Bearer right")]
    for body, words in [(b"\x08\x01" * 40_000, "80,000 bytes"), (b"\xff" * 100, "no message that can be read")]:
        with grpc.insecure_channel(server.address) as channel:
            call = channel.unary_unary("/earwitness.trainer.v1.TrainerService/GetStatus")
            with pytest.raises(grpc.RpcError, match=words) as refused:
                call(body, metadata=metadata)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_no_method_takes_more_than_the_server() -> None:
    assert max(limits.MESSAGE_LIMITS.values()) == limits.MESSAGE_LIMIT
    names = {m.name for proto in (jobs_pb2, wire, rollout_pb2, reward_pb2, reference_pb2, recogniser_pb2)
             for service in proto.DESCRIPTOR.services_by_name.values() for m in service.methods}  # fmt: skip
    assert set(limits.MESSAGE_LIMITS) <= names


@pytest.mark.parametrize("streams", [True, False])
def test_one_host_may_have_so_much_in_progress_and_others_still_come(streams: bool) -> None:
    callers, most = limits.Callers(), limits.STREAMS_OF_A_HOST if streams else limits.CALLS_OF_A_HOST
    with ExitStack() as held:
        for port in range(most):
            held.enter_context(callers.call(f"ipv4:10.0.0.7:{port}", streams))
        with pytest.raises(InfrastructureError, match=f"has {most} in progress"):
            held.enter_context(callers.call("ipv4:10.0.0.7:9999", streams))
        held.enter_context(callers.call("ipv4:10.0.0.8:1", streams))
        held.enter_context(callers.call("ipv4:10.0.0.7:1", not streams))
    with callers.call("ipv4:10.0.0.7:1", streams):  # all were counted back
        assert sum(callers._calls.values()) == 1


async def test_streams_that_end_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STREAMS_OF_A_HOST", 3)

    class Watched(jobs_pb2_grpc.JobServiceServicer):
        async def WatchJob(self, request, context):
            yield jobs_pb2.WatchJobResponse()
            await asyncio.Event().wait()

    server = grpc.aio.server(interceptors=[AsyncGuard("", Logger("t", stream=io.StringIO()))])
    jobs_pb2_grpc.add_JobServiceServicer_to_server(Watched(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = jobs_pb2_grpc.JobServiceStub(channel)
            watches = [stub.WatchJob(jobs_pb2.WatchJobRequest()) for _ in range(3)]
            for watch in watches:
                assert await watch.read() != grpc.aio.EOF
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.WatchJob(jobs_pb2.WatchJobRequest()).read()
            assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
            watches[0].cancel()
            for _ in range(1000):  # until the server has noticed
                again = stub.WatchJob(jobs_pb2.WatchJobRequest())
                try:
                    assert await again.read() != grpc.aio.EOF
                    break
                except grpc.aio.AioRpcError as error:
                    assert error.code() == grpc.StatusCode.UNAVAILABLE
                    await asyncio.sleep(0.01)
            else:
                pytest.fail("a stream that was cancelled is counted for ever")
    finally:
        await server.stop(None)
