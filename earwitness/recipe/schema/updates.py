"""`tune` and `optimizer`: how weights move, and how an update is cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from earwitness.hearing import Cut
from earwitness.recipe.schema.fields import Batch, Bound, Count, Positive, Rate, Share, Strict, ThinkTokens, Tokens


class Optimizer(Strict):
    """AdamW with linear warm-up and then a constant or linearly falling rate."""

    learning_rate: Rate
    """Peak rate."""
    warmup_steps: Count = 0
    """Updates of linear warm-up; a policy makes none while its critic warms up."""
    schedule: Literal["constant", "linear"] = "constant"
    """Rate after the warm-up."""
    weight_decay: Share = 0.0
    """Decoupled weight decay."""
    clip_grad: Bound = 1.0
    """Largest gradient norm."""
    beta1: Share = 0.9
    """Adam's first decay."""
    beta2: Share = 0.95
    """Adam's second decay."""


class Curriculum(Strict):
    """Kinds of question one after another: what is learned of one sound carries over to the next.

    A small model with random weights that meets all kinds at once learns none of them for a long time.
    """

    kinds: Annotated[list[str], Field(min_length=1, max_length=64)]
    """`kind` of the prompts, in the order in which they join."""
    steps_each: Positive
    """Updates from one kind's joining to the next one's; after the last, examples are drawn from all alike."""
    newest_share: Share = 0.5
    """Share of the draws that is the newest kind's; the rest comes from all that have joined."""


class MicroBatching(Strict):
    """How an update is cut for one forward pass after another; its results do not depend on it."""

    micro_batch_size: Batch = 32
    """Most sequences of one forward pass on one rank."""
    micro_batch_tokens: Tokens | None = None
    """Most tokens of one forward pass on one rank, padding included; a longer sequence stands alone. None: any."""
    packed: bool = False
    """Sequences stand one after another instead of padded to the longest of them."""


@dataclass(frozen=True)
class Load:
    """What an update asks of the ranks, whatever the model: the planner's side of a training."""

    sequences: int
    """Of an update, over all ranks."""
    per_clip: int = 1
    """Sequences that share a clip; they stand in one micro-batch as far as it has room."""
    least_rows: int = 1
    """Sequences that cannot be taken apart."""
    updates: int = 1
    """Of a step."""
    name: str = ""
    """What people call it; empty: as its stage."""
    critic: bool = False
    recalled: bool = False
    """Whether log-probs are taken before the update."""
    entropy: bool = False
    """Whether the loss has an entropy term."""


class Training(MicroBatching):
    """What the trainer does in one phase."""

    if TYPE_CHECKING:  # fields of every subclass, which keeps their order
        steps: int
        checkpoint_every: int

    def load(self) -> Load:
        """What it asks of the ranks."""
        raise NotImplementedError


class Updates(Training):
    """Updates on examples that are there from the start."""

    steps: Positive
    """Updates."""
    batch_size: Batch = 32
    """Examples of one update, over all ranks."""
    optimizer: Optimizer
    """How weights move."""
    checkpoint_every: Positive = 200
    """Updates between checkpoints; there is always one at the end."""

    def load(self) -> Load:
        return Load(sequences=self.batch_size)


class Listening(Strict):
    """Clips are heard as a server hears who speaks: in segments, with thoughts between them."""

    segment_seconds: Annotated[float, Field(ge=0.5, le=25.0)]
    """Length of a segment; the last is what is left."""
    think_tokens: ThinkTokens = 0
    """Most tokens of a trace that stand behind each segment but the last, each time as many as are drawn. They go no
    further into the trace than the clip had gone one segment before: what has not been heard cannot be said."""
    pause_seconds: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """The last so many seconds of each clip are a segment of their own, in which nothing sounds: the end of the pause
    that ends a turn (`probe.pause_seconds`, less what a server takes to notice it). Before it the trace may go to its
    end."""

    @property
    def cut(self) -> Cut:
        """How clips are cut."""
        return Cut(self.segment_seconds, self.pause_seconds)


class Tune(Updates):
    """Supervised updates: -log p over the response tokens, mean over the tokens of the global batch."""

    curriculum: Curriculum | None = None
    """Order of the first updates; none: shuffled epochs from the start."""
    think_incomplete: Share = 0.0
    """Share of the examples that keep only the first tokens of their reasoning, each time as many as are drawn; of
    these the answer alone is learned. So a policy answers well when its thinking is cut short."""
    listening: Listening | None = None
    """How clips are heard; none: as the model's family hears them."""


class PreferenceTune(Updates):
    """Updates by DPO: -log sigmoid(beta · (gain of the chosen answer - gain of the rejected one)), mean over pairs.

    An answer's gain is its log-prob under the policy less that under the frozen reference; `batch_size` counts pairs.
    """

    beta: Bound = 0.1
    """How strongly the policy is held to the reference."""
    length_normalised: bool = False
    """Gains are means over an answer's tokens, so that long answers do not win by length."""

    def load(self) -> Load:
        return Load(sequences=2 * self.batch_size, per_clip=2, least_rows=2)  # an answer and a worse one
