"""The paper's claims at toy scale: what each part of the recipe does, from jobs that leave it out, over several seeds.

    python benchmarks/paper.py [--seeds 17 18 19] [--only whole presence ...] [--choose] [--page docs/results.md]

Each recipe of recipes/paper is a job, by seed. Each of `--meshes` meshes of this machine takes one after another: where
samples are waited for the trainer idles, and the other way round, so two do more than one on the same cores. What a job
has in common with one before it, the cold start and often MGRD, is computed once a seed. Those whose report is there
are not run again, so it goes on where it was stopped; one whose recipe has changed since is. It writes paper.json and
paper.md: claim, what the paper reports, what is seen here (mean over seeds, lowest and highest), holds or not, and the
figures behind it.

Nothing is chosen by what the held-out clips say: `--choose` asks the clips of the split `dev` in their place, which
share neither a clip nor a combination with them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from itertools import takewhile
from pathlib import Path
from statistics import mean
from typing import Any

import xxhash
import yaml

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.agenda import Agenda
from benchmarks.paper_claims import CLAIMS, Reports, judged
from benchmarks.paper_page import minutes, page
from earwitness.client import Mesh, state_name
from earwitness.local import control
from earwitness.local.plan import Options
from earwitness.local.state import NoMesh
from earwitness.wire.jobs.v1 import jobs_pb2

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "recipes/paper"
SEEDS = (17, 18, 19)
CHOOSING_SEED = 16
"""Of data, weights and sampling where settings are chosen: not one of those that are told of."""
CLIPS = 2000
"""Added to a seed, the seed of its clips. Clips up to 1019 were looked at while recipes were made."""
SHARED = ("sft", "mgrd")
"""Stages that learn the same whatever the reward's weights are."""

Object = dict[str, Any]
Job = tuple[str, int]
"""Name and seed."""

JOBS = (
    "whole", "by-ppo", "window", "hardest", "unfiltered", "random",  # behind its MGRD
    "without-mgrd", "mgrd-incoherent", "rounds",  # behind its cold start
    "presence", "without-format",
    "inventing", "inventing-presence", "mgrd-inventing", "mgrd-ungrounded", "reasoning", "self-cognition",
)  # fmt: skip
"""Every recipe of recipes/paper, one that others go on from before them. Jobs that begin with the same checkpoint stand
together: the engine is kept between them."""


def main() -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", help="seeds of data, weights and sampling")
    parser.add_argument("--only", nargs="+", choices=JOBS, default=list(JOBS), help="jobs to run")
    parser.add_argument("--choose", action="store_true", help="ask the clips to choose by, not the held-out ones")
    parser.add_argument("--meshes", type=int, default=2, help="jobs at a time; each may take 4 GB (default: 2)")
    parser.add_argument("--out", type=Path, help="folder of jobs and results")
    parser.add_argument("--page", type=Path, help="also write the page of results here")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    if chosen.meshes < 1:
        parser.error(f"--meshes is {chosen.meshes}; at least 1 is needed")
    if chosen.choose and chosen.page:
        parser.error("--page tells of held-out clips; leave out --choose")
    out: Path = chosen.out or ROOT / ("runs/paper-choosing" if chosen.choose else "runs/paper")
    seeds = chosen.seeds or ([CHOOSING_SEED] if chosen.choose else SEEDS)
    wanted = [(name, seed) for seed in seeds for name in with_origins(chosen.only)]
    run_missing(out, wanted, chosen.choose, chosen.meshes)
    reports = reports_of(out, wanted, chosen.choose)
    rows = judged(reports)
    out.joinpath("paper.json").write_text(json.dumps([row.as_json() for row in rows], indent=2) + "\n")
    for place in (out / "paper.md", *([chosen.page] if chosen.page else [])):
        place.write_text(page(rows, reports))
    print(json.dumps([row.as_json() for row in rows]) if chosen.json else page(rows, reports))
    return 0


def run_missing(out: Path, wanted: Sequence[Job], choose: bool, meshes: int) -> None:
    """Every job that has no report, one after another on each mesh."""
    missing = [one for one in wanted if not job_folder(out, *one, choose)]
    agenda, began = Agenda(missing, begin), time.monotonic()
    places = [out / f"mesh-{place}" for place in range(min(meshes, len(missing)))]

    def work(mesh: Mesh) -> None:
        job = agenda.take()
        while job:
            left = minutes_left(agenda.left(), reports_of(out, wanted, choose), len(places))
            told = f"{(time.monotonic() - began) / 60:.0f} min taken" + ("" if left is None else f", {left:.0f} left")
            say(f"{missing.index(job) + 1} of {len(missing)}: {job[0]}, seed {job[1]} ({told})")
            try:
                run(mesh, out, *job, choose)
            finally:
                agenda.ended(job)
            job = agenda.take(job)

    # The meshes end before their threads are waited for: where one fails, or Ctrl-C comes, nobody watches on.
    with ThreadPoolExecutor(len(places) or 1) as pool, ExitStack() as running:
        for done in as_completed([pool.submit(work, running.enter_context(mesh_of(place))) for place in places]):
            done.result()


def minutes_left(jobs: Iterable[Job], reports: Reports, meshes: int = 1) -> float | None:
    """What the jobs will take, by what the same ones took with other seeds, and all others in the mean."""
    if not reports:
        return None
    of = {name: [minutes(report) for (other, _), report in reports.items() if other == name] for name, _ in jobs}
    typical = mean(map(minutes, reports.values()))
    return sum(mean(of[name]) if of[name] else typical for name, _ in jobs) / meshes


def begin(job: Job) -> tuple[Job, int]:
    """The job that one goes on from, itself if it begins with the listener, and behind how many stages that learn."""
    name, seed = job
    origin, count = origins().get(name, (name, 0))
    return (origin, seed), count


def load(name: str) -> Object:
    """A recipe as it stands in its file."""
    recipe: Object = yaml.safe_load((RECIPES / f"{name}.yaml").read_text())
    return recipe


def shared(recipe: Object, other: Object) -> int:
    """How many of the stages that learn have both in common, from the first on."""
    if any(recipe[key] != other[key] for key in ("model", "probe")):
        return 0
    pairs = zip(learning(recipe), learning(other), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1] and pair[0]["type"] in SHARED, pairs)))


def learning(recipe: Object) -> list[Object]:
    """The stages that are no evaluation; `rounds` counts as one of another type."""
    return [{"type": "rounds", **stage} for stage in recipe["stages"] if stage.get("type") != "eval"]


@cache
def origins() -> Mapping[str, tuple[str, int]]:
    """The job that each goes on from, if any, and behind how many stages that learn: of those before it, which begin
    with the listener, the one with the most in common."""
    found: dict[str, tuple[str, int]] = {}
    roots: dict[str, Object] = {}
    for name in JOBS:
        recipe = load(name)
        common = [(shared(recipe, other), root) for root, other in roots.items()]
        most, root = max(common, default=(0, ""), key=lambda pair: pair[0])
        if most:
            found[name] = (root, most)
        else:
            roots[name] = recipe
    return found


def with_origins(names: Iterable[str]) -> list[str]:
    """The jobs, and those that they go on from, in the order in which they can run."""
    named = set(names)
    begun = {origins()[name][0] for name in named & origins().keys()}
    return [name for name in JOBS if name in named | begun]


def recipe_of(out: Path, name: str, seed: int, choose: bool = False) -> Object:
    """The recipe of one job.

    Raises:
        FileNotFoundError: The job that it goes on from has not come so far.
    """
    recipe = load(name)
    recipe |= {"seed": seed, "output": str(folder_of(out, name, seed, choose))}
    probe = recipe["probe"] | {"seed": CLIPS + seed}
    recipe["model"]["path"] = str(ROOT / recipe["model"]["path"])
    if choose:
        chosen_by(recipe["stages"])
        probe |= {"dev": probe["eval"], "eval": 1}
    if name not in origins():
        return recipe | {"probe": probe}
    origin, count = origins()[name]
    behind, stages = place_behind(recipe, count), recipe["stages"]
    job, kind = job_folder(out, origin, seed, choose), stages[behind]["type"]
    reached = sorted(job.glob(f"checkpoints/{place_behind(load(origin), count)}-{kind}/step-*/hf")) if job else []
    if not job or not reached:
        raise FileNotFoundError(f"no checkpoint of {kind} of {origin}, seed {seed}")
    del recipe["probe"]
    recipe["model"]["path"] = str(reached[-1])
    recipe["data"] = {split: str(job / f"data/{split}.jsonl") for split in ("train", "dev" if choose else "eval")}
    after = behind + 1
    while stages[after].get("type") == "eval":
        after += 1
    return recipe | {"stages": stages[after:]}


def place_behind(recipe: Object, count: int) -> int:
    """The place of the `count`-th stage that learns."""
    return [place for place, stage in enumerate(recipe["stages"]) if stage.get("type") != "eval"][count - 1]


def chosen_by(stages: Iterable[Object]) -> None:
    """Evaluations ask the clips to choose by."""
    for stage in stages:
        if stage.get("type") == "eval":
            stage["data"] = "dev"
        chosen_by(stage.get("stages", ()))


def folder_of(out: Path, name: str, seed: int, choose: bool = False) -> Path:
    """Where a job keeps what it makes: with another recipe, or another listener, it is another job."""
    return out.resolve() / f"{name}-{seed}-{mark_of(name)}{'-dev' if choose else ''}"


@cache
def mark_of(name: str) -> str:
    """Tells a recipe and the model that it begins with from any others."""
    recipe = load(name)
    weights = (ROOT / recipe["model"]["path"] / "model.safetensors").read_bytes()
    return xxhash.xxh3_64_hexdigest(json.dumps(recipe).encode() + weights)[:8]


def job_folder(out: Path, name: str, seed: int, choose: bool = False) -> Path | None:
    """What the job that has ended well has left."""
    found = sorted(folder_of(out, name, seed, choose).glob("*/report.json"))
    return found[-1].parent if found else None


def reports_of(out: Path, jobs: Iterable[Job], choose: bool) -> Mapping[Job, Object]:
    """The reports of those that have ended well."""
    folders = {one: job_folder(out, *one, choose) for one in jobs}
    return {one: json.loads((folder / "report.json").read_text()) for one, folder in folders.items() if folder}


@contextmanager
def mesh_of(place: Path) -> Iterator[Mesh]:
    """A mesh of this machine for the time of the block. What a run that was killed left of its own is stopped first."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with suppress(NoMesh):
        control.stop(place)
    control.start_detached(Options(place, fresh=True), say)
    try:
        with Mesh.connect(state=place) as mesh:
            yield mesh
    finally:
        control.stop(place)


def say(line: str) -> None:
    """To a person who waits."""
    print(line, file=sys.stderr, flush=True)


def run(mesh: Mesh, out: Path, name: str, seed: int, choose: bool) -> None:
    """One job to its end. One that fails is told and left: its claim then says that it has no report."""
    try:
        recipe = recipe_of(out, name, seed, choose)
    except FileNotFoundError as error:
        say(f"  {name}, seed {seed}, is left out: {error}")
        return
    file = out / f"{name}-{seed}.yaml"
    file.write_text(yaml.safe_dump(recipe, sort_keys=False))
    job = mesh.submit(file)
    for event in mesh.watch(job.job_id):
        if event.kind == "stage":
            say(f"  {name}, seed {seed}: {event.message}")
    job = mesh.get(job.job_id)
    if job.state != jobs_pb2.JOB_STATE_SUCCEEDED:
        say(f"  {name}, seed {seed}: {state_name(job.state)}: {job.reason}")


if __name__ == "__main__":
    assert {name for claim in CLAIMS for name in claim.jobs} <= set(JOBS)
    sys.exit(main())
