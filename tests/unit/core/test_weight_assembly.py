"""How a version is put together out of parts: every course of orders and answers ends rightly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earwitness.weights.assembly import DELTA_SHARE, Answer, Assembly, Order, Verb
from earwitness.wire.weights.v1.weights_pb2 import ChunkEntry, Manifest

pytestmark = pytest.mark.smoke


def table(nbytes: int, version: int = 0) -> Manifest:
    return Manifest(version=version, chunks=[ChunkEntry(key="k", nbytes=nbytes)])


CHAIN = [table(3000, 4), table(100, 5), table(200, 6)]
ANSWERS = st.one_of(
    st.integers(0, 900).map(lambda nbytes: Answer(table(nbytes))), st.just(Answer()), st.just(Answer(problem="full"))
)


@given(st.data(), st.integers(1, 5), st.booleans(), st.integers(2, 5))
def test_it_is_committed_only_if_every_part_is_there_and_none_failed(data, ranks, builds, anchor_every):
    """Whatever the parts answer: at most two rounds, and never a delta of some with whole tensors of others."""
    assembly = Assembly(6 if builds else None, CHAIN if builds else [], anchor_every)
    orders, given_answers = [], []
    while assembly.verb.writes:
        orders.append(assembly.verb)
        answers = data.draw(st.lists(ANSWERS, min_size=ranks, max_size=ranks))
        if assembly.verb is not Verb.DELTA:
            answers = [answer if answer.problem else Answer(answer.table or table(1)) for answer in answers]
        given_answers.append(answers)
        assembly.answered(answers)
    failed = any(answer.problem for answers in given_answers for answer in answers)
    assert assembly.verb is (Verb.LEAVE if failed else Verb.COMMIT)
    assert bool(assembly.problem) == failed
    assert orders in ([Verb.WHOLE], [Verb.DELTA], [Verb.DELTA, Verb.WHOLE], [Verb.DELTA, Verb.INSTEAD])
    assert (orders[0] is Verb.DELTA) == builds
    if not failed:
        too_much = builds and any(answer.table is None for answer in given_answers[0])
        assert (Verb.INSTEAD in orders) == too_much
        assert (assembly.deltas is not None) == (builds and not too_much)
        assert (assembly.whole is not None) == (not builds or len(orders) == 2)
        for tables in filter(None, (assembly.deltas, assembly.whole)):
            assert len(tables) == ranks
        if assembly.deltas is not None:
            sizes = sum(c.nbytes for t in [*CHAIN[1:], *assembly.deltas] for c in t.chunks)
            due = len(CHAIN) >= anchor_every or sizes > DELTA_SHARE * 3000
            assert (assembly.whole is not None) == due


def test_a_part_that_failed_is_told_with_its_words():
    assembly = Assembly(6, CHAIN, 20)
    assembly.answered([Answer(table(1)), Answer(problem="shard 1 is gone"), Answer(problem="shard 2, too")])
    assert (assembly.verb, assembly.problem) == (Verb.LEAVE, "shard 1 is gone")


def test_deltas_up_to_a_third_of_the_model_are_a_delta_and_no_more():
    for nbytes, verb in ((700, Verb.COMMIT), (701, Verb.WHOLE)):  # 100 and 200 are there, of 3000
        assembly = Assembly(6, CHAIN, 20)
        assembly.answered([Answer(table(nbytes - 50)), Answer(table(50))])
        assert assembly.verb is verb


def test_nothing_can_be_answered_that_was_not_asked():
    assembly = Assembly(None, [], 20)
    with pytest.raises(ValueError, match="never too much"):
        assembly.answered([Answer()])
    assembly.answered([Answer(table(1))])
    with pytest.raises(ValueError, match="nothing is to be answered to commit"):
        assembly.answered([Answer(table(1))])


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("problem", ["", "shard redis://w0:6379 is full\nof tensors, ä"])
def test_orders_and_answers_say_the_same_to_other_ranks(verb, problem):
    assert Order.decode(Order(verb, problem).encode()) == Order(verb, problem)
    for answer in (Answer(problem=problem), Answer(table(7, 3))):
        assert Answer.decode(answer.encode()) == answer
