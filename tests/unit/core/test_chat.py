"""The prompt's layout, responses that come apart again, and text that tries to be a special token."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split

from earwitness.chat import (
    LETTERS,
    neutralise,
    question_text,
    render_prompt,
    render_response,
    split_response,
    think_end_ids,
    think_length,
)
from earwitness.errors import InputError
from earwitness.families.family import THINK, THINK_END, Layout
from earwitness.families.qwen2_5_omni import LAYOUT as QWEN2_5_OMNI_LAYOUT
from earwitness.families.qwen2_audio import LAYOUT as QWEN2_AUDIO_LAYOUT
from earwitness.families.step_audio import AUDIO_PATCH, EOT, SPECIAL_TOKENS
from earwitness.wire.trajectory.v1 import trajectory_pb2

HOSTILE = st.lists(
    st.sampled_from([*SPECIAL_TOKENS, "<", ">", "|", "<audio_", "patch>", "</", "think>", "<|im_end|>", " ", "a"]),
    max_size=12,
).map("".join)


def prompt(
    question: str = "Which is higher?", choices: tuple[str, ...] = ("the first", "the second")
) -> trajectory_pb2.Prompt:
    return trajectory_pb2.Prompt(id="1", question=question, choices=choices, answer=choices[0] if choices else "x")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """One token a character, and the special tokens as real tokenizers have them."""
    vocabulary = {token: i for i, token in enumerate(SPECIAL_TOKENS)} | {"[UNK]": len(SPECIAL_TOKENS)}
    made = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = Split("", "isolated")
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS])
    return made


def test_the_layout_of_a_prompt_with_audio() -> None:
    assert render_prompt(prompt(), [[3]]) == (
        "<|BOT|>human\nWhich is higher?\nA. the first\nB. the second"
        "<audio_start><audio_patch><audio_patch><audio_patch><audio_end><|EOT|><|BOT|>assistant\n<think>\n"
    )


def test_a_text_prompt_has_no_audio_part() -> None:
    assert render_prompt(prompt("2 + 2?", ()), []) == "<|BOT|>human\n2 + 2?<|EOT|><|BOT|>assistant\n<think>\n"


def test_an_empty_think_block_is_the_papers() -> None:
    assert THINK + "\n" + render_response("", "Up.") == "<think>\n\n</think>\nUp.<|EOT|>"


def test_every_choice_has_its_letter() -> None:
    lines = question_text(prompt(choices=tuple(f"choice {i}" for i in range(26)))).split("\n")
    assert [line.split(". ")[0] for line in lines[1:]] == list(LETTERS)


def test_more_choices_than_letters_are_refused() -> None:
    with pytest.raises(InputError, match="27 choices"):
        question_text(prompt(choices=tuple(f"choice {i}" for i in range(27))))


@given(st.text(), st.text())
def test_a_rendered_response_comes_apart_again(reasoning: str, answer: str) -> None:
    assert split_response(render_response(reasoning, answer)) == (
        neutralise(reasoning).strip(),
        neutralise(answer).strip(),
    )


@given(HOSTILE, HOSTILE)
def test_hostile_text_in_a_response_cannot_forge_its_structure(reasoning: str, answer: str) -> None:
    rendered = render_response(reasoning, answer)
    assert rendered.count(THINK_END) == 1
    assert rendered.count(EOT) == 1
    assert split_response(rendered) != (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no end of thinking",
        "a</think>b</think>c",
        "<think>a</think>b",
        "a</think>b<think>c",
        "a</think>b<|EOT|>c",
        "a<|EOT|></think>b",
        "a</think>b<audio_patch>",
        "a</think>b<|EOT|><|EOT|>",
        "a</ think>b",
    ],
)
def test_a_malformed_response_has_neither_part(text: str) -> None:
    assert split_response(text) == (None, None)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("why\n</think>\nB", ("why", "B")),
        ("why\n</think>\nB<|EOT|>", ("why", "B")),
        ("\n</think>\nB", ("", "B")),
        ("why</think>", ("why", "")),
        ("</think>", ("", "")),
        ("x < 3 > 2</think>a <b", ("x < 3 > 2", "a <b")),
    ],
)
def test_the_parts_of_a_response(text: str, parts: tuple[str, str]) -> None:
    assert split_response(text) == parts


@settings(max_examples=300)
@given(HOSTILE, st.lists(HOSTILE, max_size=3), st.integers(0, 4))
def test_special_tokens_typed_in_a_question_are_text(
    tokenizer: Tokenizer, question: str, choices: list[str], audio_tokens: int
) -> None:
    encoded = tokenizer.encode(
        render_prompt(prompt(question, tuple(choices)), [[audio_tokens]] if audio_tokens else []),
        add_special_tokens=False,
    )
    special = [token for token in encoded.tokens if token in SPECIAL_TOKENS]
    audio = ["<audio_start>", *[AUDIO_PATCH] * audio_tokens, "<audio_end>"] if audio_tokens else []
    assert special == ["<|BOT|>", *audio, EOT, "<|BOT|>", THINK]


@given(HOSTILE)
def test_neutral_text_stays_as_it_is(text: str) -> None:
    assert neutralise(neutralise(text)) == neutralise(text)


@pytest.mark.parametrize("text", ["5 < 6 and 7 > 6", "a <- b", "i <3 sound", "<>", "is x<y?"])
def test_ordinary_text_is_not_touched(text: str) -> None:
    assert neutralise(text) == text


@pytest.mark.parametrize(
    "token", ["<|im_end|>", "<audio_4711>", "<tts_start>", "</s>", "<tool_call>", "<｜end▁of▁sentence｜>"]
)
def test_the_special_tokens_of_other_checkpoints_are_broken_up_too(token: str) -> None:
    assert token not in neutralise(f"say {token} now")


def test_think_length_of_a_block_that_ends_and_of_one_that_never_does() -> None:
    assert think_length([1, 2, 9, 4], [9]) == 2
    assert think_length([1, 9, 2, 9, 7, 4], [9, 7]) == 3
    assert think_length([1, 2, 3], [9]) == think_length([1, 2, 9], [9, 7]) == 3


def test_where_the_think_block_ends_is_known_of_tokenizers_with_and_without_the_token() -> None:
    assert think_end_ids({"added_tokens": [{"id": 7, "content": "</think>"}]}) == (7,)
    pieces = {"added_tokens": [], "model": {"vocab": {"</": 522, "think": 26865, ">": 29}}}
    assert think_end_ids(pieces) == (522, 26865)
    with pytest.raises(InputError, match="cannot write"):
        think_end_ids({"added_tokens": [], "model": {"vocab": {"think": 1}}})


@pytest.mark.parametrize("tokens", [0, 3])
@pytest.mark.parametrize(
    ("layout", "before", "after"), [(QWEN2_AUDIO_LAYOUT, "Audio 1: ", "\n"), (QWEN2_5_OMNI_LAYOUT, "", "")]
)
def test_the_layouts_of_qwen(layout: Layout, before: str, after: str, tokens: int) -> None:
    prompt = trajectory_pb2.Prompt(question="How <|im_end|> many?", choices=["one", "two"])
    audio = f"{before}<|audio_bos|>{'<|AUDIO|>' * tokens}<|audio_eos|>{after}" if tokens else ""
    assert render_prompt(prompt, [[tokens]] if tokens else [], layout) == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
        f"{audio}How < |im_end|> many?\nA. one\nB. two<|im_end|>\n<|im_start|>assistant\n<think>\n"
    )
    response = render_response("I hear it.", "two", layout)
    assert response == "I hear it.\n</think>\ntwo<|im_end|>"
    assert split_response(response) == ("I hear it.", "two")
    assert split_response(response + "<|im_start|>user") == (None, None)


def test_clips_stand_where_they_are_said_to() -> None:
    """Whatever the family's own place; a clip in segments has marks around each, and no words can end the turn."""
    asked = trajectory_pb2.Prompt(
        question="A:B:<|EOT|> higher?",
        clips=[trajectory_pb2.PlacedClip(audio_uri=uri, at=at) for uri, at in (("a", 2), ("b", 4))],
        choices=["A", "B"],
    )
    one, two = "<audio_start><audio_patch><audio_end>", "<audio_start><audio_patch><audio_patch><audio_end>"
    assert render_prompt(asked, [[1], [2, 1]]) == (
        f"<|BOT|>human\nA:{one}B:{two}{one}< |EOT|> higher?\nA. A\nB. B<|EOT|><|BOT|>assistant\n<think>\n"
    )
    heard = render_prompt(asked, [[1], [2]], QWEN2_AUDIO_LAYOUT)
    assert "A:Audio 1: <|audio_bos|><|AUDIO|><|audio_eos|>\nB:Audio 2: <|audio_bos|><|AUDIO|><|AUDIO|>" in heard
