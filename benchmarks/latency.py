"""Where the first second of a spoken answer goes, on paper: a published model on so many GPUs, part by part.

    python benchmarks/latency.py [--model step-audio-r1] [--gpus 4] [--gpu h100] [--seconds 10] [--json]

From the last sample of a question to the first of its answer. Computing is counted by the rates of `earwitness plan`
(operations at its share of the peak); a step of few tokens takes as long as its weights, keys and values take to be
read. What is no such rate is an assumption, and named as one here. A pause that tells the end of a turn is not in it:
`server_vad` waits 500 ms, a client that commits does not.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # else files beside this one would hide our packages

from earwitness.families.architecture import PUBLISHED, Architecture, read_architecture  # noqa: E402
from earwitness.plan.gpus import GPUS, USABLE, Gpu  # noqa: E402
from earwitness.plan.speed import UTILISATION  # noqa: E402

BYTES = 2
"""Of a weight, key or value: bf16."""
BANDWIDTH = {"a100": 2.039e12, "h100": 3.35e12, "h200": 4.8e12}
"""Bytes a second of a GPU's memory, by NVIDIA's data sheets (SXM)."""
READ = 0.7
"""Share of it that a step reaches: an assumption."""
REDUCE = 10e-6
"""Seconds to add up a few kB over NVLink, twice a layer: an assumption."""
FRAMES, POSITIONS = 100, 50
"""Mel frames, and positions of a Whisper encoder, of a second of sound."""
MEL = 0.005
"""Seconds for the log-mel of a second of sound on a core, measured on a busy one."""
NETWORK = 0.025
"""Seconds one way: an assumption, a client in the same region."""
CONTEXT = 2_000
"""Tokens that a session has behind it."""
THOUGHTS = 80
"""Of a segment of mind-paced speaking (arXiv 2510.09592): what think-first waits for."""
BEHIND = 16
"""Thoughts behind the end where the others have been drawn between segments."""
CLAUSE = 8
"""Tokens of the first clause, which is spoken alone."""
VOICE = 0.05
"""Seconds for its sound: 7 to 50 ms on a core (docs/serving.md)."""
CODEC = 25 + 25 // 4
"""Tokens of the first second in the paper's own speech, 25 codec tokens, one of text for four of them."""
DECODER = 0.1
"""Seconds that its flow matching and vocoder take for them: an assumption."""
SESSIONS = (1, 16, 64)


@dataclass(frozen=True)
class Machine:
    """A model in bf16 on GPUs that share each layer; its encoder stands on each."""

    model: Architecture
    gpu: Gpu
    gpus: int
    bandwidth: float

    @property
    def heard(self) -> int:
        """Weights of the encoder, and of what brings it to the decoder's width."""
        shapes = self.model.family.listener_shapes(self.model.audio, self.model.decoder.hidden_size)
        return sum(math.prod(shape) for shape in shapes.values())

    @property
    def written(self) -> int:
        """Weights of the decoder that a step reads: all but the embedding."""
        dims = self.model.decoder
        return self.model.parameters - self.heard - dims.vocab_size * dims.hidden_size

    @property
    def kv_bytes(self) -> int:
        """Of a token's keys and values."""
        dims = self.model.decoder
        return 2 * dims.layers * dims.keys * BYTES

    @property
    def room(self) -> int:
        """Tokens whose keys and values fit beside the weights."""
        free = self.gpus * (USABLE * self.gpu.memory - BYTES * self.heard) - BYTES * (
            self.model.parameters - self.heard
        )
        return int(free / self.kv_bytes)

    def step(self, tokens: int, sessions: int) -> float:
        """Seconds of a forward pass with so many tokens of one session, and one each of the others."""
        operations = 2.0 * self.written * (tokens + sessions - 1) / (self.gpus * self.gpu.flops * UTILISATION)
        read = BYTES * self.written + self.kv_bytes * CONTEXT * sessions
        reduce = 2 * self.model.decoder.layers * REDUCE if self.gpus > 1 else 0.0
        return max(operations, read / (self.gpus * self.bandwidth * READ)) + reduce

    def encode(self, seconds: float) -> float:
        """Seconds for the encoder to hear so much sound, on one of the GPUs."""
        operations = 2.0 * self.heard * POSITIONS * seconds / (self.gpu.flops * UTILISATION)
        return max(operations, BYTES * self.heard / (self.bandwidth * READ))


def budget(machine: Machine, heard: float, thoughts: int, sessions: int, *, codec: bool = False) -> dict[str, float]:
    """Seconds by part, of `heard` seconds of sound that are left to compute behind the last sample."""
    family, step = machine.model.family, machine.step(1, sessions)
    rest = family.audio_tokens(int(heard * FRAMES)) + 12  # the marks of a segment, and what closes the turn
    return {
        "network, to the server": NETWORK,
        "mel and encoder": MEL * heard + machine.encode(heard),
        "prefill of what is left": machine.step(rest, sessions),
        "thoughts": thoughts * step,
        "first words, or codec tokens": (CODEC if codec else CLAUSE) * step,
        "voice": DECODER if codec else VOICE,
        "network, to the ear": NETWORK,
    }


def ways(machine: Machine, seconds: float, sessions: int) -> dict[str, dict[str, float]]:
    """Budgets by way; a segment lasts a second."""
    return {
        f"whole clip, {THOUGHTS} thoughts": budget(machine, seconds, THOUGHTS, sessions),
        f"in segments, {THOUGHTS} thoughts": budget(machine, 1.0, THOUGHTS, sessions),
        "the same, codec tokens": budget(machine, 1.0, THOUGHTS, sessions, codec=True),
        f"thinks between, {BEHIND} behind": budget(machine, 1.0, BEHIND, sessions),
        "speaks first": budget(machine, 1.0, 0, sessions),
    }


def show(machine: Machine, seconds: float) -> None:
    """Tables in Markdown."""
    alone = ways(machine, seconds, 1)
    print(f"| ms, one session | {' | '.join(alone)} |\n|---|{'---|' * len(alone)}")
    for part in next(iter(alone.values())):
        print(f"| {part} | {' | '.join(f'{1_000 * of[part]:.0f}' for of in alone.values())} |")
    for sessions in SESSIONS:
        totals = " | ".join(f"**{1_000 * sum(of.values()):.0f}**" for of in ways(machine, seconds, sessions).values())
        print(f"| **together, {sessions} session{'s' * (sessions > 1)}** | {totals} |")
    print(f"\nA step of one token takes {1_000 * machine.step(1, 1):.1f} ms; beside the weights there is room for "
          f"{machine.room:,} tokens, {machine.room // CONTEXT} sessions of {CONTEXT:,}.")  # fmt: skip


def main() -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = sorted(file.stem for file in PUBLISHED.glob("*.json"))
    parser.add_argument("--model", choices=names, default="step-audio-r1", help="published model")
    parser.add_argument("--gpus", type=int, default=4, help="GPUs that share each layer")
    parser.add_argument("--gpu", choices=sorted(BANDWIDTH), default="h100", help="which")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the question")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    model = read_architecture(PUBLISHED / f"{chosen.model}.json")
    machine = Machine(model, GPUS[chosen.gpu], chosen.gpus, BANDWIDTH[chosen.gpu])
    if machine.room < CONTEXT:
        parser.error(
            f"{chosen.model} does not fit on {chosen.gpus} {machine.gpu.name} with a session of {CONTEXT:,} tokens"
        )
    if chosen.json:
        print(json.dumps({str(sessions): ways(machine, chosen.seconds, sessions) for sessions in SESSIONS}))
    else:
        show(machine, chosen.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
