"""Events of Kubernetes about the pod's own Deployment, as `kubectl describe deployment` shows them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from earwitness.cluster.own_api import OwnApi
from earwitness.errors import InfrastructureError
from earwitness.log import Logger

MESSAGE_CHARS = 1024
"""Longest message that the API server takes."""

COMPONENT = "earwitness-jobs"


class OwnEvents:
    """Tells of one Deployment. Whoever may not, or finds nobody, says so in the log once and goes on without."""

    def __init__(self, api: OwnApi, deployment: str, name: str, log: Logger) -> None:
        """`name`: of the process that tells."""
        self._api = api
        self._deployment = deployment
        self._name = name
        self._log = log
        self._about: dict[str, Any] = {}
        self._said = ""

    async def tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        """One event, of now. `reason`: one word in CamelCase."""
        try:
            await asyncio.to_thread(self._create, reason, message, "Warning" if warning else "Normal")
        except InfrastructureError as error:
            if str(error) != self._said:
                self._said = str(error)
                self._log.warning("event not told", reason=reason, error=self._said)

    def _create(self, reason: str, message: str, kind: str) -> None:
        if not self._about:
            # `kubectl describe` asks for the events of an identity, not of a name.
            found = self._api.ask("GET", f"apis/apps/v1//deployments/{self._deployment}")
            self._about = {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": self._deployment,
                "namespace": self._api.namespace,
                "uid": found["metadata"]["uid"],
            }
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{self._deployment}.", "namespace": self._api.namespace},
            "involvedObject": self._about,
            "type": kind,
            "reason": reason,
            "message": message[:MESSAGE_CHARS],
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": self._name,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        self._api.ask("POST", "api/v1//events", event)
