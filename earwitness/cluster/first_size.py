"""Gives a new mesh its first number of rollout workers, once, right after the install.

`python -m earwitness.cluster.first_size`.

The chart renders no number of replicas, because then `kubectl scale` and the next upgrade would fight. This writes the
scale subresource, as `kubectl scale` does, with the service account of the pod it runs in. EW_SCALE_NAMESPACE,
EW_SCALE_DEPLOYMENT and EW_SCALE_REPLICAS say where and how many.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path

from earwitness.errors import EarwitnessError, InfrastructureError, InputError, shown
from earwitness.log import get_logger

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes mounts a pod's token and the API server's authority."""

ANSWER_SECONDS = 20.0
"""Longest wait for the API server; the Job around this tries again."""

FIELD_MANAGER = "earwitness-first-size"
"""Who owns the field afterwards, so that `kubectl get --show-managed-fields` tells."""


def set_replicas(server: str, namespace: str, deployment: str, replicas: int, account: Path = ACCOUNT) -> None:
    """Patch the scale of a Deployment. Raises InfrastructureError with what the API server said."""
    url = f"{server}/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}/scale?fieldManager={FIELD_MANAGER}"
    request = urllib.request.Request(
        url,
        data=json.dumps({"spec": {"replicas": replicas}}).encode(),
        method="PATCH",
        headers={
            "Authorization": f"Bearer {(account / 'token').read_text().strip()}",
            "Content-Type": "application/merge-patch+json",
        },
    )
    trust = ssl.create_default_context(cafile=str(account / "ca.crt")) if server.startswith("https:") else None
    try:
        urllib.request.urlopen(request, timeout=ANSWER_SECONDS, context=trust).close()
    except urllib.error.HTTPError as error:
        said = error.read(2000).decode(errors="replace")
        raise InfrastructureError(f"the scale of {deployment}", 0.0, f"{error.code}: {said}") from error
    except OSError as error:
        raise InfrastructureError(f"the API server {server}", ANSWER_SECONDS, str(error)) from error


def main() -> int:
    """Entry point; returns the exit status."""
    log = get_logger("first-size")
    try:
        replicas = os.environ.get("EW_SCALE_REPLICAS", "")
        if not re.fullmatch(r"[0-9]{1,5}", replicas):
            raise InputError("EW_SCALE_REPLICAS", f"{shown(replicas)} is not a number", "a whole number up to 99999")
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        host = f"[{host}]" if ":" in host else host
        deployment = os.environ["EW_SCALE_DEPLOYMENT"]
        set_replicas(f"https://{host}:{port}", os.environ["EW_SCALE_NAMESPACE"], deployment, int(replicas))
    except KeyError as error:
        log.error("cannot run", reason=f"{error.args[0]} is not set")
        return 1
    except EarwitnessError as error:
        log.error("cannot run", reason=str(error))
        return 1
    log.info("scaled", deployment=deployment, replicas=int(replicas))
    return 0


if __name__ == "__main__":
    sys.exit(main())
