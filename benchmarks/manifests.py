"""What a long manifest costs: submitting it, preparing it, finding one of its prompts.

    python benchmarks/manifests.py                       1, 100,000 and 1,000,000 lines
    python benchmarks/manifests.py --lines 10000000      2 GB in a temporary folder

Each row is a recipe with four stages on a manifest of so many lines of about 200 bytes, text only. `submit` is the
check before a job is accepted, `prepare` the reading of all lines, both in a process of its own as in the jobs service;
`memory` is the largest resident size of either; `find` is one prompt.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import tempfile
import time
from pathlib import Path

from earwitness.jobs.apart import apart
from earwitness.jobs.permutation import permuted
from earwitness.manifest_index import IndexedManifest, read_index

RECIPE = """
name: long
output: /out
model: {{toy: {{}}}}
data: {{all: {uri}}}
stages:
  - {{type: sft, data: all, tune: {{steps: 2, optimizer: {{learning_rate: 0.001}}}}}}
  - {{type: eval, data: all, name: before}}
  - {{type: rl, data: all, steps: 2, optimizer: {{learning_rate: 0.001}}}}
  - {{type: eval, data: all, name: after}}
"""

LINE = (
    '{{"id": "q{0}", "question": "Question {0}: which of the two sounds is the longer one, the first or the second?", '
    '"answer": "first", "verifier": "text", "reasoning": "The first sound lasts longer."}}\n'
)

FOUND = 2000
"""Prompts that are looked for."""


def measure(lines: int, folder: Path) -> str:
    """One row."""
    uri = folder / f"{lines}.jsonl"
    with uri.open("w") as file:
        file.writelines(LINE.format(number) for number in range(lines))
    recipe = RECIPE.format(uri=uri)
    started = time.perf_counter()
    asyncio.run(apart("check", {"recipe": recipe}, 10.0))
    submit = time.perf_counter() - started
    given = {"recipe": recipe, "manifests": {"all": str(uri)}, "folder": str(folder)}
    started = time.perf_counter()
    asyncio.run(apart("index", given, 120.0))
    prepare = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    with IndexedManifest(str(uri), read_index(str(folder / "all.lines"))) as examples:
        places = [permuted("seed", lines, random.randrange(lines)) for _ in range(FOUND)]
        started = time.perf_counter()
        for place in places:
            examples[place]
        find = (time.perf_counter() - started) / FOUND
    size = uri.stat().st_size / 1e6
    uri.unlink()
    return f"{lines:>11,} {size:>9,.0f} {submit:>9.2f} {prepare:>10.1f} {memory:>10.0f} {find * 1e6:>9.0f}"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, action="append", help="lines of a manifest; may be given again")
    chosen = parser.parse_args().lines or [1, 100_000, 1_000_000]
    titles = ("lines", "MB", "submit s", "prepare s", "memory MB", "find us")
    print(" ".join(f"{title:>{width}}" for title, width in zip(titles, (11, 9, 9, 10, 10, 9), strict=True)), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for lines in sorted(chosen):
            print(measure(lines, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
