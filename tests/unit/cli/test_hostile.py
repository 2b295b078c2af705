"""Every command with arguments, files and surroundings that nobody meant: an answer, never a traceback."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from earwitness.cli.commands import COMMANDS, app
from earwitness.cli.terminal import Terminal
from earwitness.printable import clean

ARGUMENTS = {
    "up": ["--state", "{}"], "down": ["--state", "{}"], "status": ["--state", "{}"],
    "doctor": ["--quick", "--state", "{}"], "scale": ["{}", "1"], "logs": ["{}", "--state", "{}"], "submit": ["{}"],
    "watch": ["{}"], "cancel": ["{}"], "pause": ["{}"], "resume": ["{}"], "list": ["--state", "{}"],
    "open": ["--no-browser", "--state", "{}"], "explain": ["{}"], "trace": ["{}"], "compare": ["{}", "{}"],
    "reproduce": ["{}"],
    "validate": ["{}"], "plan": ["{}"], "listen": ["{}"], "score": ["{}", "{}"], "serve": ["{}"],
    "ask": ["{}", "how high?"],
    "bench": ["{}", "--benchmark", "mmau", "--data", "{}", "--out", "{}"],
    "data": ["probe", "--count", "1", "--out", "{}"], "model": ["check", "{}", "--no-compare"],
}  # fmt: skip
"""What each command is given; {} is the hostile word. All end before anything is started."""

WORDS = {
    "a name of 300 characters": "n" * 300,
    "a path of 5,000 characters": "d/" * 2500 + "f",
    "spaces that are none": "a\u00a0b\u2003c\u200bd.yaml",
    "markup and emoji": "[/clips/1] :dog: [bold",
    "escape sequences": "\x1b]0;title\x07\x1b[2J\x9b31m",
    "a byte that is no text": "\udcff.yaml",
    "a loop of links": "loop/file",
    "a link to itself": "self",
    "a file in the way": "file/below/it",
    "a folder": "folder",
    "a device": "/dev/null",
    "an unknown store": "nowhere://x",
    "nothing": "",
}


NO_FOLDERS = {
    "a name of 300 characters", "a path of 5,000 characters", "a loop of links", "a file in the way", "a device",
}  # fmt: skip
"""Words under which nobody can make a folder."""


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("EW_ADDRESS", "EW_TOKEN", "EW_STATE", "EW_TLS_CA", "EW_REDIS"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "loop").symlink_to("pool")
    (tmp_path / "pool").symlink_to("loop")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()


def test_every_command_is_tried() -> None:
    assert ARGUMENTS.keys() == COMMANDS.keys()


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_hostile_words_get_an_answer(command: str, word: str) -> None:
    if command in ("up", "data") and word not in NO_FOLDERS:
        pytest.skip("a folder that can be made: a mesh would start, clips would be written")
    done = CliRunner().invoke(app, [command, *(a.format(WORDS[word]) for a in ARGUMENTS[command])])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    assert "Traceback" not in done.output
    if command != "doctor":
        assert done.exit_code
    if word == "escape sequences":
        assert not [part for part in ("\x1b]0", "\x1b[2J", "\x9b") if part in done.output]


FILES = {
    "bom": b"\xef\xbb\xbfname: small\n",
    "utf-16": "name: small\n".encode("utf-16"),
    "no text": bytes(range(256)),
    "empty": b"",
    "a list": b"- 1\n",
    "a large number": b"name: small\nstages: [{type: sft, tune: {steps: 100000000000000000000000}}]\n",
    "a number that is none": b"name: small\nstages: [{type: sft, tune: {steps: .nan}}]\n",
    "nested": b"[" * 5000,
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("command", ["validate", "plan", "submit"])
def test_hostile_recipes_get_an_answer(command: str, kind: str) -> None:
    Path("recipe.yaml").write_bytes(FILES[kind])
    done = CliRunner().invoke(app, [command, "recipe.yaml"])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    assert done.exit_code == 1
    assert done.output.strip()


def printed(text: object, **options: object) -> Iterator[str]:
    with open("printed", "w", encoding="utf-8") as file:  # noqa: PTH123
        Terminal(file=file, width=300, **options).print(text)
    return iter(Path("printed").read_text(encoding="utf-8").splitlines())


def test_text_is_printed_as_it_is() -> None:
    for text in ("[/clips/1]", "[red]no", ":dog: at line :100:", "\\[x]"):
        assert list(printed(text)) == [text]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bcreset", "reset"),
        ("\x9b2Jgone", "gone"),
        ("a\rb\bc\x00d\x7fe", "abcde"),
        ("one\ttwo\nthree", "one\ttwo\nthree"),
        ("ab\u202edc", "abdc"),
        ("é🐶 \u00a0", "é🐶 \u00a0"),
    ],
)
def test_nothing_steers_the_terminal(text: str, left: str) -> None:
    assert clean(text) == left
    assert "\x1b" not in "".join(printed(text))


def test_json_holds_the_very_text(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "[/clips/1] :dog: \x1b[2J é🐶 \udcff"
    with open("printed", "w", encoding="ascii") as file:  # noqa: PTH123
        Terminal(file=file).print_object({"text": text})
    assert json.loads(Path("printed").read_text()) == {"text": text}
