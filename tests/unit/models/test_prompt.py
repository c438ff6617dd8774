"""The prompt: order of passages, bounds, forms of the answer, padding."""

from __future__ import annotations

import pytest

from jmlr.models.packing import pad
from jmlr.models.prompt import IGNORED, Prompted, PromptWriter
from jmlr.types import Passage, Question

QUESTION = Question("q1", "fever and cough. Which test?", ("scan", "blood", "urine", "biopsy"), 2, "train")
PASSAGES = [Passage("best", "gout in the toe"), Passage("second", "kidney stone", title="Stones")]


@pytest.fixture
def write(tiny_tokenizer, prompt_settings):
    """Writes a prompt under changed settings; returns prompt text and answer text."""

    def write_with(passages=(), option=2, question=QUESTION, **changes):
        writer = PromptWriter(tiny_tokenizer, prompt_settings.model_copy(update=changes))
        prompted = writer.write(question, option, passages)
        return tiny_tokenizer.decode(prompted.prompt_ids), tiny_tokenizer.decode(prompted.answer_ids)

    return write_with


def test_the_best_passage_stands_last_next_to_the_question(write):
    prompt, answer = write(PASSAGES)
    assert prompt == (
        "<bos>Reference: Stones. kidney stone\nReference: gout in the toe\n"
        "Question: fever and cough. Which test?\nAnswer:"
    )
    assert answer == " urine<eos>"


@pytest.mark.parametrize("layout", ["passages_first", "question_first"])
def test_the_closed_book_has_no_reference(write, layout):
    assert write(layout=layout)[0] == "<bos>Question: fever and cough. Which test?\nAnswer:"


def test_with_the_question_first_the_best_passage_stands_next_to_the_answer(write):
    assert write(PASSAGES, layout="question_first", options="shown")[0] == (
        "<bos>Question: fever and cough. Which test?\nA. scan\nB. blood\nC. urine\nD. biopsy"
        "\nReference: Stones. kidney stone\nReference: gout in the toe\nAnswer:"
    )


@pytest.mark.parametrize(
    ("form", "answer"), [("text", " blood<eos>"), ("letter", " B<eos>"), ("letter_text", " B. blood<eos>")]
)
def test_forms_of_the_answer(write, form, answer):
    assert write(option=1, options="shown", answer=form)[1] == answer


def test_shown_options_carry_their_letters(write):
    assert write(options="shown")[0].endswith("Which test?\nA. scan\nB. blood\nC. urine\nD. biopsy\nAnswer:")


def test_hidden_options_appear_nowhere(write):
    prompt, _ = write(PASSAGES)
    assert not any(option in prompt for option in QUESTION.options)


def test_a_long_passage_loses_its_end_and_a_long_question_its_middle(write, tiny_tokenizer):
    passage, question = " ".join(["gout"] * 60 + ["fever"]), " ".join(["cough", *["skin"] * 60, "rash?"])
    prompt, _ = write(
        [Passage("p", passage)], question=Question("q", question, ("a",), 0, "train"), option=0, passage_tokens=10,
        question_tokens=9,
    )  # fmt: skip
    kept_passage = tiny_tokenizer.decode(tiny_tokenizer(passage)["input_ids"][:10])
    opening, _, rest = prompt.partition("\nQuestion: ")
    kept_question = rest.removesuffix("\nAnswer:")
    assert opening == f"<bos>Reference: {kept_passage}"
    assert kept_question.startswith("cough skin")
    assert kept_question.endswith("skin rash?")
    assert len(tiny_tokenizer(kept_question, add_special_tokens=False)["input_ids"]) <= 9


def test_a_long_answer_is_cut_and_still_ends(write):
    _, answer = write(question=Question("q", "?", ("gout " * 30,), 0, "train"), option=0, answer_tokens=3)
    assert answer.endswith("<eos>")
    assert len(answer) < 30


LONG = [Passage(f"p{number}", " ".join(["gout kidney"] * (2 + number))) for number in range(4)]


def lengths(writer: PromptWriter, option: int = 2) -> list[int]:
    """Tokens of prompt and answer with the first 0, 1, .. 4 passages of LONG, the longest answer set aside."""
    spare = writer.settings.answer_tokens + 1
    return [len(writer.write(QUESTION, option, LONG[:count]).prompt_ids) + spare for count in range(5)]


@pytest.mark.parametrize("options", ["hidden", "shown"])
@pytest.mark.parametrize("over", [0, -1, 3])
@pytest.mark.parametrize("kept", [1, 2, 3])
def test_passages_that_do_not_fit_are_dropped_whole_the_worst_first(
    tiny_tokenizer, prompt_settings, options, over, kept
):
    free = PromptWriter(tiny_tokenizer, prompt_settings.model_copy(update={"options": options}))
    bound = lengths(free)[kept] + over
    writer = PromptWriter(tiny_tokenizer, free.settings.model_copy(update={"context_tokens": bound}))
    expected = LONG[: kept - 1] if over < 0 else LONG[:kept]
    assert list(writer.fitting(QUESTION, LONG)) == expected
    assert writer.write(QUESTION, 2, LONG) == free.write(QUESTION, 2, expected)


def test_a_short_passage_is_not_read_in_place_of_a_better_long_one(tiny_tokenizer, prompt_settings):
    free = PromptWriter(tiny_tokenizer, prompt_settings)
    bound = len(free.write(QUESTION, 2, [LONG[0], LONG[1]]).prompt_ids) + prompt_settings.answer_tokens + 1
    writer = PromptWriter(tiny_tokenizer, prompt_settings.model_copy(update={"context_tokens": bound}))
    assert list(writer.fitting(QUESTION, [LONG[0], LONG[3], LONG[1]])) == [LONG[0]]


def test_a_question_that_fills_the_context_is_kept_whole(tiny_tokenizer, prompt_settings):
    free = PromptWriter(tiny_tokenizer, prompt_settings)
    writer = PromptWriter(tiny_tokenizer, prompt_settings.model_copy(update={"context_tokens": 5}))
    assert list(writer.fitting(QUESTION, LONG)) == []
    assert writer.write(QUESTION, 2, LONG) == free.write(QUESTION, 2)


def test_a_passage_counts_with_its_own_bound(tiny_tokenizer, prompt_settings):
    long = Passage("p", " ".join(["gout"] * 500))
    free = PromptWriter(tiny_tokenizer, prompt_settings)
    bound = len(free.write(QUESTION, 2, [long]).prompt_ids) + prompt_settings.answer_tokens + 1
    assert bound < 150
    writer = PromptWriter(tiny_tokenizer, prompt_settings.model_copy(update={"context_tokens": bound}))
    assert writer.write(QUESTION, 2, [long]) == free.write(QUESTION, 2, [long])


def test_no_prompt_with_its_answer_is_longer_than_the_context_and_options_see_the_same_passages(
    tiny_tokenizer, prompt_settings
):
    settings = prompt_settings.model_copy(update={"context_tokens": 60, "options": "shown"})
    writer = PromptWriter(tiny_tokenizer, settings)
    question = Question("q", "fever?", ("gout " * 30, "pain"), 0, "train")
    long, short = (writer.write(question, option, LONG) for option in range(2))
    assert len(long.prompt_ids) + len(long.answer_ids) <= 60 < len(long.prompt_ids) + 20
    assert len(short.answer_ids) < len(long.answer_ids)
    assert short.prompt_ids == long.prompt_ids
    assert 0 < len(writer.fitting(question, LONG)) < len(LONG)


def test_padding_is_on_the_right_and_carries_no_loss():
    batch = pad([Prompted((5, 6, 7), (8,)), Prompted((5,), (9, 2))], pad_token_id=3)
    assert batch.input_ids.tolist() == [[5, 6, 7, 8], [5, 9, 2, 3]]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert batch.labels.tolist() == [[IGNORED, IGNORED, IGNORED, 8], [IGNORED, 9, 2, IGNORED]]
