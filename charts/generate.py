"""Writes values.schema.json and the README's tables of the chart from the comments in its values.yaml.

`python charts/generate.py [--check]`: with --check nothing is written, and what differs is named.

The comment lines right above a key are its description. `@schema {...}` adds to its JSON schema, `@free` lets a map
take any keys, `@component` marks a block that takes all keys of `defaults`. A type is read off the default value.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parent))

import kubernetes_schema
from kubernetes_rules import DOMAIN, FOLDER, LABEL, QUALIFIED, RESOURCE

CHART = Path(__file__).parent / "earwitness"
BEGIN, END = "<!-- VALUES -->", "<!-- /VALUES -->"
"""Between these lines of the README everything is generated."""

DEFAULTS = "defaults"
"""The block whose keys every component takes."""

TYPES = {"str": "string", "int": "integer", "bool": "boolean", "float": "number", "seq": "array", "map": "object"}

MAX_INTEGER = 2**31 - 1
"""Where a value says nothing lower: the numbers of Kubernetes' objects have 32 bits."""

UNIT = "(m|k|[KMGTPE]i|[MGTPE])?"
QUANTITY = {"type": "string", "pattern": rf"^([0-9]+(\.[0-9]+)?{UNIT})?$"}
"""A Kubernetes quantity, never negative; "" where a value may be left out."""

SIZE = {"allOf": [QUANTITY, {"pattern": "^[0-9.]*[1-9]"}]}
"""A quantity above 0."""

NAME = {
    "type": "string",
    "maxLength": 253,
    "pattern": f"^({DOMAIN})?$",
}
"""The name of an object in Kubernetes (RFC 1123); "" where a value may be left out."""

HOST = {
    "type": "string",
    "maxLength": 253,
    "pattern": rf"^((\*\.)?{DOMAIN})?$",
    "not": {"pattern": r"[^.]{64}|^[0-9]+(\.[0-9]+){3}$"},
}
"""A host of an Ingress or a route, perhaps with a star in front; "" where a value may be left out."""

OURS = r"^(app\.kubernetes\.io/(name|instance|component|version|part-of|managed-by)|helm\.sh/chart|earwitness\.io/.*)$"
"""Labels that the chart sets itself, or that its policies open a door for; its selectors stand on some of them."""

HOOKS = r"^helm\.sh/hook"
"""Annotations that would make a hook of each object, which no release owns."""

AMOUNT = {"anyOf": [{**QUANTITY, "minLength": 1}, {"type": "number", "minimum": 0}]}
AMOUNTS = {"type": "object", "propertyNames": {"pattern": RESOURCE}, "additionalProperties": AMOUNT}

DEFINITIONS: dict[str, Any] = {
    "quantity": QUANTITY,
    "size": SIZE,
    "name": NAME,
    "host": HOST,
    "folder": {"type": "string", **FOLDER},
    "key": {"type": "string", "pattern": "^[-._a-zA-Z0-9]{1,253}$"},
    "labels": {
        "type": "object",
        "propertyNames": {"pattern": QUALIFIED, "not": {"pattern": OURS}},
        "additionalProperties": {"type": ["string", "number", "boolean"], "pattern": rf"^{LABEL}?$"},
    },
    "annotations": {
        "type": "object",
        "propertyNames": {"pattern": QUALIFIED, "not": {"pattern": HOOKS}},
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    },
    "resources": {
        "type": "object",
        "properties": {"requests": AMOUNTS, "limits": AMOUNTS, "claims": {"type": "array"}},
        "additionalProperties": False,
    },
    "times": {
        "type": "object",
        "properties": {
            name: {"type": "integer", "minimum": least}
            for name, least in {
                "initialDelaySeconds": 0,
                "periodSeconds": 1,
                "timeoutSeconds": 1,
                "failureThreshold": 1,
            }.items()
        },
        "additionalProperties": False,
    },
}


FOREIGN = "of Kubernetes: "
FOREIGN_PARTS = kubernetes_schema.definitions()


@dataclass
class Value:
    """One key of values.yaml."""

    path: tuple[str, ...]
    default: Any
    kind: str
    """YAML type: str, int, bool, seq, map."""
    text: str = ""
    """Description."""
    schema: dict[str, Any] = field(default_factory=dict)
    marks: frozenset[str] = frozenset()
    children: list[Value] = field(default_factory=list)

    @property
    def is_component(self) -> bool:
        return "component" in self.marks


def read_values(text: str) -> list[Value]:
    """The top-level values, with their children. Raises ValueError for a key without a description."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    return list(_children(root, (), text.splitlines()))


def _children(node: yaml.MappingNode, path: tuple[str, ...], lines: list[str]) -> Iterator[Value]:
    for key, content in node.value:
        value = Value(
            path=(*path, key.value),
            default=_plain(content),
            kind=content.tag.rpartition(":")[2],
        )
        _read_comments(value, _above(lines, key.start_mark.line, key.start_mark.column))
        if isinstance(content, yaml.MappingNode) and "free" not in value.marks and "$ref" not in value.schema:
            value.children = list(_children(content, value.path, lines))
        yield value


def _plain(node: yaml.Node) -> Any:
    return yaml.safe_load(yaml.serialize(node))


def _above(lines: list[str], line: int, column: int) -> list[str]:
    """The block of comment lines right above, of the same indent. A key within `{...}` has none of its own."""
    start = " " * column + "#"
    if lines[line][:column].strip():
        return []
    block: list[str] = []
    while line and lines[line - 1].startswith(start):
        line -= 1
        block.insert(0, lines[line].strip().removeprefix("#").strip())
    return block


def _read_comments(value: Value, block: list[str]) -> None:
    words = [line for line in block if not line.startswith("@")]
    value.text = " ".join(words)
    for line in block:
        if line.startswith("@schema "):
            value.schema |= json.loads(line.removeprefix("@schema "))
        elif line.startswith("@"):
            value.marks |= {line.removeprefix("@").split()[0]}


def schema(values: list[Value]) -> dict[str, Any]:
    """JSON schema of the whole values file: every key known, every type checked."""
    shared = next(value for value in values if value.path == (DEFAULTS,))
    names = {child.path[-1] for child in shared.children}
    properties = {value.path[0]: _component(value, names) if value.is_component else _of(value) for value in values}
    properties[DEFAULTS] = _of(shared) | {"required": sorted(names)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Values of the earwitness chart (generated from values.yaml)",
        "type": "object",
        # Helm gives a chart that is a part of another one its parent's globals.
        "properties": {**properties, "global": {"type": "object"}},
        "additionalProperties": False,
        # Each has a default, which null takes away.
        "required": sorted(properties),
        "$defs": DEFINITIONS | {name: f"{FOREIGN}{name}" for name in FOREIGN_PARTS},
    }


def written(found: dict[str, Any]) -> str:
    """The schema as it stands in its file: Kubernetes' parts have a line each."""
    text = json.dumps(found, indent=2, ensure_ascii=False)
    for name, part in FOREIGN_PARTS.items():
        text = text.replace(json.dumps(f"{FOREIGN}{name}"), json.dumps(part, separators=(",", ":")))
    return text + "\n"


def _component(value: Value, shared: set[str]) -> dict[str, Any]:
    own = {child.path[-1]: _of(child) for child in value.children if child.path[-1] not in shared}
    common = {name: {"$ref": f"#/properties/{DEFAULTS}/properties/{name}"} for name in sorted(shared)}
    return {
        "type": "object",
        "description": value.text,
        "properties": own | common,
        "additionalProperties": False,
        "required": sorted(own),
    }


def _of(value: Value) -> dict[str, Any]:
    found: dict[str, Any] = {"description": value.text} if value.text else {}
    if "$ref" not in value.schema and "type" not in value.schema:
        found["type"] = TYPES[value.kind]
    if "integer" in (value.schema.get("type") or found.get("type") or ""):
        found["maximum"] = MAX_INTEGER
    if value.children:
        found["properties"] = {child.path[-1]: _of(child) for child in value.children}
        found["additionalProperties"] = False
        if value.path[0] != DEFAULTS:  # of what components take over they state a part
            found["required"] = sorted(found["properties"])
    return found | value.schema


def tables(values: list[Value]) -> str:
    """Markdown: a table for each block, those without keys of their own in the first."""
    shared = next(value for value in values if value.path == (DEFAULTS,))
    names = {child.path[-1] for child in shared.children}
    lines = ["| value | default | |", "|---|---|---|"]
    lines += [_row(value) for value in values if not value.children]
    for value in values:
        if value.children:
            lines += ["", f"### `{value.path[0]}`", "", value.text, "", "| value | default | |", "|---|---|---|"]
            lines += [row for child in value.children for row in _rows(child, names if value.is_component else set())]
    return "\n".join(lines)


def _rows(value: Value, shared: set[str]) -> Iterator[str]:
    if value.path[-1] in shared and value.path[0] != DEFAULTS:
        yield _row(value, f"see `{DEFAULTS}.{value.path[-1]}`")
    elif value.children and any(child.text for child in value.children):
        for child in value.children:
            yield from _rows(child, set())
    else:
        yield _row(value)


def _row(value: Value, text: str = "") -> str:
    default = json.dumps(value.default, ensure_ascii=False)
    return f"| `{'.'.join(value.path)}` | `{default}` | {(text or value.text).replace('|', chr(92) + '|')} |"


def undocumented(values: list[Value], shared: frozenset[str] = frozenset()) -> list[str]:
    """Keys without a description, apart from those that `defaults` describes and the parts of a described map."""
    names = shared or frozenset(c.path[-1] for v in values if v.path == (DEFAULTS,) for c in v.children)
    missing = []
    for value in values:
        inherits = len(value.path) == 2 and value.path[0] != DEFAULTS and value.path[-1] in names
        if not value.text and not inherits:
            missing.append(".".join(value.path))
        if any(child.text for child in value.children) and not inherits:
            missing += undocumented(value.children, names)
    return missing


def generated(chart: Path = CHART) -> dict[Path, str]:
    """File -> what it must hold. Raises ValueError naming keys without a description."""
    values = read_values((chart / "values.yaml").read_text())
    if missing := undocumented(values):
        raise ValueError(f"values.yaml: no description above {', '.join(missing)}")
    readme = chart / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    return {
        chart / "values.schema.json": written(schema(values)),
        readme: f"{before}{BEGIN}\n{tables(values)}\n{END}{after}",
    }


def main(arguments: list[str]) -> int:
    """Exit status: 1 if --check found a difference."""
    stale = [path for path, text in generated().items() if not path.exists() or path.read_text() != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(CHART.parent)} is not what values.yaml says; run `make chart`", file=sys.stderr)
        return 1 if stale else 0
    for path, text in generated().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
