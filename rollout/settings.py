"""What only rollout workers read from the environment: how much of the machine, and of the queue, one takes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from earwitness.settings import number
from rollout.contract import EngineConfig
from rollout.pace import BEHIND_SECONDS


@dataclass(frozen=True)
class RolloutSettings:
    """Read once, when a worker starts."""

    threads: int
    """EW_ROLLOUT_THREADS: CPU threads of the engine."""
    groups: int
    """EW_ROLLOUT_GROUPS: groups in flight."""
    grace_seconds: int
    """EW_ROLLOUT_GRACE_SECONDS: what groups in flight get on SIGTERM."""
    tensor_parallel: int
    """EW_ROLLOUT_TENSOR_PARALLEL: GPUs that share each layer."""
    gpu_percent: int
    """EW_ROLLOUT_GPU_PERCENT: of their memory that it may fill."""
    behind_seconds: int
    """EW_ROLLOUT_BEHIND_SECONDS: so long beyond the staleness bound, although it loads what is published, means that it
    cannot keep up."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> RolloutSettings:
        """Raises InputError naming the variable that is wrong."""
        return cls(
            threads=number(environ, "EW_ROLLOUT_THREADS", 1, 256, least=1),
            groups=number(environ, "EW_ROLLOUT_GROUPS", 16, 4096, least=1),
            grace_seconds=number(environ, "EW_ROLLOUT_GRACE_SECONDS", 5, 3600),
            tensor_parallel=number(environ, "EW_ROLLOUT_TENSOR_PARALLEL", 1, 64, least=1),
            gpu_percent=number(environ, "EW_ROLLOUT_GPU_PERCENT", round(100 * EngineConfig.gpu_share), 100, least=1),
            behind_seconds=number(environ, "EW_ROLLOUT_BEHIND_SECONDS", int(BEHIND_SECONDS), 86_400, least=1),
        )
