"""What the reader is taught to say: a letter and the question's rationale, cut where it is too long."""

from __future__ import annotations

import dataclasses

import pytest

from jmlr.models.prompt import PromptWriter
from jmlr.types import Passage, Question

PLAIN = Question("q1", "fever and cough. Which test?", ("scan", "blood", "urine", "biopsy"), 2, "train")
EXPLAINED = dataclasses.replace(PLAIN, rationale="blood in urine is kidney stone pain")
PASSAGES = [Passage("best", "gout in the toe"), Passage("second", "kidney stone", title="Stones")]


@pytest.fixture
def make_writer(tiny_tokenizer, prompt_settings):
    """A writer under changed settings, options shown and letters with rationales unless said."""

    def make(**changes) -> PromptWriter:
        wanted = {"options": "shown", "answer": "letter_rationale", "answer_tokens": 60, **changes}
        return PromptWriter(tiny_tokenizer, prompt_settings.model_copy(update=wanted))

    return make


@pytest.fixture
def taught(make_writer, tiny_tokenizer):
    """The text that a question is taught with."""
    return lambda question, **changes: tiny_tokenizer.decode(
        make_writer(**changes).write_taught(question, PASSAGES).answer_ids
    )


def test_letter_and_rationale_where_there_is_one_and_the_plain_letter_where_not(taught):
    assert taught(EXPLAINED) == " C. blood in urine is kidney stone pain<eos>"
    assert taught(PLAIN) == " C<eos>"


def test_options_are_weighed_by_their_letter_alone_whatever_was_taught(make_writer, tiny_tokenizer):
    writer = make_writer()
    said = [tiny_tokenizer.decode(writer.write(EXPLAINED, option, PASSAGES).answer_ids) for option in range(4)]
    assert said == [" A", " B", " C", " D"]
    assert writer.write(EXPLAINED, 2, PASSAGES) == writer.write(PLAIN, 2, PASSAGES)
    right, whole = writer.write(EXPLAINED, 2, PASSAGES), writer.write_taught(EXPLAINED, PASSAGES)
    assert whole.prompt_ids == right.prompt_ids
    assert whole.answer_ids[: len(right.answer_ids)] == right.answer_ids


@pytest.mark.parametrize("form", ["text", "letter", "letter_text"])
def test_the_other_forms_are_taught_as_they_are_weighed_rationale_or_not(make_writer, form):
    writer = make_writer(answer=form)
    right = writer.write(PLAIN, 2, PASSAGES)
    assert writer.write_taught(EXPLAINED, PASSAGES) == writer.write_taught(PLAIN, PASSAGES) == right
    assert right.answer_ids[-1] == writer.tokenizer.eos_token_id


def test_a_rationale_that_is_cut_does_not_end(make_writer):
    whole = make_writer().write_taught(EXPLAINED).answer_ids
    fits, cut = len(whole) - 1, len(whole) - 2
    assert make_writer(answer_tokens=fits).write_taught(EXPLAINED).answer_ids == whole
    assert make_writer(answer_tokens=cut).write_taught(EXPLAINED).answer_ids == whole[:cut]


def test_letter_and_rationale_stay_within_the_context(make_writer):
    long = dataclasses.replace(PLAIN, rationale="kidney stone " * 40)
    writer = make_writer(answer_tokens=12, context_tokens=90)
    written = writer.write_taught(long, PASSAGES * 20)
    assert len(written.answer_ids) == 12
    assert len(written.prompt_ids) + len(written.answer_ids) <= 90
    assert written.prompt_ids == writer.write(long, 0, PASSAGES * 20).prompt_ids
