"""Which checks a machine gets."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from earwitness.doctor import gpus, machine, place, programs
from earwitness.doctor.finding import Check


def quick_checks(folder: Path) -> list[Check]:
    """Those that take milliseconds; `folder` is the mesh's state folder."""
    return [
        machine.python, machine.processor, machine.system_library, machine.cores, machine.memory, machine.shared_memory,
        partial(machine.disk, folder), partial(place.state_folder, folder), place.temporary_folder, place.ports,
    ]  # fmt: skip


def all_checks(folder: Path) -> list[Check]:
    """Everything a mesh on this machine needs."""
    return [*quick_checks(folder), gpus.gpus, *programs.programs(), *programs.recognisers()]
