"""A response that comes in pieces is taken apart as the whole one is."""

from hypothesis import given
from hypothesis import strategies as st

from earwitness.families.family import THINK_END
from serving.thinking import Said, Thinking

PIECES = st.lists(st.sampled_from(["a", " ", "\n", "<", "</", "think", ">", "/", THINK_END, "b<c", "</thin"]))


def taken(pieces: list[str]) -> Said:
    thinking = Thinking()
    said = [*map(thinking.take, pieces), thinking.end()]
    return Said("".join(s.reasoning for s in said), "".join(s.answer for s in said))


@given(PIECES)
def test_it_does_not_matter_where_a_response_is_cut(pieces: list[str]) -> None:
    text = "".join(pieces)
    reasoning, _, answer = text.partition(THINK_END)
    assert taken(pieces) == taken(list(text)) == Said(reasoning.strip(), answer.strip())


@given(PIECES)
def test_what_is_held_back_is_as_little_as_can_be(pieces: list[str]) -> None:
    """All but white space and what may become the closing tag has been said."""
    thinking = Thinking()
    said = "".join(thinking.take(piece).reasoning for piece in pieces)
    if not thinking.closed:
        rest = "".join(pieces).lstrip().removeprefix(said).strip()
        assert THINK_END.startswith(rest)
