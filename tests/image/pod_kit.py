"""One node by hand: the pods that Helm renders, each started from the unpacked root of an image as a kubelet starts it.

A pod has a network, processes and mounts of its own. Its root is read-only, its user and groups are those that the
chart names, no capability is left to it and none can be gained, and it sees the variables and volumes that the chart
gives it. Left out: limits of CPU and memory, seccomp, GPUs, network policies, and whoever would call the Kubernetes
API. No packet leaves the machine: the pods hang on a bridge that leads nowhere.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tests.integration.process_kit import ROOT

Object = dict[str, Any]

NAMESPACE = "ew"
SUBNET = "10.213.0"
SERVER_FOLDER = "/usr/local/sbin"
"""Where the pods of Redis find their server: the first folder of PATH, and empty in the image."""

START = """
set -eu
place=$1 root=$2 own=$3 name=$4; shift 4
hostname "$name"
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$root,upperdir=$own/upper,workdir=$own/work" "$place"
mount -t proc proc "$place/proc"
mount -t sysfs -o ro sysfs "$place/sys"
mount -t tmpfs -o mode=755 tmpfs "$place/dev"
for device in null zero full random urandom tty; do
    : >"$place/dev/$device"
    mount --bind "/dev/$device" "$place/dev/$device"
done
mkdir "$place/dev/shm"
mount -t tmpfs -o size=64m,mode=1777 tmpfs "$place/dev/shm"
ln -s /proc/self/fd "$place/dev/fd"
while [ "$1" != -- ]; do
    if [ -d "$2" ]; then mkdir -p "$place$1"; else mkdir -p "$(dirname "$place$1")"; touch "$place$1"; fi
    mount --bind "$2" "$place$1"
    [ "$3" = rw ] || mount -o remount,bind,ro "$place$1"
    shift 3
done
shift
mount -o remount,bind,ro "$place"
exec setpriv --no-new-privs chroot "$@"
"""
"""Where the pod's root is to be, the image's, the pod's own folder and its name; target, source and "rw" or "ro" of
each volume; --; what chroot gets."""

ASK = """
import sys, time, grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
address, service = sys.argv[1:]
stub = health_pb2_grpc.HealthStub(grpc.insecure_channel(address))
while True:
    try:
        if stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5).status == 1:
            break
    except grpc.RpcError:
        pass
    time.sleep(0.2)
"""
"""Ends when the service says SERVING."""

HEALTH_PORT = 7071


def system(*command: str) -> None:
    """Runs what must not fail."""
    subprocess.run(command, check=True, capture_output=True, text=True)


def inside(network: str) -> list[str]:
    """What a command is to be put behind to run there."""
    return ["ip", "netns", "exec", network]


def image_variables(base: str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin") -> dict[str, str]:
    """What the image itself sets, as its Containerfile says."""
    text = (ROOT / "images" / "Containerfile").read_text()
    stage = text.partition(" AS runtime\n")[2].partition("\nFROM ")[0]
    words = (word for line in re.findall(r"^ENV (.*)$", stage, re.MULTILINE) for word in shlex.split(line))
    return {name: value.replace("$PATH", base) for name, value in (word.split("=", 1) for word in words)}


def workloads(objects: list[Object], sizes: dict[str, int]) -> Iterator[tuple[str, Object, Object]]:
    """Name of each pod, its template, and what makes it. `sizes` are of those whose number the chart leaves open."""
    for o in objects:
        name = o["metadata"]["name"]
        if o["kind"] in ("Deployment", "StatefulSet"):
            for number in range(o["spec"].get("replicas", sizes.get(name, 1))):
                yield f"{name}-{number}", o["spec"]["template"], o
        elif o["kind"] == "Pod":
            yield name, {"metadata": o["metadata"], "spec": o["spec"]}, o


def decoded(o: Object) -> dict[str, str]:
    """Files of a ConfigMap or a Secret."""
    data = o.get("data", {})
    if o["kind"] == "Secret":
        data = {key: base64.b64decode(value).decode() for key, value in data.items()}
    return {**data, **o.get("stringData", {})}


class Running:
    """A container that was started, as process 1 of its pod."""

    def __init__(self, node: str, address: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self._node, self._address = node, address
        self.process = process
        self._log = log

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_serving(self, service: str) -> None:
        """Returns when the health that the chart's probes ask says SERVING; an error if the process ends first."""
        command = [*inside(self._node), sys.executable, "-c", ASK, f"{self._address}:{HEALTH_PORT}", service]
        with subprocess.Popen(command) as asking:
            try:
                while asking.poll() is None:
                    with suppress(subprocess.TimeoutExpired):
                        status = self.process.wait(1)
                        raise AssertionError(f"ended with {status}:\n{self.said[-5000:]}")
            finally:
                asking.kill()

    def ended(self) -> int:
        """Exit status, once it has ended by itself."""
        return self.process.wait()

    def stop(self) -> int:
        """As a kubelet does it: TERM to process 1. Returns the exit status."""
        self._signal(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        """With all its processes: the end of process 1 is theirs."""
        self._signal(signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(psutil.NoSuchProcess):
            for first in psutil.Process(self.process.pid).children():
                first.send_signal(number)


class Node:
    """Pods of `objects` from the image unpacked at `image`; what they write lies in `folder`."""

    def __init__(
        self, objects: list[Object], image: Path, folder: Path, redis_server: Path, sizes: dict[str, int]
    ) -> None:
        self._pods = {name: (template, maker) for name, template, maker in workloads(objects, sizes)}
        self._services = [o for o in objects if o["kind"] == "Service"]
        self._image, self._folder, self._redis_server = image, folder, redis_server
        self._files = {
            (o["kind"], o["metadata"]["name"]): decoded(o) for o in objects if o["kind"] in ("ConfigMap", "Secret")
        }
        self._name = f"ew{secrets.token_hex(3)}"
        self._networks: dict[str, tuple[str, str]] = {}
        self._made = 0
        self._running: list[Running] = []

    @property
    def pods(self) -> list[str]:
        return list(self._pods)

    def __enter__(self) -> Node:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "resolv.conf").touch()
        system("ip", "netns", "add", self._name)
        system("ip", "-n", self._name, "link", "add", "bridge", "type", "bridge")
        system("ip", "-n", self._name, "address", "add", f"{SUBNET}.1/24", "dev", "bridge")
        system("ip", "-n", self._name, "link", "set", "bridge", "up")
        for pod in self._pods:
            self._join(pod)
        return self

    def __exit__(self, *_: object) -> None:
        for running in self._running:
            running.kill()
        for number in range(self._made):
            system("ip", "netns", "delete", f"{self._name}-{number}")
        system("ip", "netns", "delete", self._name)

    def _join(self, pod: str) -> None:
        """A network with an address that was not there before, under the pod's names."""
        number, self._made = self._made, self._made + 1
        own, address = f"{self._name}-{number}", f"{SUBNET}.{10 + number}"
        system("ip", "netns", "add", own)
        wire = ("ip", "-n", self._name, "link")
        system(*wire, "add", f"pod{number}", "type", "veth", "peer", "name", "eth0", "netns", own)
        system(*wire, "set", f"pod{number}", "master", "bridge", "up")
        system("ip", "-n", own, "address", "add", f"{address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            system("ip", "-n", own, "link", "set", device, "up")
        self._networks[pod] = own, address
        # In place: the pods have the file mounted.
        (self._folder / "hosts").write_text("127.0.0.1 localhost\n" + "".join(self._hosts()))

    def _hosts(self) -> Iterator[str]:
        """What a cluster's DNS says of Services, and of the pods of StatefulSets."""
        for pod, (_, address) in self._networks.items():
            template, maker = self._pods[pod]
            yield f"{address} {pod}\n"
            if maker["kind"] == "StatefulSet":
                yield f"{address} {pod}.{maker['spec']['serviceName']}.{NAMESPACE}.svc\n"
            for service in self._services:
                if service["spec"]["selector"].items() <= template["metadata"]["labels"].items():
                    yield f"{address} {service['metadata']['name']}.{NAMESPACE}.svc\n"

    def lose(self, pod: str) -> None:
        """Its machine is gone: no packet goes in or out from now on, and nobody is told. A pod that is started next
        under the name has another address."""
        system("ip", "-n", self._name, "link", "set", f"pod{self._networks[pod][0].rpartition('-')[2]}", "down")
        self._join(pod)

    def ask(self, *words: str) -> Any:
        """What a program of this folder answers, as JSON: `mesh_client.py` with these words, in the node's network."""
        named = {
            "EW_ADDRESS": f"{self._address_of('ew-jobs')}:7070",
            "EW_TOKEN": self._files["Secret", "ew-auth"]["token"],
            "EW_REDIS_PASSWORD": self._files["Secret", "ew-auth"]["redis-password"],
            "EW_QUEUE_URL": f"redis://earwitness@{self._address_of('ew-queue')}:6379/0",
            "PYTHONPATH": str(ROOT),
        }
        program = [sys.executable, str(Path(__file__).with_name("mesh_client.py")), *words]
        done = subprocess.run(
            [*inside(self._name), *program], env={**os.environ, **named}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    def _address_of(self, workload: str) -> str:
        return next(address for pod, (_, address) in self._networks.items() if pod.startswith(workload))

    def start(self, pod: str, command: list[str] | None = None) -> Running:
        """Its one container, with the chart's command or another one."""
        spec = self._pods[pod][0]["spec"]
        network, address = self._networks[pod]
        (container,) = spec["containers"]
        own = self._folder / "pods" / f"{pod}-{len(self._running)}"
        for part in ("upper", "work", "root", "volumes"):
            (own / part).mkdir(parents=True)
        variables = image_variables() | self._variables(pod, container)
        words = command or [*container["command"], *container.get("args", [])]
        words = [re.sub(r"\$\((\w+)\)", lambda found: variables[found[1]], word) for word in words]
        user = spec["securityContext"]
        assert container["securityContext"]["readOnlyRootFilesystem"], pod
        log = own / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                inside(network)
                + ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork"]
                + ["bash", "-c", START, "start", f"{own}/root", f"{self._image}", f"{own}", pod]
                + [*self._mounts(pod, spec, container, own / "volumes"), "--"]
                + [f"--userspec={user['runAsUser']}:{user['runAsGroup']}", f"--groups={user['fsGroup']}", f"{own}/root"]
                + ["env", "-i", "--chdir", container.get("workingDir", "/")]
                + [f"{name}={value}" for name, value in variables.items()]
                + words,
                stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self._running.append(Running(self._name, address, process, log))
        return self._running[-1]

    def _variables(self, pod: str, container: Object) -> dict[str, str]:
        found = {}
        for entry in container.get("env", []):
            source = entry.get("valueFrom")
            if source is None:
                found[entry["name"]] = entry.get("value", "")
            elif secret := source.get("secretKeyRef"):
                found[entry["name"]] = self._files["Secret", secret["name"]][secret["key"]]
            else:
                fields = {"metadata.name": pod, "metadata.uid": secrets.token_hex(8)}
                found[entry["name"]] = fields[source["fieldRef"]["fieldPath"]]
        return found

    def _mounts(self, pod: str, spec: Object, container: Object, own: Path) -> Iterator[str]:
        """Target, source and mode of each."""
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        for mount in container["volumeMounts"]:
            source = self._volume(pod, volumes.get(mount["name"]), mount["name"], spec["securityContext"], own)
            yield mount["mountPath"]
            yield str(source / mount.get("subPath", ""))
            yield "ro" if mount.get("readOnly") else "rw"
        for name in ("hosts", "resolv.conf"):
            yield from (f"/etc/{name}", str(self._folder / name), "rw")
        if any("redis" in mount["mountPath"] for mount in container["volumeMounts"]):
            yield from (SERVER_FOLDER, str(self._redis_server.parent), "ro")

    def _volume(self, pod: str, volume: Object | None, name: str, user: Object, own: Path) -> Path:
        """A folder as Kubernetes makes it: of root, and of the pod's group, which may write."""
        shared = volume is None or "persistentVolumeClaim" in volume
        folder = (self._folder / "claims" / (name if volume else f"{name}-{pod}")) if shared else own / name
        folder.mkdir(parents=True, exist_ok=True)
        system("chown", f"0:{user['fsGroup']}", str(folder))
        folder.chmod(0o2775 if shared else 0o2777)
        source = volume or {}
        if config := source.get("configMap"):
            files = self._files["ConfigMap", config["name"]]
        elif config := source.get("secret"):
            files = self._files["Secret", config["secretName"]]
        else:
            return folder
        for key, text in files.items():
            (folder / key).write_text(text)
            (folder / key).chmod(config.get("defaultMode", 0o644))
            system("chown", f"0:{user['fsGroup']}", str(folder / key))
        return folder
