"""What a worker shows to Prometheus."""

from __future__ import annotations

from prometheus_client import Gauge

from earwitness.metrics import series
from rollout.contract import Sync
from rollout.serving import Serving
from rollout.worker import RolloutWorker


def measure(serving: Serving, worker: RolloutWorker) -> None:
    """Prometheus figures, read when they are asked for."""

    def sync() -> Sync:
        return serving.engine.sync if serving.engine else Sync()

    Gauge(*series("rollout_tokens")).set_function(lambda: serving.engine.tokens if serving.engine else 0)
    Gauge(*series("rollout_version")).set_function(
        lambda: served.version if serving.engine and (served := serving.engine.served) else 0
    )
    Gauge(*series("rollout_groups")).set_function(lambda: len(worker.flights))
    Gauge(*series("rollout_dropped")).set_function(lambda: worker.dropped)
    Gauge(*series("rollout_behind")).set_function(lambda: serving.behind)
    Gauge(*series("rollout_handed_back")).set_function(lambda: worker.handed_back)
    Gauge(*series("rollout_weight_load_seconds")).set_function(lambda: serving.load_seconds)
    Gauge(*series("rollout_weight_fetch_seconds")).set_function(lambda: sync().fetch_seconds)
    Gauge(*series("rollout_weight_pause_seconds")).set_function(lambda: sync().pause_seconds)
    Gauge(*series("rollout_weight_fetched_bytes")).set_function(lambda: sync().nbytes)
