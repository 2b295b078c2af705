"""The commands `data push` and `model push`: files onto the volume of a mesh elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer

from earwitness.cli.terminal import out, progress
from earwitness.cli.where import Where, finds_mesh
from earwitness.errors import InputError, shown
from earwitness.storage import store

MIB = 1024 * 1024

Source = Annotated[str, typer.Argument(help="A folder or a file: a path, or a URI (s3://, gs://, abfs://).")]
Target = Annotated[str, typer.Argument(metavar="TO", help="Folder of the mesh's volume, as recipes name it.")]


@finds_mesh
def data_push(source: Source, target: Target, *, where: Where) -> None:
    """Copy manifests and clips to the mesh's volume.

    What is there already is not sent again, and what was cut off goes on; every file is checked by its checksum.

    Examples:

        earwitness data push data/mine data/mine -n ew

        earwitness data push s3://bucket/clips data/clips -n ew
    """
    _push(source, target, where)


@finds_mesh
def model_push(source: Source, target: Target, *, where: Where) -> None:
    """Copy a Hugging Face checkpoint to the mesh's volume.

    What is there already is not sent again, and what was cut off goes on; every file is checked by its checksum.

    Example:

        earwitness model push models/Qwen2.5-Omni-3B models/Qwen2.5-Omni-3B -n ew
    """
    fs, folder = store(source)
    if not fs.isfile(f"{folder}/config.json"):
        raise InputError("SOURCE", f"{shown(source)} has no config.json", "the folder of a Hugging Face checkpoint")
    _push(source, target, where)


def _push(source: str, target: str, where: Where) -> None:
    from earwitness.pushing import push

    with where.connect() as mesh, progress("MiB") as told:
        pushed = push(source, target, mesh.put_file, lambda done, total: told(done // MIB, -(-total // MIB)))
    there = f"{pushed.files} files, {pushed.bytes / MIB:.1f} MiB"
    out.print(f"{target}: {there}, of them {pushed.sent / MIB:.1f} MiB sent now, all checksums right")
