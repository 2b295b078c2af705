"""Runs one phase on all ranks: from the request to models, data and checkpoints, and into the loop."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace

import torch
import torch.distributed as dist

from earwitness.chat import think_end_ids
from earwitness.errors import InputError
from earwitness.families.architecture import read_architecture
from earwitness.log import Logger
from earwitness.manifest_index import IndexedManifest, indexed
from earwitness.queue import Queue
from earwitness.recipe.load import load_recipe
from earwitness.recipe.recipe import Recipe
from earwitness.recipe.schema import CriticAlgorithm, Optimizer, PreferenceTune, Reinforcement, Training, Tune, Updates
from earwitness.redis_client import Patience, connect
from earwitness.settings import Settings
from earwitness.weights import WeightPart, WeightPublisher, connect_shards
from earwitness.wire.trainer.v1 import trainer_pb2 as wire
from trainer.board import Board
from trainer.checkpoint import Checkpoint, Checkpoints, Progress, weights_of
from trainer.driver import Driver
from trainer.learner import Learner, Learners
from trainer.mels import MelCache
from trainer.model.build import build_policy
from trainer.publish.publication import Publication
from trainer.ranks import parallel
from trainer.ranks.agreement import agree
from trainer.rl.ready import ReadyGroups
from trainer.rl.reinforce import reinforce
from trainer.rl.workers import Workers
from trainer.tuning.examples import Examples, Rendering, load_tokenizer
from trainer.tuning.preference import pairs_in, prefer, with_reference
from trainer.tuning.supervised import tune

TUNE_CHECKPOINTS = 2
"""Checkpoints kept of a supervised phase: the newest, and the one before in case the newest is damaged."""


class PhaseRun:
    """One phase. Made and run by all ranks together; rank 0 tells the board."""

    def __init__(self, request: wire.StartPhaseRequest, board: Board | None, settings: Settings, log: Logger) -> None:
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

    def run(self) -> bool:
        """True if the phase is done, false if it was stopped."""
        model = self._recipe.model
        parallel.initialize(model.tensor_parallel, model.pipeline_parallel, self._recipe.seed)
        torch.manual_seed(self._recipe.seed)
        checkpoint = self._checkpoints.newest()
        progress = self._begun(checkpoint)
        self._show(progress)
        if progress.final:
            return True
        driver = Driver(progress, self._checkpoints, self._board, self._weights, self._recipe.model.lora)
        with closing(self._checkpoints):
            match self._training:
                case Reinforcement() as training:
                    finished = self._train(training, checkpoint, driver)
                case Tune() | PreferenceTune() as training:
                    finished = self._tune(training, checkpoint, driver)
                case _:
                    raise TypeError(f"nothing here trains {type(self._training).__name__}")
            self._checkpoints.finish()
        self._show(progress)
        return finished

    def _begun(self, checkpoint: Checkpoint | None) -> Progress:
        """Where the phase begins: under a lineage of its own, unless it is over."""
        if self._board:
            self._board.passed_over(self._checkpoints.passed_over)
        progress = checkpoint.progress if checkpoint else Progress(version=self._request.base_version)
        if checkpoint is not None and self._board:
            self._board.saved(checkpoint.path, progress.step)
        if not progress.final:
            progress = replace(progress, lineage=self._checkpoints.next_lineage(self._request.base_lineage))
        if checkpoint is not None:
            self._log.info("resuming", checkpoint=str(checkpoint.path), step=progress.step, lineage=progress.lineage)
        return progress

    def _tune(self, config: Tune | PreferenceTune, checkpoint: Checkpoint | None, driver: Driver) -> bool:
        listening = config.listening if isinstance(config, Tune) else None
        mels = MelCache(
            self._architecture.audio.n_mels, self._architecture.family, listening.cut if listening else None
        )
        done = driver.progress.step
        with closing(agree(indexed, self._request.manifest_uri)) as manifest:
            rendering = Rendering(
                load_tokenizer(self._weights),
                mels,
                family=self._architecture.family,
                max_positions=self._architecture.decoder.max_positions,
                listening=listening,
            )
            if isinstance(config, PreferenceTune):
                pairs = agree(pairs_in, manifest, rendering.row)
                policy = self._learner(config.optimizer, config.steps)
                pairs = with_reference(policy, pairs, mels, config)  # before the policy is that of a checkpoint
                steps = prefer(policy, pairs, mels, config, done, seed=self._recipe.seed)
            else:
                examples = agree(self._examples, config, manifest, rendering)
                policy = self._learner(config.optimizer, config.steps)
                steps = tune(policy, examples, mels, config, done)
            return driver.run(steps, config, _restored(Learners(policy), checkpoint))

    def _train(self, stage: Reinforcement, checkpoint: Checkpoint | None, driver: Driver) -> bool:
        mels = MelCache(self._architecture.audio.n_mels, self._architecture.family)
        learners = _restored(self._reinforced(stage), checkpoint)
        progress, policy = driver.progress, learners.policy
        lineage = f"{self._request.job_id}/{progress.lineage}"
        queue, part, publisher = agree(self._connect, lineage)
        tokenizer = load_tokenizer(self._weights)
        ready = ReadyGroups(
            queue,
            self._run_id(progress),
            lineage,
            self._settings.name,
            stage.groups_per_step,
            progress,
            driver.poll,
            self._log,
            max_staleness=stage.max_staleness,
            vocab_size=self._architecture.decoder.vocab_size,
            max_positions=self._architecture.decoder.max_positions,
            think_end=think_end_ids(json.loads((self._weights / "tokenizer.json").read_text(encoding="utf-8"))),
        )
        steps = reinforce(
            policy,
            learners.critic,
            ready,
            mels,
            stage,
            progress.step,
            progress.version,
            seed=self._recipe.seed,
            token_text=lambda token: tokenizer.decode([token], skip_special_tokens=False),
        )
        with closing(Publication(part, publisher, self._log, ready.carried)) as publication:
            return driver.run(steps, stage, learners, Workers(publication, ready, policy.model.module))

    def _reinforced(self, stage: Reinforcement) -> Learners:
        how = stage.algorithm
        if not isinstance(how, CriticAlgorithm):
            return Learners(self._learner(stage.optimizer, stage.steps * stage.updates_per_step))
        policy_steps = stage.steps - how.critic_warmup_steps
        policy = self._learner(stage.optimizer, policy_steps * stage.updates_per_step)
        optimizer = how.critic_optimizer or stage.optimizer
        return Learners(policy, self._learner(optimizer, stage.steps * stage.updates_per_step, value_head=True))

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
            lora=model.lora,
            seed=self._recipe.seed,
        )
        return Learner(module, optimizer, planned, distributed_optimizer=model.distributed_optimizer)

    def _examples(self, config: Tune, manifest: IndexedManifest, rendering: Rendering) -> Examples:
        return Examples(
            manifest,
            rendering,
            batch_size=config.batch_size,
            seed=self._recipe.seed,
            curriculum=config.curriculum,
            think_incomplete=config.think_incomplete,
        )

    def _connect(self, lineage: str) -> tuple[Queue | None, WeightPart, WeightPublisher | None]:
        """This rank's connections: all write weights, rank 0 has the queue and publishes."""
        if not self._settings.queue_url or not self._settings.weights_urls:
            raise InputError("EW_QUEUE_URL, EW_WEIGHTS_URLS", "are not set", "the Redis servers of the mesh")
        urls, anchors, at_first = self._settings.weights_urls, self._settings.weights_anchors, Patience(self._log)
        part = WeightPart(connect_shards(urls, at_first), lineage, dist.get_rank(), anchors)
        if self._board is None:
            return None, part, None
        queue = Queue(connect(self._settings.queue_url, at_first), self._settings.claim_idle_ms)
        return queue, part, WeightPublisher(connect_shards(urls, at_first), lineage, anchors_uri=anchors)

    def _run_id(self, progress: Progress) -> str:
        """Of the groups that the phase learns from; empty if it learns from none."""
        if not isinstance(self._training, Reinforcement):
            return ""
        return f"{self._request.job_id}/{self._request.stage_index}-train/{progress.lineage}"

    def _show(self, progress: Progress) -> None:
        if self._board:
            self._board.show(
                step=progress.step, version=progress.version, lineage=progress.lineage, run_id=self._run_id(progress)
            )


def _restored(learners: Learners, checkpoint: Checkpoint | None) -> Learners:
    if checkpoint is not None:
        with checkpoint.pieces() as pieces:
            learners.restore(pieces)
    return learners


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
