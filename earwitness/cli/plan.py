"""The command `plan`: which layouts of how many GPUs a recipe fits on, before anyone rents them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from earwitness.cli.terminal import err, out, shows_errors
from earwitness.errors import InputError
from earwitness.plan.gpus import GB, GPUS, Gpu
from earwitness.plan.layouts import Option, changes, options, tightest
from earwitness.plan.memory import Memory, Parallelism
from earwitness.plan.work import Work, stages_of
from earwitness.recipe.load import read_recipe

MOST_TOKENS = 2**20
"""The longest contexts that models are made for, as in a recipe."""

SHOWN = 5
"""Layouts of each stage in the table; --json has all."""

SIZES = (8, 16, 32, 64)
"""GPUs of the table: one machine, and what is rented beside it."""

PARTS = ("weights", "gradients", "optimizer", "activations", "logits", "critic")


@shows_errors
def plan(
    recipe: Annotated[str, typer.Argument(help="File or URI of a recipe.")],
    gpus: Annotated[
        int | None, typer.Option(min=1, max=4096, help="GPUs of the trainer; else a table for 8, 16, 32 and 64.")
    ] = None,
    gpu: Annotated[str, typer.Option(help=f"Which: {', '.join(GPUS)}.")] = "h100",
    tokens: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_TOKENS, help="Longest sequence; else what the recipe may sample, and a prompt."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All layouts, in bytes and seconds.")] = False,
) -> None:
    """Show the layouts of a trainer that fit, with memory by part and speed; or what makes one fit.

    The figures are of the fullest GPU and of sequences that are all as long as the longest. Exit status 1 if a stage
    fits on no layout. The formulas, and how near they are to what is measured, stand in docs/plan.md.

    Examples:

        earwitness plan recipes/step-audio-r1-33b.yaml --gpu h200

        earwitness plan recipes/step-audio-r1-33b.yaml --gpus 64 --gpu h100

        earwitness plan recipes/step-audio-r1-33b.yaml --gpus 8 --gpu h200 --tokens 10240 --json
    """
    if gpu not in GPUS:
        raise InputError("--gpu", f"{gpu!r} is not known", ", ".join(GPUS))
    kind = GPUS[gpu]
    read = read_recipe(recipe)
    works, shared = stages_of(read, tokens), read.model.tensor_parallel * read.model.pipeline_parallel
    if gpus is None:
        _compare(works, kind, as_json)
        return
    own = []
    if shared <= gpus:
        own.append(Parallelism(read.model.tensor_parallel, read.model.pipeline_parallel, gpus // shared))
    found = {work.stage: options(work, gpus, kind) for work in works}
    if as_json:
        out.print_object([_stage_json(work, found[work.stage], gpus, kind) for work in works])
    else:
        for work in works:
            _show(work, found[work.stage], gpus, kind, own)
        out.print("* the recipe's own layout" if own else "the recipe's own layout needs more GPUs")
    if not all(found.values()):
        raise typer.Exit(1)


def _compare(works: list[Work], kind: Gpu, as_json: bool) -> None:
    """The fastest layout of each stage on machines of several sizes. Exit status 1 if no size takes all stages."""
    found = {gpus: [options(work, gpus, kind) for work in works] for gpus in SIZES}
    if as_json:
        out.print_object([
            {"gpus": gpus, "stages": [_stage_json(w, f, gpus, kind) for w, f in zip(works, of_size, strict=True)]}
            for gpus, of_size in found.items()
        ])  # fmt: skip
    else:
        table = Table(f"{kind.name} GPUs", *(f"stage {work.stage}" for work in works))
        for gpus, of_size in found.items():
            table.add_row(
                str(gpus), *(_cell(work, fitting, gpus, kind) for work, fitting in zip(works, of_size, strict=True))
            )
        out.print(table)
    if not any(all(of_size) for of_size in found.values()):
        raise typer.Exit(1)


def _cell(work: Work, fitting: list[Option], gpus: int, kind: Gpu) -> str:
    if fitting:
        best = fitting[0]
        speed = f"{best.speed.tokens:,.0f} tokens/s, {_seconds(best.speed.seconds)} a step"
        return f"{best.layout}\n{best.memory.total / GB:.0f} of {kind.usable / GB:.0f} GB\n{speed}"
    least = tightest(work, gpus, kind)
    if least is None:
        return f"does not fit: cannot share {work.batch} sequences"
    return f"does not fit: {least.layout}\nneeds {least.memory.total / GB:.0f} of {kind.usable / GB:.0f} GB"


def _show(work: Work, fitting: list[Option], gpus: int, gpu: Gpu, own: list[Parallelism]) -> None:
    out.print(
        f"stage {work.stage}: {work.architecture.parameters / 1e9:.1f}B parameters, "
        f"{work.sequence:,} tokens a sequence, {work.tokens:,} a micro-batch, {work.batch} sequences an update; "
        f"{gpus} x {gpu.name}, {gpu.usable / GB:.0f} GB of each to fill",
    )
    if not fitting:
        _refuse(work, gpus, gpu)
        return
    heads = ("weights", "grads", "Adam", "activ.", "logits", "critic", "GB", "tokens/s", "step", "bubble")
    out.print("  layout                " + "".join(f"{head:>9}" for head in heads))
    for option in fitting[:SHOWN]:
        parts = [getattr(option.memory, part) / GB for part in (*PARTS, "total")]
        numbers = "".join(f"{part:9.1f}" for part in parts) + f"{option.speed.tokens:9,.0f}"
        times = f"{_seconds(option.speed.seconds):>9}{100 * option.speed.bubble:7.0f} %"
        out.print(f"{'*' if option.layout in own else ' '} {option.layout!s:22}{numbers}{times}")
    if len(fitting) > SHOWN:
        out.print(f"and {len(fitting) - SHOWN} more (--json)")
    out.print()


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def _refuse(work: Work, gpus: int, gpu: Gpu) -> None:
    least = tightest(work, gpus, gpu)
    if least is None:
        err.print(f"does not fit: {gpus} GPUs cannot share {work.batch} sequences an update", style="red")
        return
    parts = ", ".join(f"{part} {getattr(least.memory, part) / GB:.1f}" for part in PARTS)
    err.print(
        f"does not fit: the best layout, {least.layout}, needs {least.memory.total / GB:.1f} GB ({parts})",
        style="red",
    )
    for number, change in enumerate(changes(work, gpus, gpu)):
        start = "cheapest change that fits" if number == 0 else "or"
        err.print(f"{start}: {change.words} ({change.layout}, {change.memory.total / GB:.1f} GB)")
    err.print()


def _stage_json(work: Work, fitting: list[Option], gpus: int, gpu: Gpu) -> dict[str, Any]:
    least = tightest(work, gpus, gpu)
    answer: dict[str, Any] = {
        "stage": work.stage,
        "tokens": work.sequence,
        "usable_bytes": gpu.usable,
        "fits": [{**asdict(o.layout), "memory": _bytes(o.memory), **asdict(o.speed)} for o in fitting],
    }
    if not fitting:
        answer["tightest"] = {**asdict(least.layout), "memory": _bytes(least.memory)} if least else None
        answer["changes"] = [
            {"change": c.words, **asdict(c.layout), "memory": _bytes(c.memory)} for c in changes(work, gpus, gpu)
        ]
    return answer


def _bytes(memory: Memory) -> dict[str, float]:
    return {**asdict(memory), "total": memory.total}
