from earwitness.plan import memory
from trainer.model import logprobs


def test_the_plan_counts_as_many_logits_as_there_are() -> None:
    assert memory.LOGITS == logprobs.LOGITS
