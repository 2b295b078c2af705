"""Runs one phase on all ranks: from the request to models, data and checkpoints, and into the loop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

import torch
import torch.distributed as dist

from earwitness.chat import think_end_ids
from earwitness.errors import InputError
from earwitness.families.architecture import read_architecture
from earwitness.log import Logger
from earwitness.manifest import read_manifest
from earwitness.queue import Queue
from earwitness.recipe.load import load_recipe
from earwitness.recipe.recipe import Recipe
from earwitness.recipe.schema import CriticAlgorithm, Optimizer, PreferenceTune, Reinforcement, Training, Tune, Updates
from earwitness.redis_client import connect
from earwitness.weights import WeightPart, WeightPublisher
from earwitness.wire.trainer.v1 import trainer_pb2 as wire
from trainer.checkpoint import Checkpoint, Checkpoints, Progress, weights_of
from trainer.checkpoint.pieces import Piece
from trainer.checkpoint.state import restore_rng, rng_pieces
from trainer.control import Board, Wish
from trainer.learner import Learner
from trainer.mels import MelCache
from trainer.model.huggingface import save_pretrained
from trainer.model.policy import build_policy
from trainer.publish.publication import Publication
from trainer.ranks import parallel
from trainer.ranks.agreement import agree
from trainer.rl.ready import ReadyGroups
from trainer.rl.reinforce import reinforce
from trainer.tuning.examples import Examples, load_tokenizer
from trainer.tuning.preference import pairs_in, prefer, with_reference
from trainer.tuning.supervised import tune

TUNE_CHECKPOINTS = 2
"""Checkpoints kept of a supervised phase: the newest, and the one before in case the newest is damaged."""


class Addresses(Protocol):
    """Where the mesh is, as the process was told."""

    @property
    def queue_url(self) -> str:
        """Redis URL of the queue server."""

    @property
    def weights_urls(self) -> tuple[str, ...]:
        """Redis URLs of the weight shards, in shard order."""

    @property
    def weights_anchors(self) -> str:
        """Folder for the bytes of whole weight versions; empty: the shards hold them."""

    @property
    def name(self) -> str:
        """Unique name of this process in the mesh."""

    @property
    def claim_idle_ms(self) -> int:
        """Milliseconds after which the queue lets another take over a silent worker's task."""


class Phase:
    """One phase. Made and run by all ranks together; rank 0 tells the board."""

    def __init__(self, request: wire.StartPhaseRequest, board: Board | None, settings: Addresses, log: Logger) -> None:
        """`board` is None on ranks other than 0."""
        self._request = request
        self._board = board
        self._settings = settings
        self._log = log
        self._recipe: Recipe = load_recipe(request.recipe_yaml)
        self._training: Training = training_of(self._recipe, request)
        self._weights = weights_of(request.init_uri or request.model_uri)
        self._architecture = read_architecture(self._weights)
        training = self._training
        keep = training.keep_checkpoints if isinstance(training, Reinforcement) else TUNE_CHECKPOINTS
        self._checkpoints = Checkpoints(request.checkpoint_uri, keep, log, board.saved if board else None)
        self._progress = Progress(version=request.base_version)
        self._saved_step = 0
        self._policy: Learner
        self._critic: Learner | None = None
        self._ready: ReadyGroups | None = None
        self._publication: Publication | None = None
        self._run_id = ""

    def run(self) -> bool:
        """True if the phase is done, false if it was stopped."""
        model = self._recipe.model
        parallel.initialize(model.tensor_parallel, model.pipeline_parallel, self._recipe.seed)
        torch.manual_seed(self._recipe.seed)
        checkpoint = self._checkpoints.newest()
        if self._board:
            self._board.passed_over(self._checkpoints.passed_over)
        if checkpoint is not None:
            self._progress = checkpoint.progress
            self._saved_step = self._progress.step
            if self._board:
                self._board.saved(checkpoint.path, self._saved_step)
        if not self._progress.final:
            self._progress.lineage = self._checkpoints.next_lineage(self._request.base_lineage)
        if checkpoint is not None:
            self._log.info(
                "resuming", checkpoint=str(checkpoint.path), step=self._saved_step, lineage=self._progress.lineage
            )
        if isinstance(self._training, Reinforcement):
            self._run_id = f"{self._request.job_id}/{self._request.stage_index}-train/{self._progress.lineage}"
        self._show()
        if self._progress.final:
            return True
        try:
            finished = self._learn(checkpoint)
            self._checkpoints.finish()
        finally:
            self._checkpoints.close()
            if self._publication is not None:
                self._publication.close()
        self._show()
        return finished

    def poll(self) -> Wish:
        """What is wished now, on every rank. Raises CheckpointError on all of them if a checkpoint failed."""
        self._checkpoints.check()
        wish = self._board.wish() if self._board else Wish.NONE
        if wish is Wish.SAVE and self._checkpoints.saving:
            wish = Wish.NONE  # one after the other: the step need not wait for the disk
        return Wish(parallel.broadcast_bytes(wish.value if self._board else None))

    def report(self, step: int, metrics: dict[str, float]) -> None:
        """Rank 0 shows the figures."""
        if self._board:
            published = self._publication.figures if self._publication else {}
            self._board.step_done(step, self._progress.version, metrics | self._checkpoints.figures() | published)

    def _learn(self, checkpoint: Checkpoint | None) -> bool:
        match self._training:
            case Reinforcement() as training:
                return self._train(training, checkpoint)
            case Tune() | PreferenceTune() as training:
                return self._tune(training, checkpoint)
        raise TypeError(f"nothing here trains {type(self._training).__name__}")

    def _tune(self, config: Tune | PreferenceTune, checkpoint: Checkpoint | None) -> bool:
        mels = MelCache(self._architecture.audio.n_mels)
        examples = agree(self._examples, config, mels)
        self._policy = self._learner(config.optimizer, config.steps)
        if isinstance(config, PreferenceTune):
            pairs = agree(pairs_in, read_manifest(self._request.manifest_uri), examples.row)
            pairs = with_reference(self._policy, pairs, mels, config)  # before the policy is that of a checkpoint
            self._restore(checkpoint)
            seed = self._recipe.seed
            return prefer(self._policy, pairs, mels, config, self._progress, self, self._save, seed=seed)
        self._restore(checkpoint)
        return tune(self._policy, examples, mels, config, self._progress, self, self._save)

    def _train(self, stage: Reinforcement, checkpoint: Checkpoint | None) -> bool:
        mels = MelCache(self._architecture.audio.n_mels)
        how = stage.algorithm
        warmup = how.critic_warmup_steps if isinstance(how, CriticAlgorithm) else 0
        self._policy = self._learner(stage.optimizer, (stage.steps - warmup) * stage.updates_per_step)
        if isinstance(how, CriticAlgorithm):
            optimizer = how.critic_optimizer or stage.optimizer
            self._critic = self._learner(optimizer, stage.steps * stage.updates_per_step, value_head=True)
        self._restore(checkpoint)
        lineage = f"{self._request.job_id}/{self._progress.lineage}"
        queue, part, publisher = agree(self._connect, lineage)
        publication = self._publication = Publication(part, publisher, self._log)
        self._ready = ReadyGroups(
            queue,
            self._run_id,
            lineage,
            self._settings.name,
            stage.groups_per_step,
            self._progress,
            self,
            self._log,
            max_staleness=stage.max_staleness,
            vocab_size=self._architecture.decoder.vocab_size,
            max_positions=self._architecture.decoder.max_positions,
            think_end=think_end_ids(json.loads((self._weights / "tokenizer.json").read_text(encoding="utf-8"))),
        )
        tokenizer = load_tokenizer(self._weights)

        def publish(version: int) -> None:
            publication.publish(version, self._policy.model.module)

        finished = reinforce(
            self._policy,
            self._critic,
            self._ready,
            mels,
            stage,
            self._progress,
            self,
            publish,
            publication.finish,
            self._save,
            seed=self._recipe.seed,
            token_text=lambda token: tokenizer.decode([token], skip_special_tokens=False),
        )
        publication.finish()
        return finished

    def _learner(self, optimizer: Optimizer, planned: int, *, value_head: bool = False) -> Learner:
        model = self._recipe.model
        dtype = getattr(torch, model.dtype)
        module = build_policy(
            self._weights,
            value_head=value_head,
            dtype=dtype,
            freeze_encoder=model.freeze_encoder,
            sequence_parallel=model.sequence_parallel,
            recompute=model.recompute,
        )
        return Learner(module, optimizer, planned, distributed_optimizer=model.distributed_optimizer)

    def _examples(self, config: Tune | PreferenceTune, mels: MelCache) -> Examples:
        return Examples(
            read_manifest(self._request.manifest_uri),
            load_tokenizer(self._weights),
            mels,
            family=self._architecture.family,
            batch_size=config.batch_size,
            max_positions=self._architecture.decoder.max_positions,
            seed=self._recipe.seed,
            curriculum=config.curriculum if isinstance(config, Tune) else None,
        )

    def _connect(self, lineage: str) -> tuple[Queue | None, WeightPart, WeightPublisher | None]:
        """This rank's connections: all write weights, rank 0 has the queue and publishes."""
        if not self._settings.queue_url or not self._settings.weights_urls:
            raise InputError("EW_QUEUE_URL, EW_WEIGHTS_URLS", "are not set", "the Redis servers of the mesh")
        shards, anchors = self._settings.weights_urls, self._settings.weights_anchors
        part = WeightPart(shards, lineage, dist.get_rank(), anchors)
        if self._board is None:
            return None, part, None
        queue = Queue(connect(self._settings.queue_url), self._settings.claim_idle_ms)
        return queue, part, WeightPublisher(shards, lineage, anchors_uri=anchors)

    def _restore(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint is None:
            return
        with checkpoint.pieces() as pieces:
            for name, learner in self._learners().items():
                learner.restore(name, pieces)
            restore_rng(pieces)

    def _save(self) -> None:
        """Begins a checkpoint unless this step has one; the phase's last also holds the Hugging Face directory."""
        if self._saved_step == self._progress.step:
            return
        if self._ready is not None:
            self._progress.dropped = self._ready.dropped()

        def export(folder: Path) -> None:
            save_pretrained(self._policy.model.module, self._weights, folder)

        write = self._checkpoints.save(self._progress, self._pieces, export if self._progress.final else None)
        self._saved_step = self._progress.step
        if self._board:
            self._board.saving(write)

    def _pieces(self) -> list[Piece]:
        learners = [piece for name, learner in self._learners().items() for piece in learner.pieces(name)]
        return [*learners, *rng_pieces()]

    def _learners(self) -> dict[str, Learner]:
        return {"policy": self._policy} | ({"critic": self._critic} if self._critic else {})

    def _show(self) -> None:
        progress = self._progress
        if self._board:
            self._board.show(
                step=progress.step, version=progress.version, lineage=progress.lineage, run_id=self._run_id
            )


def steps_of(request: wire.StartPhaseRequest) -> int:
    """Steps that the phase will take. Raises InputError if the request does not fit its recipe."""
    weights_of(request.init_uri or request.model_uri)
    training = training_of(load_recipe(request.recipe_yaml), request)
    if isinstance(training, Updates) and not request.manifest_uri:
        raise InputError("manifest_uri", "is empty", "the manifest of the examples")
    return training.steps


def training_of(recipe: Recipe, request: wire.StartPhaseRequest) -> Training:
    """What a phase of a stage trains. Raises InputError."""
    if request.stage_index >= len(recipe.stages):
        raise InputError("stage_index", f"{request.stage_index}", f"less than {len(recipe.stages)}")
    stage = recipe.stages[request.stage_index]
    training = stage.training(request.phase) if request.phase in stage.phases() else None
    if training is None:
        trains = [phase for phase in stage.phases() if stage.training(phase) is not None]
        expected = f"a phase that trains: {' or '.join(trains) or 'it has none'}"
        raise InputError("phase", f"{request.phase!r} in a stage of type {stage.type}", expected)
    return training
