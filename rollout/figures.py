"""What a worker shows to Prometheus."""

from __future__ import annotations

from prometheus_client import Gauge

from rollout.serving import Serving
from rollout.worker import RolloutWorker


def measure(serving: Serving, worker: RolloutWorker) -> None:
    """Prometheus figures, read when they are asked for."""
    Gauge("ew_rollout_tokens", "Tokens generated since the engine started").set_function(
        lambda: serving.engine.tokens if serving.engine else 0
    )
    Gauge("ew_rollout_version", "Weight version in use; 0 before the first").set_function(
        lambda: served.version if serving.engine and (served := serving.engine.served) else 0
    )
    Gauge("ew_rollout_groups", "Groups in flight").set_function(lambda: len(worker.flights))
    Gauge("ew_rollout_dropped", "Prompts that could not be generated from").set_function(lambda: worker.dropped)
    Gauge("ew_rollout_behind", "Versions that the weights in use are behind the newest").set_function(
        lambda: serving.behind
    )
    Gauge("ew_rollout_handed_back", "Tokens handed back for others to go on from").set_function(
        lambda: worker.handed_back
    )
    Gauge("ew_rollout_weight_load_seconds", "Time to fetch and load the newest version").set_function(
        lambda: serving.load_seconds
    )
    Gauge("ew_rollout_weight_fetch_seconds", "Of that, fetching and verifying beside the generation").set_function(
        lambda: serving.engine.sync.fetch_seconds if serving.engine else 0
    )
    Gauge("ew_rollout_weight_pause_seconds", "Of that, loading while generation stands still").set_function(
        lambda: serving.engine.sync.pause_seconds if serving.engine else 0
    )
    Gauge("ew_rollout_weight_fetched_bytes", "Bytes fetched for the newest version").set_function(
        lambda: serving.engine.sync.nbytes if serving.engine else 0
    )
