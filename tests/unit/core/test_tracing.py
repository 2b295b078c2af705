"""Traces: nothing when off; on, spans of one trace with times, told to a collector over real gRPC."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from earwitness import tracing
from earwitness.errors import InputError
from tests.integration.trace_collector import Collector, collector

CONTEXT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collector() as there:
        tracing.start("jobs", "jobs-0", {tracing.VARIABLES[1]: there.address} | there.environment(monkeypatch))
        yield there
        tracing.stop()


def test_off_nothing_is_imported_and_no_context_is_made() -> None:
    """In a process of its own. (redis-py imports OpenTelemetry's metrics by itself where they are installed.)"""
    code = f"""
import sys
import earwitness.rpc.server, earwitness.queue.working
from earwitness import tracing
tracing.start("jobs", "jobs-0", {{}})
assert not tracing.on()
assert tracing.root("issue", 0.0, 1.0, ordinal=1) == ""
tracing.child("{CONTEXT}", "reward", 0.0, 1.0)
with tracing.inside("phase"):
    assert tracing.carried() == ""
assert tracing.parent_of([("traceparent", "{CONTEXT}")]) == ""
print(*[name for name in sys.modules if name.startswith(("opentelemetry.sdk.trace", "opentelemetry.exporter"))])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_a_group_is_one_trace(told: Collector) -> None:
    with tracing.inside("phase", job="quickstart-1"):
        phase = tracing.carried()
        context = tracing.root("issue", 10.0, 10.5, ordinal=7)
    tracing.child(context, "rollout", 11.0, 12.5, worker="rollout-0", tokens=40, handed_back=True)
    tracing.child(context, "reward", 13.0, 12.9, worker="reward-0")  # another machine's clock is behind
    tracing.child("", "reward", 1.0, 2.0)
    tracing.stop()
    spans = {span.name: span for span in told.spans}
    assert set(spans) == {"phase", "issue", "rollout", "reward"}
    issue = spans["issue"]
    assert {spans[name].trace_id for name in ("issue", "rollout", "reward")} == {issue.trace_id}
    assert spans["rollout"].parent_span_id == spans["reward"].parent_span_id == issue.span_id
    assert issue.parent_span_id == b""
    assert context == f"00-{issue.trace_id.hex()}-{issue.span_id.hex()}-{context[-2:]}"
    assert [link.trace_id for link in issue.links] == [spans["phase"].trace_id]
    assert spans["phase"].span_id.hex() in phase
    assert spans["rollout"].start_time_unix_nano == 11_000_000_000
    assert spans["rollout"].end_time_unix_nano == 12_500_000_000
    assert spans["reward"].end_time_unix_nano == spans["reward"].start_time_unix_nano
    assert told.attributes(spans["rollout"]) == {"worker": "rollout-0", "tokens": 40, "handed_back": True}
    assert told.services == {("earwitness-jobs", "jobs-0")}


def test_what_is_not_kept_travels_nowhere(told: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    tracing.stop()
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.25")
    tracing.start("jobs", "jobs-0", {tracing.VARIABLES[0]: told.address})
    kept = [context for _ in range(400) if (context := tracing.root("issue", 0.0, 1.0))]
    for context in kept:
        tracing.child(context, "reward", 1.0, 2.0)
    tracing.stop()
    assert 50 < len(kept) < 150  # 100 expected; five standard deviations
    assert len(told.spans) == 2 * len(kept)


def test_a_context_that_is_none_does_no_harm(told: Collector) -> None:
    """Whoever may call may send anything."""
    for context in ("", "nonsense", "00-0-0-00", CONTEXT + "-more", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "\x00"):
        tracing.child(context, "reward", 1.0, 2.0)
    tracing.stop()
    assert all(span.name == "reward" and not span.parent_span_id for span in told.spans)


def test_a_collector_that_is_away_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tracing.VARIABLES[1], "http://127.0.0.1:1")
    tracing.start("jobs", "jobs-0")
    assert tracing.on()
    for _ in range(3000):
        tracing.child(CONTEXT, "reward", 1.0, 2.0)
    begun = time.monotonic()
    tracing.stop()
    assert time.monotonic() - begun < tracing.EXPORT_SECONDS + 60.0  # generous: a retry of the SDK may take a minute
    assert not tracing.on()


def test_a_wait_that_is_no_number_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"OTEL_EXPORTER_OTLP_TIMEOUT: 'soon' is no number"):
        tracing.start("jobs", "jobs-0", {tracing.VARIABLES[0]: "http://127.0.0.1:1", tracing.PATIENCE: "soon"})
    assert not tracing.on()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(InputError, match=r"pip install 'earwitness\[trace\]'"):
        tracing.start("jobs", "jobs-0", {tracing.VARIABLES[0]: "http://127.0.0.1:1"})
