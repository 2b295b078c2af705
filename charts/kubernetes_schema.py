"""The parts of Kubernetes' own schema that values are handed on to.

A misspelt field or a wrong type is refused by Helm, and not by the API server in the middle of an install.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
from kubernetes_rules import RULES, laid_over

MINOR = "1.36"
"""Version of Kubernetes whose fields are known. Older ones have fewer; the API server says which."""

PARTS = {
    "Affinity": "core.v1",
    "Container": "core.v1",
    "EnvFromSource": "core.v1",
    "EnvVar": "core.v1",
    "MetricSpec": "autoscaling.v2",
    "NetworkPolicyEgressRule": "networking.v1",
    "NetworkPolicyPeer": "networking.v1",
    "PodDNSConfig": "core.v1",
    "PodResourceClaim": "core.v1",
    "PodSecurityContext": "core.v1",
    "SecurityContext": "core.v1",
    "Toleration": "core.v1",
    "TopologySpreadConstraint": "core.v1",
    "Volume": "core.v1",
    "VolumeMount": "core.v1",
}
"""What values use, with its group."""


def definitions() -> dict[str, Any]:
    """Name -> schema, of the parts and all that they refer to; a part's name is its own, without its group."""
    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{MINOR}.0-local-strict"
    known = json.loads((folder / "_definitions.json").read_text())["$defs"]
    names = {f"io.k8s.api.{group}.{part}": part for part, group in PARTS.items()}
    found: dict[str, Any] = {}
    wanted = sorted(names)
    while wanted:
        full = wanted.pop()
        short = names.setdefault(full, full.removeprefix("io.k8s."))
        if short not in found:
            found[short] = known[full]
            wanted += _named(known[full])
    found = {name: _plain(schema, names) for name, schema in sorted(found.items())}
    for part, rule in RULES.items():
        found[part] = laid_over(found[part], rule)
    return found


def _named(schema: Any) -> Iterator[str]:
    """Full names of what a schema refers to."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str):
                yield value.rpartition("/")[2]
            else:
                yield from _named(value)
    elif isinstance(schema, list):
        for part in schema:
            yield from _named(part)


def _plain(schema: Any, names: dict[str, str]) -> Any:
    """Without descriptions and defaults, referring to our names. Keys of `properties` are fields and all stay."""
    if isinstance(schema, list):
        return [_plain(part, names) for part in schema]
    if not isinstance(schema, dict):
        return schema
    out = {}
    for key, value in schema.items():
        if key == "properties":
            out[key] = {field: _plain(part, names) for field, part in value.items()}
        elif key == "$ref":
            out[key] = f"#/$defs/{names[value.rpartition('/')[2]]}"
        elif key not in ("description", "default") and not key.startswith("x-"):
            out[key] = _plain(value, names)
    return out
