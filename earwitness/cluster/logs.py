"""Logs of the pods of one component, together."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator

from earwitness.cluster.api import CONNECT_SECONDS, Api, ClusterError
from earwitness.cluster.pods import Pod, pods_of
from earwitness.cluster.release import Release
from earwitness.errors import EarwitnessError, InputError

LOOK_SECONDS = 2.0
"""Between two looks for pods that have come or begun anew."""

QUIET_SECONDS = 86_400.0
"""A log that says nothing is no failure, but the client wants a limit."""

Line = tuple[str, str]
"""Name of the pod, and what it wrote."""


def log_lines(api: Api, release: Release, service: str, tail: int, *, follow: bool = False) -> Iterator[Line]:
    """The last `tail` lines of each pod of `service` (a component or the name of a pod), pod by pod.

    With `follow` it goes on as lines come, also with pods that come later, and never ends. Raises InputError if there
    is no such pod, Forbidden, NoCluster.
    """
    chosen = _choose(api, release, service)
    if not follow:
        for pod in chosen:
            yield from ((pod.name, line) for line in _read(api, release, pod, tail))
        return
    lines: queue.Queue[Line | EarwitnessError] = queue.Queue()
    begun: set[tuple[str, int]] = set()
    while True:
        for pod in chosen:
            if (pod.name, pod.restarts) not in begun and pod.state in ("Running", "Terminating"):
                begun.add((pod.name, pod.restarts))
                threading.Thread(
                    target=_follow, args=(api, release, pod, tail, lines), name=f"log of {pod.name}", daemon=True
                ).start()
        yield from _arriving(lines)
        chosen = [pod for pod in pods_of(api, release) if service in (pod.component, pod.name)]


def _choose(api: Api, release: Release, service: str) -> list[Pod]:
    pods = pods_of(api, release)
    chosen = [pod for pod in pods if service in (pod.component, pod.name)]
    if not chosen:
        there = ", ".join(sorted({pod.component for pod in pods})) or "a release with pods"
        raise InputError("service", f"release {release.name} has no pod of {service!r}", there)
    return chosen


def _arriving(lines: queue.Queue[Line | EarwitnessError]) -> Iterator[Line]:
    """What comes within LOOK_SECONDS."""
    until = time.monotonic() + LOOK_SECONDS
    while (left := until - time.monotonic()) > 0:
        try:
            arrived = lines.get(timeout=left)
        except queue.Empty:
            return
        if isinstance(arrived, EarwitnessError):
            raise arrived
        yield arrived


def _read(api: Api, release: Release, pod: Pod, tail: int) -> list[str]:
    try:
        read = api.core.read_namespaced_pod_log
        text: str = api.ask("get", "pods/log", release.namespace, read, pod.name, tail_lines=tail)
    except ClusterError:
        return [f"(no log: {pod.state})"]
    return text.splitlines()


def _follow(api: Api, release: Release, pod: Pod, tail: int, lines: queue.Queue[Line | EarwitnessError]) -> None:
    """Put the pod's lines into `lines` until its container ends."""
    try:
        with api.asking("get", "pods/log", release.namespace):
            stream = api.core.read_namespaced_pod_log(
                pod.name,
                release.namespace,
                tail_lines=tail,
                follow=True,
                _preload_content=False,
                _request_timeout=(CONNECT_SECONDS, QUIET_SECONDS),
            )
            rest = b""
            for chunk in stream.stream():
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    lines.put((pod.name, line.decode(errors="replace")))
            if rest:
                lines.put((pod.name, rest.decode(errors="replace")))
    except ClusterError:
        return  # the pod went; if it comes again, it is followed again
    except EarwitnessError as error:
        lines.put(error)
