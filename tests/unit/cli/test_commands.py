"""The commands as a person types them: help, and errors of one line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from earwitness.cli import commands
from earwitness.cli.commands import app

RUN = CliRunner()
COMMANDS = [
    ["up"], ["down"], ["status"], ["scale"], ["logs"], ["submit"], ["watch"], ["list"], ["cancel"], ["pause"],
    ["resume"], ["validate"], ["listen"], ["score"], ["data", "probe"],
]  # fmt: skip
RECIPE = """\
name: small
output: runs/small
model: {toy: {}}
data: {cold_start: cold.jsonl}
stages:
  - type: sft
    tune: {steps: 1, optimizer: {learning_rate: 0.001}}
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("EW_ADDRESS", "EW_TOKEN", "EW_STATE", "EW_TLS_CA"):
        monkeypatch.delenv(variable, raising=False)


def numbers(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """What is known of every option and argument that takes a number."""
    for parameter in command.params:
        if parameter.type_descriptor.annotation in (int, float):
            yield f"{name} {parameter.name}", parameter.type_descriptor.parameter_info
    for inner, below in getattr(command, "commands", {}).items():
        yield from numbers(below, f"{name} {inner}")


def test_every_number_has_a_highest_and_a_lowest_value() -> None:
    """But for the count of `scale`, whose bounds depend on where the mesh is."""
    found = dict(pair for name in commands.COMMANDS for pair in numbers(commands.load(name), name))
    assert len(found) >= 12
    unbounded = [name for name, told in found.items() if told.min is None or told.max is None]
    assert unbounded == ["scale count"]


@pytest.mark.parametrize("count", ["-1", "257", "9" * 30])
def test_no_mesh_is_scaled_beyond_its_bounds(count: str) -> None:
    result = RUN.invoke(app, ["scale", "rollout", "--", count])
    assert result.exit_code == 1
    assert "expected 0 to 256" in result.output


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(command: list[str]) -> None:
    result = RUN.invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Example" in result.output
    assert f"earwitness {' '.join(command)}" in result.output


@pytest.mark.parametrize(
    "command",
    [["status"], ["down"], ["list"], ["watch", "j"], ["cancel", "j"], ["scale", "rollout", "2"]],
    ids=" ".join,
)
def test_without_a_mesh_a_command_says_so_in_one_line(command: list[str]) -> None:
    result = RUN.invoke(app, command)
    assert result.exit_code == 1
    assert result.output.startswith("error: no mesh in .earwitness")
    assert len(result.output.splitlines()) == 1


def test_a_server_that_is_not_there_is_one_line_within_five_seconds(waits: list[float]) -> None:
    result = RUN.invoke(app, ["list", "--address", "127.0.0.1:1"])
    assert waits and sum(waits) < 5.0
    assert result.exit_code == 1
    assert "127.0.0.1:1" in result.output
    assert len(result.output.splitlines()) == 1


def test_validate_accepts_a_good_recipe() -> None:
    Path("good.yaml").write_text(RECIPE)
    result = RUN.invoke(app, ["validate", "good.yaml"])
    assert result.exit_code == 0
    assert "valid" in result.output


def test_validate_names_every_mistake() -> None:
    Path("bad.yaml").write_text(RECIPE.replace("steps: 1", "steps: many").replace("output:", "outptu:"))
    result = RUN.invoke(app, ["validate", "bad.yaml"])
    assert result.exit_code == 1
    assert "outptu" in result.output
    assert "stages[0].tune.steps" in result.output
    assert "Traceback" not in result.output


def test_validate_of_a_file_that_is_not_there() -> None:
    result = RUN.invoke(app, ["validate", "none.yaml"])
    assert result.exit_code == 1
    assert "none.yaml" in result.output


def test_only_workers_scale() -> None:
    result = RUN.invoke(app, ["scale", "trainer", "2"])
    assert result.exit_code == 1
    assert "rollout or reward" in result.output


def test_logs_of_nothing_name_what_there_is() -> None:
    Path(".earwitness/logs").mkdir(parents=True)
    Path(".earwitness/logs/jobs.log").write_text("one\ntwo\nthree\n")
    assert RUN.invoke(app, ["logs", "jobs", "--lines", "2"]).output == "two\nthree\n"
    result = RUN.invoke(app, ["logs", "trainer"])
    assert result.exit_code == 1
    assert "jobs" in result.output


def test_data_probe_refuses_to_mix_with_what_is_there() -> None:
    Path("clips").mkdir()
    Path("clips/train.jsonl").write_text("")
    result = RUN.invoke(app, ["data", "probe", "--out", "clips", "--count", "8"])
    assert result.exit_code == 1
    assert "--out" in result.output
