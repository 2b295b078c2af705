import torch

from earwitness.families.dims import DecoderDims
from trainer.model.decoder import build_decoder


def test_layers_that_are_run_again_give_the_same_gradients_to_the_bit_and_keep_less() -> None:
    dims = DecoderDims(64, 128, 4, 4, 2, 256, 4096, 1e-5, 1e6)
    tokens = torch.randint(0, 256, (2, 40), generator=torch.Generator().manual_seed(1))
    gradients, kept = [], []
    for recompute in (False, True):
        torch.manual_seed(0)
        decoder = build_decoder(dims, value_head=False, dtype=torch.float32, recompute=recompute)
        for parameter in decoder.parameters():
            torch.nn.init.normal_(parameter, std=0.05)
        seen: dict[int, int] = {}

        def keep(tensor: torch.Tensor, seen: dict[int, int] = seen) -> torch.Tensor:
            seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            output = decoder(input_ids=tokens, position_ids=None, attention_mask=None)
        kept.append(sum(seen.values()))
        output.square().sum().backward()
        gradients.append([p.grad for p in decoder.parameters() if p.grad is not None])
    assert len(gradients[0]) == len(gradients[1]) > 20
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))
    assert kept[1] < kept[0] / 4
