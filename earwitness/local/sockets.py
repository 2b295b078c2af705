"""The folder where vLLM's processes of a mesh make their Unix sockets.

A socket's path has at most 107 bytes, and vLLM's names take 37: under a long TMPDIR the worker could not start. vLLM
leaves its sockets behind, so they lie in a folder that goes with the mesh.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

SHORT = Path("/tmp")


def sockets_folder(mesh: str) -> Path:
    """Of the mesh with this id."""
    return (SHORT if os.access(SHORT, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())) / f"ew-{mesh}"


def remove_sockets(mesh: str) -> None:
    """Nothing happens if there are none."""
    shutil.rmtree(sockets_folder(mesh), ignore_errors=True)
