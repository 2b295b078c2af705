"""The Kubernetes API as a pod sees it, with the rights of its own service account.

Needs no package: the few requests that a service makes are plain JSON over HTTPS.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

from earwitness.errors import InfrastructureError, InputError

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes mounts a pod's token, its namespace and the API server's authority."""

ANSWER_SECONDS = 20.0
"""Longest wait for the API server; whoever asks tries again."""


class OwnApi:
    """Requests within the pod's namespace."""

    def __init__(self, server: str, account: Path = ACCOUNT) -> None:
        """`server`: https://host:port."""
        self._server = server
        self._account = account
        self.namespace = (account / "namespace").read_text().strip()

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> OwnApi:
        """Raises InputError outside of a pod that has a token."""
        try:
            host, port = environ["KUBERNETES_SERVICE_HOST"], environ["KUBERNETES_SERVICE_PORT"]
            return cls(f"https://{f'[{host}]' if ':' in host else host}:{port}")
        except (KeyError, OSError) as error:
            expected = "a pod whose service account's token is mounted"
            raise InputError("Kubernetes", f"its API cannot be reached from here: {error}", expected) from error

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer. `path`: `apis/apps/v1//deployments/x`, with the namespace left out at `//`.

        Raises InfrastructureError with the API server's words, or if nobody answers.
        """
        group, _, rest = path.partition("//")
        try:
            request = self._request(method, f"{group}/namespaces/{self.namespace}/{rest}", body)
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS, context=self._trust()) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            said = error.read(2000).decode(errors="replace")
            raise InfrastructureError(f"the Kubernetes API, {method} {rest}", 0.0, f"{error.code}: {said}") from error
        except (OSError, HTTPException, ValueError) as error:  # the last: an answer that is no JSON
            raise InfrastructureError(f"the API server {self._server}", 0.0, str(error)) from error

    def _request(self, method: str, path: str, body: dict[str, Any] | None) -> urllib.request.Request:
        return urllib.request.Request(
            f"{self._server}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={
                "Authorization": f"Bearer {(self._account / 'token').read_text().strip()}",
                "Content-Type": "application/merge-patch+json" if method == "PATCH" else "application/json",
            },
        )

    def _trust(self) -> ssl.SSLContext | None:
        secure = self._server.startswith("https:")
        return ssl.create_default_context(cafile=str(self._account / "ca.crt")) if secure else None
