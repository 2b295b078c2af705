"""Takes the steps of a phase one by one: polls before each, and after it publishes, saves and reports."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from earwitness.recipe.schema import Lora, Training
from trainer.board import Board, PhaseWish
from trainer.checkpoint import Checkpoints, Progress
from trainer.checkpoint.folder import ADAPTER
from trainer.learner import Learners
from trainer.model.huggingface import save_pretrained
from trainer.model.peft import save_adapter
from trainer.ranks.parallel import broadcast_bytes
from trainer.rl.workers import Workers
from trainer.steps import Clock, Step, Steps


class Driver:
    """The one writer of a phase's progress. Every rank has one, and calls the same methods in the same order."""

    def __init__(
        self,
        progress: Progress,
        checkpoints: Checkpoints,
        board: Board | None,
        model_dir: Path,
        lora: Lora | None = None,
    ) -> None:
        """`progress`: of the checkpoint that the phase resumes from, or that of a fresh one; `board`: rank 0's;
        `model_dir`: what the phase began with, whose tokenizer its last checkpoint holds too; `lora`: what learns
        beside that, if it does."""
        self.progress = progress
        self._checkpoints = checkpoints
        self._board = board
        self._model_dir = model_dir
        self._lora = lora
        self._saved_step = progress.step

    def run(self, steps: Steps, training: Training, learners: Learners, workers: Workers | None = None) -> bool:
        """Until `training.steps` are done; False if it was stopped before. `workers` get each step's policy."""
        with closing(steps):
            if workers is not None:
                workers.begin(self.progress.version)
            while self.progress.step < training.steps:
                wish = self.poll()
                if wish is not PhaseWish.NONE:
                    self._save(learners, workers)
                if wish is PhaseWish.STOP:
                    break
                step = next(steps)
                if step is not None:
                    self._take(step, training, learners, workers)
                elif workers is not None:
                    workers.remind(self.progress.version)
            if workers is not None:
                workers.finish()
        return self.progress.step >= training.steps

    def poll(self) -> PhaseWish:
        """What is wished now, on every rank. Raises CheckpointError on all of them if a checkpoint failed."""
        self._checkpoints.check()
        wish = self._board.wish() if self._board else PhaseWish.NONE
        if wish is PhaseWish.SAVE and self._checkpoints.saving:
            wish = PhaseWish.NONE  # one after the other: the step need not wait for the disk
        return PhaseWish(broadcast_bytes(wish.value if self._board else None))

    def _take(self, step: Step, training: Training, learners: Learners, workers: Workers | None) -> None:
        progress, clock = self.progress, Clock()
        progress.step, progress.final = step.number, step.number == training.steps
        progress.used |= dict.fromkeys(step.ordinals, step.number)
        figures = step.metrics | self._checkpoints.figures()
        if workers is not None:
            progress.version += 1
            workers.publish(progress.version)
            clock.lap("seconds.publish")
        if step.number % training.checkpoint_every == 0 or progress.final:
            self._save(learners, workers)
        if workers is not None:
            clock.lap("seconds.checkpoint")
            figures |= clock.seconds | workers.figures
        if self._board is not None:
            self._board.step_done(step.number, progress.version, figures)

    def _save(self, learners: Learners, workers: Workers | None) -> None:
        """Begins a checkpoint unless this step has one; the phase's last also holds the Hugging Face directory, and
        the adapter."""
        if self._saved_step == self.progress.step:
            return
        if workers is not None:
            self.progress.dropped = workers.dropped()

        def export(folder: Path) -> None:
            policy = learners.policy.model.module
            save_pretrained(policy, self._model_dir, folder)
            if self._lora is not None:
                save_adapter(policy, self._lora, self._model_dir, folder.with_name(ADAPTER))

        write = self._checkpoints.save(self.progress, learners.pieces, export if self.progress.final else None)
        self._saved_step = self.progress.step
        if self._board is not None:
            self._board.saving(write)
