"""What a listener is made of is what its family says: names, shapes, and what learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from earwitness.families.architecture import PUBLISHED, read_architecture
from earwitness.families.registry import FAMILIES
from listener.build import BUILDERS, build_listener


def test_every_family_has_a_listener() -> None:
    assert set(BUILDERS) == set(FAMILIES)


@pytest.mark.parametrize("config", sorted(PUBLISHED.glob("*.json")), ids=lambda config: config.stem)
def test_parameters_are_called_as_the_family_says(config: Path) -> None:
    architecture = read_architecture(config)
    with torch.device("meta"):
        encoder, adapter = build_listener(architecture)
    made = {
        f"{part}.{name}": tuple(parameter.shape)
        for part, module in (("encoder", encoder), ("adapter", adapter))
        for name, parameter in module.named_parameters()
    }
    decoder = {name: shape for name, shape in architecture.weight_shapes().items() if name not in made}
    assert made.items() <= architecture.weight_shapes().items()
    assert all(name.startswith(("model.", "lm_head.")) for name in decoder)


@pytest.mark.parametrize("config", sorted(PUBLISHED.glob("*.json")), ids=lambda config: config.stem)
def test_every_published_name_leads_back_to_ours(config: Path) -> None:
    architecture = read_architecture(config)
    names = architecture.family.names
    for ours in architecture.weight_shapes():
        assert names.ours(names.published(ours)) == ours
        assert not names.passes(names.published(ours))


@pytest.mark.parametrize("config", sorted(PUBLISHED.glob("*.json")), ids=lambda config: config.stem)
def test_fixed_positions_do_not_learn(config: Path) -> None:
    architecture = read_architecture(config)
    with torch.device("meta"):
        encoder, _ = build_listener(architecture)
    fixed = [name for name, parameter in encoder.named_parameters() if not parameter.requires_grad]
    stored = "encoder.positional_embedding.weight" in architecture.weight_shapes()
    assert fixed == (["positional_embedding.weight"] if stored and not architecture.audio.learned_positions else [])
