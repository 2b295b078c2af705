"""YAML as plain data: scalars, lists and mappings, with limits, and nothing that runs.

Scalars follow YAML 1.2's core schema: PyYAML's own reads `1e-4` as text, `on` as true and `1:30` as 90.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from typing import Any, Protocol

import yaml

from earwitness.errors import Problem, shown

MAX_BYTES = 1024 * 1024
"""Largest recipe. A long one is some ten kilobytes."""
MAX_NODES = 20_000
"""Most values once aliases are expanded: an alias may not turn a small file into a huge one."""
MAX_DEPTH = 32
"""Deepest nesting. A recipe needs five levels."""

Data = dict[str, Any] | list[Any] | str | int | float | bool | None


class YamlError(Exception):
    """Why the text is not YAML that is accepted."""

    def __init__(self, path: str, what: str, expected: str) -> None:
        self.problem = Problem(path, what, expected)
        super().__init__(str(self.problem))


def read_yaml(text: bytes | str) -> Data:
    """The document as data. Raises YamlError."""
    _, root = compose(text)
    return _Builder().build(root, depth=1)


def compose(text: bytes | str) -> tuple[str, yaml.Node]:
    """The text and its node tree, whose marks index into it. Raises YamlError."""
    decoded = _decode(text)
    try:
        _check_size(decoded)
        root = yaml.compose(decoded, Loader=_CoreLoader)
    except yaml.MarkedYAMLError as error:
        what = ", ".join(part for part in (error.context, error.problem) if part)
        raise YamlError(_place(error.problem_mark), what or "cannot be parsed", "YAML") from error
    except yaml.YAMLError as error:
        raise YamlError("recipe", f"not YAML ({' '.join(str(error).split())})", "YAML") from error
    if root is None:
        raise YamlError("recipe", "the recipe is empty", "keys and values")
    return decoded, root


class _CoreLoader(yaml.SafeLoader):
    """Composes with the core schema's implicit tags."""


_CoreLoader.yaml_implicit_resolvers = {}


_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_NULL = re.compile(r"~|null|Null|NULL|")

for _tag, _pattern, _first in (
    ("null", _NULL, ["~", "n", "N", ""]),
    ("bool", _BOOL, list("tTfF")),
    ("int", _INT, list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
):
    _CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern.pattern})$"), _first)


def _decode(text: bytes | str) -> str:
    if len(text) > MAX_BYTES:
        raise YamlError("recipe", f"larger than {MAX_BYTES // 1024} KiB", f"at most {MAX_BYTES // 1024} KiB")
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise YamlError("recipe", f"not UTF-8 (byte {error.start})", "text in UTF-8") from error


def _check_size(text: str) -> None:
    """Walks the parser's events, which need no recursion, before anything recursive sees the text."""
    depth = nodes = 0
    for event in yaml.parse(text, Loader=_CoreLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        nodes += isinstance(event, yaml.NodeEvent)
        if depth > MAX_DEPTH:
            raise YamlError(_place(event.start_mark), "nested too deeply", f"at most {MAX_DEPTH} levels")
        if nodes > MAX_NODES:
            raise YamlError(_place(event.start_mark), "too many values", f"at most {MAX_NODES}")


class _Builder:
    """Turns nodes into data, counting every visit: an alias costs what it expands to."""

    def __init__(self) -> None:
        self.nodes = 0

    def build(self, node: yaml.Node, depth: int) -> Data:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise YamlError(
                _place(node.start_mark), "too many values once aliases are expanded", f"at most {MAX_NODES}"
            )
        if depth > MAX_DEPTH:
            raise YamlError(_place(node.start_mark), "nested too deeply (or in itself)", f"at most {MAX_DEPTH} levels")
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.build(child, depth + 1) for child in node.value]
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        raise YamlError(_place(node.start_mark), f"the tag {shown(node.tag)}", "plain values without tags")

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key: Hashable = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                raise YamlError(_place(key_node.start_mark), "a key that is not text", "text")
            if key in mapping:
                raise YamlError(_place(key_node.start_mark), f"the key {shown(key)} twice", "each key once")
            mapping[key] = self.build(value_node, depth + 1)
        return mapping


def _scalar(node: yaml.ScalarNode) -> str | int | float | bool | None:
    text: str = node.value
    match node.tag.removeprefix("tag:yaml.org,2002:"):
        case "str":
            return text
        case "null" if _NULL.fullmatch(text):
            return None
        case "bool" if _BOOL.fullmatch(text):
            return text.lower() == "true"
        case "int" if _INT.fullmatch(text) and len(text) <= _MAX_DIGITS:
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        case "float" if _FLOAT.fullmatch(text):
            return _float(text)
    raise YamlError(_place(node.start_mark), f"{shown(text)} as {shown(node.tag)}", "a plain value without tags")


_MAX_DIGITS = 64
"""Longest integer: Python refuses to parse thousands of digits, and no quantity here has more than twenty."""


def _float(text: str) -> float:
    body = text.lower()
    if body.endswith(".inf"):
        return -math.inf if body.startswith("-") else math.inf
    return math.nan if body == ".nan" else float(text)


class _Mark(Protocol):
    """A place in the text, both counted from 0."""

    line: int
    column: int


def _place(mark: _Mark | None) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else "recipe"
