"""Files that a source names: only those that lie within it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from earwitness.data.question import SourceError
from earwitness.errors import shown


def inside(root: Path, named: str, where: str) -> Path:
    """The file `named` in the folder `root`. Raises SourceError if that leads out of it, also by links.

    A data set that `huggingface_hub` keeps links from `snapshots/REVISION` to `blobs` beside it: there the whole data
    set is the folder.
    """
    path = PurePosixPath(named.replace("\\", "/"))
    if not named.isprintable() or len(named) > 4096:
        raise SourceError(where, f"{shown(named)} is not a path", "printable characters")
    start = root.resolve()
    end = start.parent.parent if start.parent.name == "snapshots" else start
    given = Path(path) if path.is_absolute() else start / path
    try:
        found = given.resolve()
    except (OSError, RuntimeError) as error:
        raise SourceError(where, f"{shown(named)} cannot be followed", "a file in the source's folder") from error
    if ".." in path.parts or not found.is_relative_to(end):
        raise SourceError(where, f"{shown(named)} leads out of {start}", "a file in the source's folder")
    return found
