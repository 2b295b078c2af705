"""What doctor tries in a process of its own: a planted fault is one line that says what is wrong and what mends it."""

import json
import os
from pathlib import Path

import pytest

from earwitness.doctor import look, machine, programs
from tests.unit.reward.onnx_toy import network, tuned


def test_a_library_that_does_not_load_is_named_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "soundfile.py").write_text("raise OSError(\"cannot load library 'libsndfile.so'\")\n")
    (tmp_path / "soxr.py").write_text("import os\nos.abort()\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    wanted = [check for check in programs.programs() if check.args[0] in ("soundfile", "soxr", "safetensors")]
    broken, crashed, well = look(wanted)
    assert not broken.ok and "cannot load library 'libsndfile.so'" in broken.found and "make install" in broken.mend
    assert not crashed.ok and "SIGABRT" in crashed.found
    assert well.ok


def test_a_vllm_whose_kernels_do_not_load_is_no_vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """vLLM itself warns and goes on until an engine is started."""
    (tmp_path / machine.NUMA).write_text("no library")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    (check,) = [check for check in programs.programs() if check.args[0] == "vLLM"]
    finding = check()
    assert not finding.ok and "kernels do not load" in finding.found


def test_a_program_that_does_not_end_is_ended() -> None:
    finding = programs.run("slow", "import time; time.sleep(600)", seconds=0.5)
    assert not finding.ok and "no end within" in finding.found


def test_sound_files_and_redis_are_really_tried() -> None:
    for check in programs.programs():
        if check.args[0] in ("sound files", "Redis"):
            assert check().ok


def test_a_redis_that_does_not_start_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.environ["PATH"]]))
    (check,) = [check for check in programs.programs() if check.args[0] == "Redis"]
    assert not check().ok


def test_models_that_are_named_are_loaded_and_their_labels_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.delenv("EW_TRANSCRIBER", raising=False)
    monkeypatch.delenv("EW_TAGGER", raising=False)
    assert programs.recognisers() == []
    model = network(tmp_path / "toy.onnx", tuned(300.0, 900.0, rate=16_000))
    monkeypatch.setenv("EW_TAGGER", str(model))
    (check,) = programs.recognisers()
    assert "there are no labels beside it" in check().found and "docs/reward.md" in check().mend
    model.with_suffix(".json").write_text(json.dumps({"sample_rate": 16_000, "labels": ["Dog", "Siren"]}))
    assert check().ok and "dog" in check().found and "siren" in check().found
