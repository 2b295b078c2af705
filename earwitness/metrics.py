"""The figures of a step: what each is called, in which unit, how people read it.

The trainer reports under these names; events carry them; the live line, reports and dashboards read them. A metric that
is not here is carried and stored like any other, and shown nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One figure."""

    name: str
    """Dotted."""
    label: str
    """A word or two, for a legend or a line."""
    unit: str = ""
    """Empty for shares, losses and rewards."""
    chart: str = ""
    """Title of the chart of the report that draws it; metrics of one title are drawn together. Empty: none."""
    rank: int = 0
    """Place in the live line, 1 first, as far as there is room; 0: not there."""


METRICS = (
    Metric("loss", "loss", chart="Loss", rank=1),
    Metric("reward.mean", "reward", chart="Reward, part by part", rank=3),
    Metric("correct.mean", "correct", chart="Reward, part by part", rank=4),
    Metric("reasoning.mean", "reasoning", chart="Reward, part by part"),
    Metric("accuracy", "accuracy", chart="Pairs told apart", rank=5),
    Metric("supported_share", "supported", chart="Claims the waveform supports, and guesses", rank=6),
    Metric("surrogate_share", "surrogate", chart="Claims the waveform supports, and guesses", rank=7),
    Metric("truncated_share", "truncated", chart="Truncated answers"),
    Metric("groups.all_right", "all right", chart="Groups whose answers are all alike"),
    Metric("groups.all_wrong", "all wrong", chart="Groups whose answers are all alike"),
    Metric("kl", "kl", "nats", chart="KL and entropy", rank=9),
    Metric("entropy", "entropy", "nats", chart="KL and entropy"),
    Metric("loss.policy", "policy", chart="Policy and value loss", rank=2),
    Metric("loss.value", "value", chart="Policy and value loss"),
    Metric("margin", "margin", "nats", chart="Margin of the preferred answer"),
    Metric("grad_norm", "norm", chart="Gradient norm", rank=12),
    Metric("grad_norm.critic", "critic", chart="Gradient norm"),
    Metric("ratio.mean", "ratio"),
    Metric("ratio.max", "largest ratio"),
    Metric("first.ratio_gap", "first ratio less 1"),
    Metric("first.kl", "first KL", "nats"),
    Metric("clip_share", "clipped", chart="Clipped tokens"),
    Metric("think_tokens.mean", "think tokens", "tokens", chart="Think tokens"),
    Metric("logprob_gap.mean", "gap", "nats", chart="Rollout and trainer log-probs: mean difference", rank=10),
    Metric("logprob_gap.max", "largest gap", "nats"),
    Metric("staleness.mean", "staleness", "versions", chart="Staleness, versions", rank=11),
    Metric("tokens", "tokens", "tokens"),
    Metric("trajectories", "trajectories"),
    Metric("seconds.step", "step", "s"),
    Metric("seconds.wait", "wait", "s", chart="Seconds of a step"),
    Metric("seconds.way.weights", "way: weights", "s"),
    Metric("seconds.way.rollout", "way: rollout", "s"),
    Metric("seconds.way.reward", "way: reward", "s"),
    Metric("seconds.way.reference", "way: reference", "s"),
    Metric("seconds.way.trainer", "way: trainer", "s"),
    Metric("seconds.logprob", "log-probs", "s", chart="Seconds of a step"),
    Metric("seconds.train", "train", "s", chart="Seconds of a step"),
    Metric("seconds.publish", "publish", "s", chart="Seconds of a step"),
    Metric("seconds.checkpoint", "save", "s"),
    Metric("seconds.publish.snapshot", "snapshot", "s"),
    Metric("seconds.publish.send", "send", "s"),
    Metric("seconds.weights", "waits for weights", "s", chart="Seconds of a group"),
    Metric("seconds.queue.rollout", "waits for a rollout worker", "s", chart="Seconds of a group"),
    Metric("seconds.generate", "generate", "s", chart="Seconds of a group"),
    Metric("seconds.generate.max", "longest generation", "s"),
    Metric("seconds.queue.reward", "waits for a reward worker", "s", chart="Seconds of a group"),
    Metric("seconds.score", "score", "s", chart="Seconds of a group"),
    Metric("seconds.score.max", "longest scoring", "s"),
    Metric("seconds.queue.reference", "waits for the reference", "s", chart="Seconds of a group"),
    Metric("seconds.reference", "reference", "s", chart="Seconds of a group"),
    Metric("seconds.reference.max", "longest reference", "s"),
    Metric("seconds.queue.trainer", "waits for the trainer", "s", chart="Seconds of a group"),
    Metric("kv_use", "KV cache of a rollout worker", chart="KV cache, share that is needed"),
    Metric("work.rollout", "rollout works", "s"),
    Metric("work.reward", "reward works", "s"),
    Metric("work.reference", "reference works", "s"),
    Metric("workers.rollout", "rollout workers"),
    Metric("workers.reward", "reward workers"),
    Metric("workers.reference", "reference workers"),
    Metric("publish.bytes", "published", "bytes"),
    Metric("publish.whole", "published whole"),
    Metric("evaluation.accuracy", "held-out accuracy"),
    Metric("checkpoint.seconds", "checkpoint", "s"),
    Metric("checkpoint.bytes", "checkpoint", "bytes"),
)

BY_NAME = {metric.name: metric for metric in METRICS}

ACCURACY = "evaluation.accuracy"
"""Figure of the event at the end of an evaluation: share of right answers to held-out prompts."""

PART = "part."
"""Begins the names of the figures of terms of the reward that have no name of their own above."""

KIND = "kind."
"""Begins the names of the shares of right answers to one kind of question."""

CLAIMS = "claims."
"""Begins the names of the numbers of claims of one family, which end with the verdict."""

DROPPED = "dropped."
"""Begins the names of the numbers of groups that were dropped for one reason."""

BEGINNINGS = {PART: BY_NAME["reward.mean"].chart, KIND: "Right answers, by kind of question", CLAIMS: "", DROPPED: ""}
"""Beginnings of names, each with the title of the chart of the report that draws such figures."""


def metric_of(name: str) -> Metric | None:
    """A figure by its name; None for one that nobody is told how to read."""
    for beginning, chart in BEGINNINGS.items():
        if name.startswith(beginning):
            return Metric(name, name.removeprefix(beginning).removesuffix(".mean").replace("_", " "), chart=chart)
    return BY_NAME.get(name)


@dataclass(frozen=True)
class Series:
    """Figures of one name that a service shows to Prometheus."""

    name: str
    """Its unit is its last word, where it has one."""
    help: str
    labels: tuple[str, ...] = ()


SERIES = (
    Series("ew_queue_up", "1 if the queue Redis answers"),
    Series("ew_queue_waiting", "Entries of a stream that nobody has taken", ("stream",)),
    Series("ew_queue_pending", "Entries of a stream that a worker holds", ("stream",)),
    Series("ew_queue_oldest_seconds", "Age of the oldest entry of a stream", ("stream",)),
    Series("ew_queue_dead_letters", "Tasks given up because each try lost its worker"),
    Series("ew_worker_version", "Weight version that a worker serves", ("role", "worker")),
    Series("ew_job_state", "1 for the job that the mesh works on", ("job_id", "state")),
    Series("ew_jobs_ended", "Jobs that have come to an end, by how", ("state",)),
    Series("ew_job_stage", "Index of the running job's stage"),
    Series("ew_job_step", "Steps done in the running job's phase"),
    Series("ew_job_steps", "Steps of the running job's phase; 0 while unknown"),
    Series(
        "ew_job_trouble", "1 for each rule of `earwitness explain` that holds in the running job's phase", ("rule",)
    ),
    Series("ew_job_still_seconds", "Seconds since the running job last got on"),
    Series("ew_weights_published_version", "Newest weight version of the running job"),
    Series("ew_rpc_calls", "gRPC calls by method and status", ("method", "code")),
    Series("ew_rpc_seconds", "Seconds a gRPC call took", ("method",)),
    Series("ew_trainer_figure", "Figures of the last step, by the names above", ("name",)),
    Series("ew_trainer_step", "Steps done in the phase"),
    Series("ew_reward_retried", "Trajectories scored a second time because something broke"),
    Series("ew_reward_dropped", "Trajectories that could not be scored twice"),
    Series("ew_reward_reader_fell_back", "Traces that the rules read because the reader's endpoint did not"),
    Series("ew_reward_recogniser_away", "Claims not checked because the recogniser did not answer"),
    Series("ew_recogniser_clips", "Clips that the recogniser was sent"),
    Series("ew_recogniser_kept", "Questions answered from what was kept"),
    Series("ew_rollout_tokens", "Tokens generated since the engine started"),
    Series("ew_rollout_version", "Weight version in use; 0 before the first"),
    Series("ew_rollout_behind", "Versions that the weights in use are behind the newest"),
    Series("ew_rollout_groups", "Groups in flight"),
    Series("ew_rollout_dropped", "Prompts that could not be generated from"),
    Series("ew_rollout_handed_back", "Tokens handed back for others to go on from"),
    Series("ew_rollout_weight_load_seconds", "Time to fetch and load the newest version"),
    Series("ew_rollout_weight_fetch_seconds", "Of that, fetching and verifying beside the generation"),
    Series("ew_rollout_weight_pause_seconds", "Of that, loading while generation stands still"),
    Series("ew_rollout_weight_fetched_bytes", "Bytes fetched for the newest version"),
)


def series(name: str) -> tuple[str, str, tuple[str, ...]]:
    """Name, help and labels of the series `ew_<name>`, as prometheus_client's metrics take them."""
    (found,) = (one for one in SERIES if one.name == f"ew_{name}")
    return found.name, found.help, found.labels


LINE = tuple(metric.name for metric in sorted(METRICS, key=lambda metric: metric.rank) if metric.rank)
"""Names of the figures worth a place in the live line, most wanted first; terms of the reward come behind them."""


def charts(names: Iterable[str]) -> dict[str, list[Metric]]:
    """The charts of a report on figures of these names: title -> what is drawn, in the order of the page."""
    found: dict[str, list[Metric]] = {
        title: [] for title in [*(m.chart for m in METRICS), *BEGINNINGS.values()] if title
    }
    places = {metric.name: place for place, metric in enumerate(METRICS)}
    for name in sorted(names, key=lambda name: (places.get(name, len(places)), name)):
        metric = metric_of(name)
        if metric is not None and metric.chart:
            found[metric.chart].append(metric)
    return {title: drawn for title, drawn in found.items() if drawn}
