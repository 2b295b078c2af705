"""What the jobs service does for the mesh at the Kubernetes API, where the chart asks it to and grants the rights."""

from __future__ import annotations

import os
from collections.abc import Coroutine
from typing import Any

import redis.asyncio

from earwitness.cluster.first_size import set_first_size
from earwitness.cluster.own_api import OwnApi
from earwitness.log import Logger
from earwitness.settings import number


def in_kubernetes(redis: redis.asyncio.Redis, log: Logger) -> list[Coroutine[Any, Any, None]]:
    """What runs beside the service, by EW_FIRST_SIZE_OF (a Deployment) and EW_FIRST_SIZE. Raises InputError."""
    deployment = os.environ.get("EW_FIRST_SIZE_OF", "")
    if not deployment:
        return []
    replicas = number(os.environ, "EW_FIRST_SIZE", 1, 100_000, least=1)
    return [set_first_size(OwnApi.from_env(os.environ), redis, deployment, replicas, log)]
