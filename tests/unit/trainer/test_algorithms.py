"""What a recipe may name is what the trainer can compute."""

from earwitness.recipe.schema.fields import models_in
from earwitness.recipe.stages import RlStage
from trainer.rl.advantages import ADVANTAGES
from trainer.rl.losses import POLICY_LOSSES


def test_every_algorithm_and_loss_of_a_recipe_is_one_function():
    fields = RlStage.model_fields
    assert ADVANTAGES.keys() == models_in(fields["algorithm"].annotation).keys()
    assert POLICY_LOSSES.keys() == models_in(fields["loss"].annotation).keys()
    assert all(function.__doc__ for function in [*ADVANTAGES.values(), *POLICY_LOSSES.values()])
