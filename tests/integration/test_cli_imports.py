"""A command imports what it needs and nothing else: what waits for a package that is not used is not quick."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from earwitness.cli.commands import COMMANDS, app, load

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes/quickstart.yaml"

SLOW = {"numpy", "soundfile", "redis", "fsspec", "kubernetes", "grpc", "matplotlib", "scipy", "earwitness.recipe"}


def imported(*arguments: str) -> set[str]:
    program = (
        "import atexit, sys\n"
        f"sys.argv = ['earwitness', *{arguments!r}]\n"
        "atexit.register(lambda: print(*sys.modules, file=open('modules', 'w')))\n"
        "from earwitness.cli.main import app\n"
        "app()\n"
    )
    subprocess.run([sys.executable, "-c", program], capture_output=True)
    return set(Path("modules").read_text().split())


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        (["--help"], set()),
        (["validate", str(RECIPE)], {"earwitness.recipe"}),
        (["list"], {"grpc"}),
        (["status"], {"grpc"}),
        (["down"], set()),
        (["listen", "--help"], set()),
    ],
    ids=str,
)
def test_a_command_imports_only_what_it_needs(
    command: list[str], needed: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = imported(*command)
    assert "earwitness.cli.commands" in loaded
    assert needed <= loaded
    assert not (SLOW - needed) & loaded


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_what_the_command_says_of_itself(name: str) -> None:
    command = load(name)
    assert command.name == name
    assert (command.help or "").strip().splitlines()[0] == COMMANDS[name][1]


def test_help_names_every_command() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    assert [word for word in COMMANDS if word not in shown] == []


def test_listen_speaks_before_it_loads_what_measures(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.wav", np.full(16_000, 0.5), 16_000)
    program = (
        "import sys\n"
        "class First:\n"
        "    def write(self, text):\n"
        "        sys.__stdout__.write(f'{\"scipy\" in sys.modules} {text}')\n"
        "        raise KeyboardInterrupt\n"
        "    def flush(self): pass\n"
        "from rich.console import Console\n"
        "from reward.listen import main\n"
        f"main([{str(tmp_path / 'clip.wav')!r}], console=Console(file=First(), width=200))\n"
    )
    spoken = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
    assert spoken.startswith("False ") and "1.00 s, peak -6.0 dBFS" in spoken
