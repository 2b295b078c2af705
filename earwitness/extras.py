"""What extras of the package bring, which the core does without."""

from __future__ import annotations

import importlib
from typing import Any

from earwitness.errors import InputError


def module_of(extra: str, name: str, field: str) -> Any:
    """The module `name`. Raises InputError, about `field`, if a package of `extra` that it needs is missing."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise InputError(field, f"package {error.name!r} is missing", f"pip install 'earwitness[{extra}]'") from error
