"""`earwitness model check`: what a checkpoint is, what is wrong with it, and whether transformers computes the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from earwitness.cli.commands import app
from earwitness.families.audioflamingo3 import AUDIOFLAMINGO3
from earwitness.families.qwen2_5_omni import QWEN2_5_OMNI
from earwitness.families.qwen3_asr import QWEN3_ASR
from tests.integration.family_toys import HIDDEN, LONGEST, TOKENS, make_toy_of
from trainer.model.weight_files import Directory

ROOT = Path(__file__).parents[2]
TEXTS = ["<think>\nThe first tone is near 440 Hz.\n</think>\nthe first"] * 20


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_toy_of(QWEN2_5_OMNI, tmp_path_factory.mktemp("check") / "omni", TEXTS)


def checked(folder: Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["model", "check", str(folder), "--no-compare", "--json"])
    return done.exit_code, done.output


def compared(folder: Path) -> dict[str, Any]:
    """In a process of its own: transformers must come before torch.distributed."""
    command = [sys.executable, "-m", "earwitness", "model", "check", str(folder), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_what_a_checkpoint_is_and_that_transformers_agrees(model: Path) -> None:
    told = compared(model)
    stored = load_file(model / "model.safetensors")
    trained = {name: w for name, w in stored.items() if not QWEN2_5_OMNI.names.passes(name)}
    assert told["architecture"] == "Qwen2_5OmniForConditionalGeneration"
    assert told["types"] == {"F32": sum(w.numel() for w in trained.values())} == {"F32": told["parameters"]}
    assert told["untouched"] == {"parameters": 4 * 2 * HIDDEN, "bytes": 4 * 4 * 2 * HIDDEN}
    assert told["longest_sequence"] == LONGEST
    assert told["tokenizer"]["special"] == {t: TOKENS.index(t) for t in ("<|im_start|>", "<|im_end|>", "<|AUDIO|>")}
    assert told["audio_tokens"] == {"1": 25, "10": 250, "30": 750}
    assert 0 < told["largest_difference"] < 1e-4


TEMPLATE = (
    "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}<|im_start|>system\nSYSTEM<|im_end|>\n"
    "{% endif %}<|im_start|>{{ m['role'] }}\n{% for c in m['content'] %}{% if c['type'] == 'audio' %}"
    "<|audio_bos|><|AUDIO|><|audio_eos|>{% else %}{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""In the manner of the published one."""


@pytest.mark.parametrize(
    ("template", "told"),
    [
        (None, {"found": False}),
        (TEMPLATE.replace("SYSTEM", "You are a helpful assistant."), {"found": True, "same": True}),
        (TEMPLATE.replace("SYSTEM", "You are Qwen."), "system\nYou are Qwen."),
        ("{{ messages[0].content + 'x' }}", "cannot be rendered: "),
        ("{{ raise_exception('no clips') }}", "cannot be rendered: no clips"),
        ("{{ ''.__class__.__mro__ }}", "cannot be rendered: "),
    ],
)
def test_turns_are_compared_with_the_checkpoints_template(
    model: Path, tmp_path: Path, template: str | None, told: str | dict[str, bool]
) -> None:
    shutil.copytree(model, tmp_path / "one")
    if template is not None:
        (tmp_path / "one/chat_template.json").write_text(json.dumps({"chat_template": template}))
    status, output = checked(tmp_path / "one")
    found = json.loads(output)["chat_template"]
    assert status == 0
    if isinstance(told, dict):
        assert found == told
    else:
        assert not found["same"] and told in found["theirs"] and "You are a helpful assistant." in found["ours"]


def test_what_a_decoder_is(model: Path, tmp_path: Path) -> None:
    status, output = checked(model)
    told = json.loads(output)
    assert (told["tied_embeddings"], told["normed_queries"], told["yarn_factor"]) == (True, False, None)
    flamingo = make_toy_of(AUDIOFLAMINGO3, tmp_path / "toy", TEXTS)
    shown = CliRunner().invoke(app, ["model", "check", str(flamingo), "--no-compare"])
    assert status == shown.exit_code == 0
    assert "Qwen2; YaRN, factor 16" in shown.output and "none to compare turns with" in shown.output


def test_qwen3_asr_as_transformers_has_it_and_not_as_its_first_package(tmp_path: Path) -> None:
    asr = make_toy_of(QWEN3_ASR, tmp_path / "asr", TEXTS)
    told = compared(asr)
    assert (told["tied_embeddings"], told["normed_queries"]) == (True, True)
    assert told["audio_tokens"] == {"1": 13, "10": 130, "30": 390}
    assert 0 < told["largest_difference"] < 1e-4
    config = json.loads((asr / "config.json").read_text())
    thinker = {name: config.pop(name) for name in ("audio_config", "text_config", "audio_token_id")}
    (asr / "config.json").write_text(json.dumps(config | {"thinker_config": thinker}))
    status, output = checked(asr)
    assert status == 1 and "thinker_config" in output and "Qwen3-ASR-0.6B-hf" in output


def test_the_shipped_listener_has_nothing_to_be_compared_with() -> None:
    done = CliRunner().invoke(app, ["model", "check", str(ROOT / "models" / "listener"), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["types"] == {"BF16": 1_549_440}
    assert told["not_compared"] == "transformers has no StepAudio2ForCausalLM"
    assert told["gigabytes"]["h100"]["1"]["fits"]


def test_weights_that_do_not_fit_are_named(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "bad")
    weights = load_file(tmp_path / "bad" / "model.safetensors")
    del weights["thinker.audio_tower.proj.bias"]
    weights["thinker.model.norm.bias"] = weights["thinker.model.norm.weight"].clone()
    save_file(weights, tmp_path / "bad" / "model.safetensors")
    status, output = checked(tmp_path / "bad")
    assert status == 1
    assert "missing: thinker.audio_tower.proj.bias; unexpected: thinker.model.norm.bias" in output


@pytest.mark.parametrize("depth", [150, 985, 100_000])
def test_files_that_nest_or_name_what_cannot_be_are_damaged(tmp_path: Path, depth: int) -> None:
    nested = "[" * depth + "]" * depth
    header = f'{{"a": {nested}}}'.encode()
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    (damaged,) = Directory.read(tmp_path).damaged
    assert damaged.startswith("model.safetensors (its header cannot be read")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(f'{{"weight_map": {nested}}}')
    (damaged,) = Directory.read(tmp_path).damaged
    assert "index.json (cannot be read" in damaged
    index.write_text(json.dumps({"weight_map": {"a": "x" * depth, "b": "."}}))
    assert len(Directory.read(tmp_path).damaged) == 2 and max(map(len, Directory.read(tmp_path).damaged)) < 800


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("<|AUDIO|>", "<|SOUND|>"), "<|AUDIO|> is no token"),
        (lambda text: text.replace('"special": true', '"special": false'), None),
        (lambda text: text[: len(text) // 2], "cannot be read"),
    ],
)  # fmt: skip
def test_a_tokenizer_of_another_family_is_refused(model: Path, tmp_path: Path, change, said: str | None) -> None:
    shutil.copytree(model, tmp_path / "bad")
    file = tmp_path / "bad" / "tokenizer.json"
    file.write_text(change(file.read_text()))
    status, output = checked(tmp_path / "bad")
    assert status == (1 if said else 0), output
    assert said is None or said in output


def test_a_tokenizer_that_cannot_end_a_think_block_is_refused(tmp_path: Path) -> None:
    status, output = checked(make_toy_of(QWEN2_5_OMNI, tmp_path / "toy", ["two beeps"] * 20))
    assert status == 1 and "cannot write </think>" in output


def test_more_tokens_than_rows_are_refused(model: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    shutil.copytree(model, tmp_path / "bad")
    file = tmp_path / "bad" / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.add_tokens([f"word{number}" for number in range(200)])
    tokenizer.save(str(file))
    status, output = checked(tmp_path / "bad")
    assert status == 1 and "rows of the embedding" in output


def test_without_the_trainers_packages_it_says_what_to_install(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trainer.model.checkup", None)
    status, output = checked(model)
    assert status == 1 and "pip install 'earwitness[cpu]'" in output
