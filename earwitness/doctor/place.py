"""Where the mesh of this machine would live: its state folder, its ports, its temporary files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from earwitness.doctor.finding import Finding
from earwitness.local.ports import HOST, free_ports

PORTS = 8
"""As many as a small mesh listens on."""


def state_folder(folder: Path) -> Finding:
    """A file can be made in it, or in the folder where it would be."""
    there = next((f for f in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(f)), Path("/"))
    try:
        with tempfile.NamedTemporaryFile(dir=there) as file:
            file.write(b"\0")
            file.flush()
    except OSError as error:
        return Finding(
            "state folder", f"{there} cannot be written ({error.strerror})", "--state with a folder of yours"
        )
    return Finding("state folder", str(folder))


def temporary_folder() -> Finding:
    """Python and vLLM make files there."""
    try:
        return Finding("temporary folder", tempfile.gettempdir())
    except OSError as error:
        return Finding("temporary folder", str(error.strerror), "TMPDIR with a folder that can be written and has room")


def ports() -> Finding:
    """Loopback ports can be had."""
    try:
        free_ports(PORTS)
    except OSError as error:
        return Finding("ports", f"cannot listen on {HOST} ({error.strerror})", "a loopback interface that is up")
    return Finding("ports", f"{PORTS} free on {HOST}")
