"""One rank of `test_trainer_publication.py`: publishes a toy in each layout, and writes down what it published.

Arguments: model directory, output directory, Redis URLs with commas, then layouts `name:tensor:pipeline`. Versions of a
layout: 0; 1 with a little changed; 2, which one rank cannot write at first; 3 with everything changed; 4 again little;
5 while the parameters change on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import save_file

from earwitness.errors import InfrastructureError
from earwitness.log import Logger
from earwitness.weights import WeightPart, WeightPublisher
from tests.integration.process_kit import wait_for, wait_for_redis
from trainer.model.build import build_policy
from trainer.model.huggingface import export_tensors
from trainer.model.policy import PolicyModel
from trainer.publish import publication as module_under_test
from trainer.publish.publication import Publication
from trainer.ranks.parallel import initialize, is_rank_zero


class StumblingPart(WeightPart):
    """Fails once, after its chunks were sent."""

    stumbles = False

    def delta(self, version, tensors):
        table = super().delta(version, tensors)
        if self.stumbles:
            self.stumbles = False
            raise InfrastructureError("shard 0", 5.0, "gone")
        return table


def change(module: PolicyModel, share: float, seed: int) -> None:
    """Moves so many elements of every parameter, alike on ranks that hold the same shard."""
    with torch.no_grad():
        for number, parameter in enumerate(module.parameters()):
            generator = torch.Generator().manual_seed(1000 * seed + number)
            parameter.add_((torch.rand(parameter.shape, generator=generator) < share).to(parameter.dtype))


def main() -> None:
    torch.set_num_threads(1)
    model_dir, out, urls = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(",")
    module_under_test.RETRY_SECONDS = 0.1
    wait_for_redis()  # a silent one would be another version that is not published
    for layout in sys.argv[4:]:
        name, tensor, pipeline = layout.split(":")
        initialize(int(tensor), int(pipeline))
        module = build_policy(model_dir, dtype=torch.bfloat16)
        part = StumblingPart(urls, f"{name}/0", dist.get_rank())
        publisher = WeightPublisher(urls, f"{name}/0") if is_rank_zero() else None
        publication = Publication(part, publisher, Logger("publication-test"))
        for version, share in enumerate([0.0, 0.01, 0.01, 0.9, 0.01, 0.01]):
            change(module, share, version)
            part.stumbles = version == 2 and dist.get_rank() == dist.get_world_size() - 1
            weights = {n: t.clone().contiguous() for n, t in export_tensors(module)}
            publication.publish(version, module)
            if version == 5:
                change(module, 1.0, 99)
            publication.finish()
            publication.publish(version, module)  # it is there: nothing happens
            assert publication._running is None
            if is_rank_zero():
                assert publication.figures["publish.whole"] == float(version in (0, 3)), publication.figures
                save_file(weights, out / f"{name}-{version}.safetensors")
                if version in (0, 5):
                    wait_for("the reader", (out / f"{name}-{version}.seen").exists)
        publication.close()
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
