"""Every benchmark by name: how its rows are read, and its two rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from reward.benchmarks.big_bench_audio import offline_match, read_big_bench_audio
from reward.benchmarks.mmsu import letter_match, read_mmsu
from reward.benchmarks.rows import Record, Row
from reward.benchmarks.spoken_mqa import number_match, read_spoken_mqa, stated_number
from reward.benchmarks.string_match import read_row, string_match
from reward.benchmarks.wildspeech import judgements, mark, read_wildspeech
from reward.correctness import verify_answer


def verified(row: Row, prediction: str) -> float:
    """Strict: the answer, wrappers taken off and a letter read as its choice, passes the row's verifier."""
    return float(verify_answer(row.prompt, prediction).correct)


@dataclass(frozen=True)
class Benchmark:
    """One benchmark."""

    read: Callable[[Record, int, str], Row]
    """(record, its number from 0, where it stands) to a row; raises InputError."""
    key: str
    """Under which its own program writes an answer."""
    official: Callable[[Row, str], float | None]
    """Its published rule: a score in [0, 1], or None for what that rule does not count."""
    strict: Callable[[Row, str], float] = verified
    """Ours, in [0, 1]."""
    judged: Callable[[Sequence[Row], str], dict[str, str | None]] | None = None
    """(rows, file of answers) to a judge's replies by id, which then stand for the answers."""
    counts_missing: bool = False
    """True if the published program counts rows without an answer (as wrong)."""


BENCHMARKS = {
    "mmau": Benchmark(partial(read_row, category="task"), "model_output", string_match),
    "mmar": Benchmark(partial(read_row, category="category"), "answer_prediction", string_match),
    "mmsu": Benchmark(read_mmsu, "response", letter_match),
    "big-bench-audio": Benchmark(read_big_bench_audio, "response", offline_match),
    "spoken-mqa": Benchmark(read_spoken_mqa, "model_prediction", number_match, stated_number, counts_missing=True),
    "wildspeech": Benchmark(
        read_wildspeech, "response", mark, lambda row, judgement: mark(row, judgement) or 0.0, judgements
    ),
}
"""By the name that `earwitness score --benchmark` takes."""
