"""Gives a new mesh its first number of rollout workers, once, when its jobs service begins.

The chart renders no number of replicas, because then `kubectl scale` and the next upgrade would fight. This writes the
scale subresource, as `kubectl scale` does, unless somebody has scaled already. Which Deployment has had its size stands
in the queue Redis, by the identity that Kubernetes gives each: one that is installed anew gets its size anew.
"""

from __future__ import annotations

import asyncio
from typing import Any

from earwitness.cluster.own_api import OwnApi
from earwitness.errors import InfrastructureError
from earwitness.log import Logger

FIELD_MANAGER = "earwitness-first-size"
"""Who owns the field afterwards, so that `kubectl get --show-managed-fields` tells."""

SIZED = "ew:first-size"
"""Key in the queue Redis: uid of the Deployment that has had its first size."""

UNSCALED = 1
"""Replicas of a Deployment that says none."""

RETRY_SECONDS = 5.0
"""The Deployment may be made a moment after this service; a right may be granted later."""


async def set_first_size(api: OwnApi, redis: Any, deployment: str, replicas: int, log: Logger) -> None:
    """Returns when `deployment` has had its first size. `redis`: an asyncio client. Goes on trying while it may not."""
    said = ""
    while True:
        try:
            changed = await _try(api, redis, deployment, replicas)
        except InfrastructureError as error:
            if str(error) != said:
                said = str(error)
                log.warning("no first size yet", deployment=deployment, reason=said)
            await asyncio.sleep(RETRY_SECONDS)
            continue
        if changed:
            log.info("scaled", deployment=deployment, replicas=replicas)
        return


async def _try(api: OwnApi, redis: Any, deployment: str, replicas: int) -> bool:
    """True if the size was set, False if it is none of our business any more."""
    path = f"apis/apps/v1//deployments/{deployment}/scale"
    scale = await asyncio.to_thread(api.ask, "GET", path)
    uid = scale["metadata"]["uid"]
    if await redis.get(SIZED) == uid.encode():
        return False
    changed = scale["spec"].get("replicas", 0) == UNSCALED
    if changed:
        wanted = {
            "metadata": {"resourceVersion": scale["metadata"]["resourceVersion"]},  # nobody has scaled since
            "spec": {"replicas": replicas},
        }
        await asyncio.to_thread(api.ask, "PATCH", f"{path}?fieldManager={FIELD_MANAGER}", wanted)
    await redis.set(SIZED, uid)
    return changed
