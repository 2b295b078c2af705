"""Commands about checkpoints: the group, and `model check`."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from earwitness.cli.convert import model_convert, of_the_trainer
from earwitness.cli.push import model_push
from earwitness.cli.terminal import err, out, shows_errors
from earwitness.errors import InputError
from earwitness.plan.gpus import GB, GPUS
from earwitness.plan.layouts import options, tightest
from earwitness.plan.work import Work

SIZES = (1, 2, 4, 8)
"""GPUs of the table."""
TOKENS = 4096
"""Of the sequence that the table speaks of."""
ROWS = 64
"""Sequences of an update."""
AGREE = 1e-3
"""Largest difference of log-probs in float32 that rounding explains in a model of dozens of layers."""


@shows_errors
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A Hugging Face directory.")],
    gpu: Annotated[str, typer.Option(help=f"Memory on which: {', '.join(GPUS)}.")] = "h100",
    compare: Annotated[bool, typer.Option(help="Run one forward pass against transformers.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say whether a checkpoint can be trained and rolled out, before a GPU is rented.

    Its family, types, parameters; weights that are missing, unexpected or of another shape; tokenizer and turns; audio
    tokens; memory of training; and, if the weights fit into memory twice, one forward pass against transformers. Exit
    status 1 if something does not fit.

    Example:

        earwitness model check models/Qwen2.5-Omni-3B --gpu h200
    """
    if gpu not in GPUS:
        raise InputError("--gpu", f"{gpu!r} is not known", ", ".join(GPUS))
    found = of_the_trainer("model.checkup").check_up(folder)
    memory = _memory(found.architecture, gpu)
    told: dict[str, Any] = {
        "architecture": found.architecture.family.architecture,
        "parameters": found.architecture.parameters,
        "types": found.types,
        "untouched": {"parameters": found.passing, "bytes": found.passing_bytes},
        "tied_embeddings": found.architecture.decoder.tied,
        "normed_queries": found.architecture.decoder.qk_norm,
        "yarn_factor": found.architecture.decoder.yarn.factor if found.architecture.decoder.yarn else None,
        "longest_sequence": found.architecture.decoder.max_positions,
        "tokenizer": {"tokens": found.tokenizer, "special": found.special, "think_end": list(found.think_end)},
        "audio_tokens": {str(seconds): tokens for seconds, tokens in found.clips.items()},
        "chat_template": _template(found.template),
        "gigabytes": {gpu: memory},
    }
    if compare:
        told |= _compared(found.architecture, folder)
    if as_json:
        out.print_object(told)
    else:
        _show(told, gpu)
    if told.get("largest_difference", 0.0) > AGREE:
        err.print(f"error: transformers gives other log-probs (largest difference above {AGREE})", style="red")
        raise typer.Exit(1)


def _template(found: tuple[str, str] | None) -> dict[str, Any]:
    """Whether the checkpoint's own template writes turns as we do."""
    if found is None:
        return {"found": False}
    theirs, ours = found
    return {"found": True, "same": theirs == ours} | ({} if theirs == ours else {"theirs": theirs, "ours": ours})


def _compared(architecture: Any, folder: Path) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries about kernels that a CPU does not have
        reference = importlib.import_module("trainer.model.reference")
        if (reason := reference.why_not(architecture)) is not None:
            return {"not_compared": reason}
        return {"largest_difference": reference.largest_difference(folder)}


def _memory(architecture: Any, gpu: str) -> dict[str, Any]:
    """Of supervised tuning in bfloat16 with a frozen encoder: the fastest layout that fits, or the tightest."""
    told = {}
    for gpus in SIZES:
        work = Work(
            "tune", architecture, bytes=2, sequence=min(TOKENS, architecture.decoder.max_positions), rows=1, batch=ROWS,
            updates=1, responses=TOKENS // 2, critic=False, rl=False, entropy=False, freeze_encoder=True,
            sequence_parallel=True, distributed_optimizer=True, recompute=False, clips=1,
        )  # fmt: skip
        fitting = options(work, gpus, GPUS[gpu])
        best = fitting[0] if fitting else tightest(work, gpus, GPUS[gpu])
        if best is not None:
            told[str(gpus)] = {
                "layout": str(best.layout), "needs": round(best.memory.total / GB, 1), "fits": bool(fitting),
            }  # fmt: skip
    return told


def _show(told: dict[str, Any], gpu: str) -> None:
    table = Table("", "", show_header=False)
    table.add_row("architecture", told["architecture"])
    types = ", ".join(f"{count:,} {dtype}" for dtype, count in told["types"].items())
    table.add_row("parameters", f"{told['parameters']:,} ({types}); none missing, none unexpected")
    if told["untouched"]["parameters"]:
        beside = told["untouched"]
        table.add_row("untouched parts", f"{beside['parameters']:,} parameters, {beside['bytes'] / GB:.1f} GB")
    decoder = ["Qwen3, queries and keys normed" if told["normed_queries"] else "Qwen2"]
    decoder += ["embeddings tied"] if told["tied_embeddings"] else []
    decoder += [f"YaRN, factor {told['yarn_factor']:g}"] if told["yarn_factor"] else []
    table.add_row("decoder", "; ".join(decoder))
    table.add_row("longest sequence", f"{told['longest_sequence']:,} tokens")
    tokenizer = told["tokenizer"]
    special = ", ".join(f"{token} {number}" for token, number in tokenizer["special"].items())
    table.add_row("tokenizer", f"{tokenizer['tokens']:,} tokens; {special}; </think> begins {tokenizer['think_end']}")
    template = told["chat_template"]
    if not template["found"]:
        table.add_row("chat template", "none to compare turns with")
    elif template["same"]:
        table.add_row("chat template", "the same turns")
    else:
        table.add_row("chat template", f"other turns than ours: {template['theirs']!r}, ours {template['ours']!r}")
    clips = ", ".join(f"{tokens} of {seconds} s" for seconds, tokens in told["audio_tokens"].items())
    table.add_row("audio tokens", clips)
    for gpus, fit in told["gigabytes"][gpu].items():
        usable = f"of {GPUS[gpu].usable / GB:.0f} GB"
        says = f"{fit['layout']}: {fit['needs']:.1f} {usable}" if fit["fits"] else f"no: {fit['needs']:.1f} {usable}"
        table.add_row(f"training on {gpus} x {GPUS[gpu].name}", says)
    if "largest_difference" in told:
        table.add_row("transformers", f"largest difference of log-probs {told['largest_difference']:.1e}, float32")
    elif "not_compared" in told:
        table.add_row("transformers", f"not compared: {told['not_compared']}")
    out.print(table)


group = typer.Typer(
    name="model", no_args_is_help=True, add_completion=False, help="Check, convert and push checkpoints."
)
group.command()(check)
group.command("convert")(model_convert)
group.command("push")(model_push)
