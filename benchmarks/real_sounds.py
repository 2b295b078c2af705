"""How often the verdict on a claim is right on recordings: drums, loops, instruments, voices, ambience, rebuilt here.

    python benchmarks/real_sounds.py [--folder DIR] [--cuts N] [--misses] [--family NAME] [--json]

Clips come from Debian's packages (`real_clips.py`), cut, mixed and placed by `real_scenes.py`; what is true of them is
known by how they were built, or by two tools that agree. Each fact is put in the documentation's wording and as a
model would write it. Skipped with a word where the packages cannot be had.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # else reward.py beside this file would hide the package

from benchmarks import real_clips  # noqa: E402
from benchmarks.grounding import judged  # noqa: E402
from benchmarks.real_scenes import SCENES, Scene  # noqa: E402
from reward.measure import measure  # noqa: E402

TRIES = 4
"""Seeds tried for a clip of which truth is not sure (two tools differ)."""
WORDINGS = ("documentation", "model")
Tally = Counter[tuple[bool, bool | None]]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--folder", type=Path, default=real_clips.DEFAULT, help="where the packages are kept")
    options.add_argument("--cuts", type=int, default=0, help="number of other clips, of the same recordings")
    options.add_argument("--family", help="only facts of families that contain this")
    options.add_argument("--misses", action="store_true", help="name every wrong verdict and every silence, on stderr")
    options.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = options.parse_args()
    if problem := real_clips.fetch(arguments.folder):
        print(f"skipped: {problem}")
        return
    clips, sentences, families = tallies(arguments.folder, arguments.family or "", arguments.misses, arguments.cuts)
    result = {"clips": clips, "sentences": sentences, "families": {n: scores(t) for n, t in sorted(families.items())}}
    if arguments.json:
        print(json.dumps(result))
        return
    print(
        f"{clips} clips, {sentences} sentences\n{'':18} {'true':>5}{'false':>6} {'supported':>18} {'contradicted':>20}"
    )
    print(f"{'family':30} {'precision':>10}{'recall':>10} {'precision':>10}{'recall':>10}")
    for name, tally in sorted(families.items()):
        found = scores(tally)
        shown = [found[v][m] for v in ("supported", "contradicted") for m in ("precision", "recall")]
        numbers = [sum(n for (truth, _), n in tally.items() if truth is t) for t in (True, False)]
        print(f"{name:18} {numbers[0]:5}{numbers[1]:6} " + "".join(f"{x:10.3f}" for x in shown))


def tallies(folder: Path, wanted: str, misses: bool, cuts: int) -> tuple[int, int, dict[str, Tally]]:
    """Clips, sentences, and (truth, verdict) of the sentences by family, by wording and of all."""
    clips, sentences = 0, 0
    families: dict[str, Tally] = defaultdict(Counter)
    for label, (samples, facts) in scenes(folder, cuts):
        clips += 1
        measured = measure(samples)
        for family, *texts, truth in facts:
            if wanted not in family:
                continue
            for wording, text in zip(WORDINGS, texts, strict=True):
                verdict = judged(str(text), measured)
                sentences += 1
                for name in (family, f"all, {wording}"):
                    families[name][bool(truth), verdict] += 1
                if misses and verdict is not truth:
                    print(f"{label} {family}: {text!r} is {truth}, found {verdict}", file=sys.stderr)
    return clips, sentences, families


def scenes(folder: Path, cuts: int = 0) -> Iterator[tuple[str, Scene]]:
    """Every clip with its facts and a label; each number of `cuts` makes others of the same recordings."""
    clips = real_clips.Clips(folder)
    for number, (scene, count) in enumerate(SCENES.items()):
        for index in range(count):
            for attempt in range(TRIES):
                built = scene(clips, np.random.default_rng([number, index, attempt, cuts]))
                if built is not None:
                    yield f"{scene.__name__} {index}", built
                    break


def scores(tally: Tally) -> dict[str, dict[str, float]]:
    """Precision and recall of both verdicts."""
    return {
        name: {
            "precision": tally[truth, truth] / max(tally[truth, truth] + tally[not truth, truth], 1),
            "recall": tally[truth, truth] / max(sum(tally[truth, v] for v in (True, False, None)), 1),
        }
        for name, truth in (("supported", True), ("contradicted", False))
    }


if __name__ == "__main__":
    main()
