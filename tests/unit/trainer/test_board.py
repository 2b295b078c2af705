import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from earwitness.errors import ConflictError
from earwitness.wire.metrics.v1.metrics_pb2 import Metric
from earwitness.wire.trainer.v1 import trainer_pb2 as wire
from trainer.board import Board, PhaseWish


def start(board: Board, job: str = "a", stage: int = 0) -> int:
    return board.start(wire.StartPhaseRequest(job_id=job, stage_index=stage, phase="tune", base_version=4), steps=9)


def test_a_phase_is_handed_over_once():
    board = Board(ranks=2)
    assert board.status().state == wire.PHASE_STATE_IDLE and board.status().ranks == 2
    start(board)
    start(board)
    assert board.started.qsize() == 1
    assert (board.status().steps, board.status().version) == (9, 4)
    with pytest.raises(ConflictError, match="tune of stage 0 of job a"):
        start(board, stage=1)


@pytest.mark.parametrize(
    ("state", "again"),
    [(wire.PHASE_STATE_DONE, False), (wire.PHASE_STATE_FAILED, True), (wire.PHASE_STATE_STOPPED, True)],
)
def test_only_a_phase_that_did_not_end_well_runs_again(state, again):
    board = Board(ranks=1)
    start(board)
    board.started.get_nowait()
    board.step_done(7, 4, {"loss": 1.5})
    board.ended(state, "why")
    assert (board.status().state, board.status().reason) == (state, "why")
    assert start(board) == (0 if again else 7)
    assert board.started.qsize() == int(again)


def test_figures_after_a_step():
    board = Board(ranks=1)
    start(board)
    for step in range(1, 4):
        board.step_done(step, 4 + step, {"loss": float(step)})
    assert [s.step for s in board.status(after_step=1).steps_done] == [2, 3]
    assert board.status().steps_done[0].metrics[0] == Metric(name="loss", value=1.0)
    assert (board.status().step, board.status().version) == (3, 7)


def test_at_most_a_thousand_steps_in_one_answer_oldest_first():
    board = Board(ranks=1)
    start(board)
    for step in range(1, 1502):
        board.step_done(step, 0, {})
    told = [s.step for s in board.status().steps_done]
    assert told == list(range(1, 1001))
    assert [s.step for s in board.status(after_step=told[-1]).steps_done] == list(range(1001, 1502))


def test_stop_waits_until_the_phase_is_over():
    board = Board(ranks=1)
    start(board)
    board.step_done(3, 0, {})
    assert board.stop("other", 5) == 0 and board.wish() is PhaseWish.NONE
    threading.Timer(0.1, lambda: board.ended(wire.PHASE_STATE_STOPPED)).start()
    assert board.stop("a", 5) == 3
    assert board.wish() is PhaseWish.STOP
    assert board.stop("a", 5) == 3


def test_save_waits_for_a_checkpoint_of_what_was_done_and_a_stop_is_not_forgotten_over_it():
    board = Board(ranks=1)
    with pytest.raises(ConflictError, match="no phase of job 'a' runs"):
        board.save("a", 5)
    start(board)
    board.step_done(3, 0, {})
    threading.Timer(0.05, lambda: board.saved(Path("begun before"), 2)).start()
    threading.Timer(0.1, lambda: board.saved(Path("there"), 3)).start()
    assert board.save("a", 5) == "there"
    assert board.wish() is PhaseWish.NONE
    assert board.save("a", 0) == "there" and board.wish() is PhaseWish.NONE  # nothing was learned since
    board.stop_any()
    board.saved(Path("again"), 4)
    assert board.wish() is PhaseWish.STOP


def test_a_checkpoint_on_its_way_and_damaged_ones_are_in_the_status():
    board = Board(ranks=1)
    start(board)
    assert not board.status().HasField("saving")
    write = SimpleNamespace(step=4, bytes=100, bytes_written=40, seconds=0.0)
    board.saving(write)
    board.passed_over(["checkpoint 3: x is corrupt"])
    assert board.status().saving == wire.CheckpointWrite(step=4, bytes=100, bytes_written=40)
    write.bytes_written, write.seconds = 110, 1.5
    assert board.status().saving == wire.CheckpointWrite(step=4, bytes=100, bytes_written=110, seconds=1.5)
    assert list(board.status().passed_over) == ["checkpoint 3: x is corrupt"]
