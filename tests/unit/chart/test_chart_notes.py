"""What Helm prints after an install: commands that are right, and which rights it took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
from typer.testing import CliRunner

from earwitness.cli.commands import app

ADMIN = ", and to install that took the role admin"


def notes(chart_path: Path, values: dict[str, Any], release: str = "ew") -> str:
    with helm.Chart.load(chart_path) as chart:
        return chart.render(values, name=release, namespace="mesh")["earwitness/templates/NOTES.txt"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, ""),
        ({"rollout": {"initialReplicas": 8}}, f"set the first 8 rollout workers{ADMIN}"),
        ({"jobs": {"events": True}}, f"lets the jobs service tell events{ADMIN}"),
        (
            {"jobs": {"events": True}, "rollout": {"initialReplicas": 2}},
            f"set the first 2 rollout workers and tell events{ADMIN}",
        ),
    ],
)
def test_what_took_more_than_the_role_edit_is_named(chart_path: Path, values: dict[str, Any], said: str) -> None:
    text = notes(chart_path, values)
    assert said in text
    assert "To install it took the role edit in mesh." in text
    assert ("admin" in text) == bool(said)


def test_commands_name_the_release_and_exist(chart_path: Path) -> None:
    text = notes(chart_path, {"fullnameOverride": "other"}, "monday")
    commands = [line.split()[1] for line in text.splitlines() if line.strip().startswith("earwitness ")]
    assert commands == ["submit", "status"]
    assert all(CliRunner().invoke(app, [command, "--help"]).exit_code == 0 for command in commands)
    assert text.count("--release monday") == 3
    assert "deployment/other-jobs statefulset/other-trainer deployment/other-rollout" in text
