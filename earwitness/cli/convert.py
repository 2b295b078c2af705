"""`model convert`: checkpoints in another type, in other files, or out of a phase."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from earwitness.cli.terminal import out, progress, shows_errors
from earwitness.extras import module_of
from earwitness.plan.gpus import GB


@shows_errors
def model_convert(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A Hugging Face directory, or a job's checkpoint.")],
    target: Annotated[Path, typer.Argument(metavar="NEW", help="The directory to write; it is not there yet.")],
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"] | None,
        typer.Option(help="Type of the weights that are trained; left out: as it is."),
    ] = None,
    file_gb: Annotated[float, typer.Option(help="Most gigabytes of a file.", min=0.0001, max=1000)] = 5.0,
    base: Annotated[Path | None, typer.Option(help="Of a checkpoint: the directory that its phase began with.")] = None,
) -> None:
    """Write a checkpoint in another type, or in files of another size; or a job's checkpoint as a directory.

    Sizes and names are checked before and after; memory holds a few rows at a time. Parts that are not trained stay as
    they are. Interrupted, the same command goes on with the file it was at.

    Example:

        earwitness model convert models/Qwen2.5-Omni-3B models/omni-bf16 --dtype bfloat16

    A checkpoint in the middle of a phase holds what learns: with `--base` it comes out in the types and files of that
    directory. The last one of a phase has a directory of its own, `hf`.

        earwitness model convert runs/omni/checkpoints/0-sft/step-00000100 models/step-100 --base models/Qwen2.5-Omni-3B
    """
    if base is not None:
        of_the_trainer("checkpoint.unpacked").unpack(folder, base, target)
        out.print(f"{target}: the policy of {folder}")
        return
    found = of_the_trainer("model.convert")
    with progress("bytes written") as told:
        sizes = found.convert(folder, target, dtype, int(file_gb * GB), told)
    out.print(f"{target}: {sum(sizes.values()) / GB:.2f} GB in {len(sizes)} files")


def of_the_trainer(name: str) -> Any:
    """A module of it: the light install has none."""
    return module_of("cpu", f"trainer.{name}", "model")
