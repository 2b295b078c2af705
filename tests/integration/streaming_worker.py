"""One rank of `test_checkpoint_streaming.py`: loads a model, listens to it, and writes it again, in each layout.

Arguments: model directory, output directory, then layouts `name:tensor:pipeline`. Writes down what the rank saw, memory
among it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from megatron.core import parallel_state

from trainer.model import build, huggingface, weight_files
from trainer.model.audio import AudioBatch
from trainer.model.logprobs import response_logprobs
from trainer.model.optimizer import forward
from trainer.model.policy import PolicyModel
from trainer.ranks.parallel import initialize, is_last_stage

BLOCK_BYTES = 1 << 20
"""In the place of 64 MiB: small against this model."""
SEQ, FRAMES = 32, 81


class Rows:
    """A micro-batch: one row with a clip."""

    def __init__(self, module: PolicyModel) -> None:
        family, vocab = module.architecture.family, module.architecture.decoder.vocab_size
        generator = torch.Generator().manual_seed(9)
        self.tokens = torch.randint(20, vocab, (1, SEQ), generator=generator)
        self.tokens[0, 2 : 2 + family.audio_tokens(FRAMES)] = module.audio_patch_id
        self.tokens[0, -1] = vocab - 1  # the last token before the padding
        self.audio = AudioBatch(
            torch.randn(1, module.architecture.audio.n_mels, FRAMES, generator=generator), torch.tensor([FRAMES])
        )
        self.audio_index = torch.tensor([0])
        self.segments = None


def peak(reset: bool = False) -> int:
    """Most bytes of memory resident since the last reset, or those of now after a reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


def layout(model_dir: Path, out: Path) -> dict[str, object]:
    """What this rank sees in the layout that is set."""
    grown: dict[str, int] = {}

    def watched(module: PolicyModel, folder: Path) -> None:
        before = peak(reset=True)
        huggingface_load(module, folder)
        grown["load"] = peak() - before

    huggingface_load, build.load_weights = build.load_weights, watched
    try:
        module = build.build_policy(model_dir, dtype=torch.bfloat16)
    finally:
        build.load_weights = huggingface_load
    found = forward(module, [Rows(module)], lambda states, batch: {"logprobs": response_logprobs(states, batch.tokens)})
    before = peak(reset=True)
    huggingface.save_pretrained(module, model_dir, out)
    grown["save"] = peak() - before
    rows_of_embedding = 0
    if parallel_state.is_pipeline_first_stage():
        rows_of_embedding = len(module.language_model.embedding.word_embeddings.weight)
    return {
        "grown": grown,
        "share": sum(parameter.nbytes for parameter in module.parameters()),
        "rows": rows_of_embedding,
        "logprobs": found[0]["logprobs"].tolist() if is_last_stage() else None,
    }


def main() -> None:
    """Runs the rank."""
    torch.set_num_threads(1)
    model_dir, out = Path(sys.argv[1]), Path(sys.argv[2])
    weight_files.BLOCK_BYTES = BLOCK_BYTES
    for name, tensor, pipeline in (argument.split(":") for argument in sys.argv[3:]):
        initialize(int(tensor), int(pipeline))
        seen = layout(model_dir, out / name)
        (out / f"{name}-{dist.get_rank()}.json").write_text(json.dumps(seen))
        dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
