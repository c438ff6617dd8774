"""Readers of every kind are taught, weighed and read by the tokens that their tokenizer gives for the whole text."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from tokenizers import AddedToken

from jmlr.answering.generation import rationale_in, strict_choice
from jmlr.errors import ConfigError
from jmlr.models.prompt import PromptWriter
from jmlr.types import Passage, Question

RATIONALE = "Because the crystals are seen."
QUESTION = Question(
    "q", "gout in the toe. Which test?", ("scan", "blood", "joint fluid"), 1, "train", rationale=RATIONALE
)
PASSAGES = [Passage("p1", "kidney stone"), Passage("p2", "Gout is pain.", title="Toe")]
SAID = {"text": "blood", "letter": "B", "letter_text": "B. blood", "letter_rationale": f"B. {RATIONALE}"}
REFERENCES = {
    "passages_first": "Reference: Toe. Gout is pain.\nReference: kidney stone\n{asked}\nAnswer:",
    "question_first": "{asked}\nReference: Toe. Gout is pain.\nReference: kidney stone\nAnswer:",
}
ASKED = "Question: gout in the toe. Which test?\nA. scan\nB. blood\nC. joint fluid"


@pytest.fixture
def make_writer(any_tokenizer, prompt_settings):
    def make(**changes) -> PromptWriter:
        wanted = {"options": "shown", "answer_tokens": 40, **changes}
        return PromptWriter(any_tokenizer, prompt_settings.model_copy(update=wanted))

    return make


def bare(writer: PromptWriter, ids) -> list[int]:
    """Without what stands before and after a text."""
    ids = list(ids)[len(writer.start_ids) :]
    return ids[:-1] if ids[-1] == writer.end_id else ids


@pytest.mark.parametrize("layout", REFERENCES)
@pytest.mark.parametrize("form", SAID)
def test_tokens_are_those_of_the_whole_text(make_writer, any_tokenizer, layout, form):
    writer = make_writer(layout=layout, answer=form)
    taught = writer.write_taught(QUESTION, PASSAGES)
    text = REFERENCES[layout].format(asked=ASKED)
    whole = any_tokenizer(f"{text} {SAID[form]}", add_special_tokens=False)["input_ids"]
    assert bare(writer, taught.prompt_ids + taught.answer_ids) == whole
    alone = any_tokenizer(text, add_special_tokens=False)["input_ids"]
    assert list(taught.prompt_ids) == [*writer.start_ids, *alone]
    weighed = [writer.write(QUESTION, option, PASSAGES) for option in range(3)]
    assert {item.prompt_ids for item in weighed} == {taught.prompt_ids}
    assert taught.answer_ids[: len(weighed[1].answer_ids)] == weighed[1].answer_ids


@pytest.mark.parametrize("form", SAID)
def test_a_reader_that_says_what_it_was_taught_is_read_rightly(make_writer, form):
    writer = make_writer(answer=form)
    for option in range(3):
        asked = dataclasses.replace(QUESTION, answer_index=option)
        said = writer.decode(writer.write_taught(asked, PASSAGES).answer_ids)
        assert strict_choice(said, writer.as_said(asked), form) == option
    if form == "letter_rationale":
        assert rationale_in(said, form).replace(" .", ".").casefold() == RATIONALE.casefold()


@pytest.mark.parametrize("form", ["text", "letter_text"])
def test_a_cut_option_is_read_as_it_was_taught(make_writer, form):
    asked = dataclasses.replace(QUESTION, options=("kidney stone and blood in urine", "gout in the toe and pain"))
    writer = make_writer(answer=form, answer_tokens=6)
    for option in range(2):
        said = writer.decode(writer.write(asked, option).answer_ids)
        assert len(said) < len(asked.options[option])
        assert strict_choice(said, writer.as_said(asked), form) == option


def test_cut_parts_are_tokenised_with_the_rest(make_writer, any_tokenizer):
    """Long passages and questions in any script: the prompt is what the tokenizer gives for the text that is left."""
    long = "gout \u75db\u98ce\u662f\u4e00\u79cd\u75be\u75c5 \U0001f9b6 pain " * 12
    writer = make_writer(passage_tokens=9, question_tokens=11, answer_tokens=5)
    for passage, question in itertools.product((long, "kidney " * 30), repeat=2):
        asked = Question("q", question + "rash?", ("scan", passage), 1, "train")
        ids = writer.write(asked, 0, [Passage("p", passage)]).prompt_ids
        (entry,) = (text for text, *more in writer._cache if not more and len(text) > 60)
        assert list(ids) == [*writer.start_ids, *any_tokenizer(entry, add_special_tokens=False)["input_ids"]]
        assert entry.endswith("\nAnswer:")
        assert "rash?\nA. scan" in entry
        writer._cache.clear()


def test_what_the_tokenizer_itself_puts_before_a_text_begins_every_prompt(tokenizer_of_kind, prompt_settings):
    first = {
        kind: tokenizer.convert_ids_to_tokens(list(PromptWriter(tokenizer, prompt_settings).start_ids))
        for kind in ("wordpiece", "unigram", "byte_level_without_ends")
        for tokenizer in [tokenizer_of_kind(kind)]
    }
    assert first == {"wordpiece": ["[CLS]"], "unigram": ["<s>"], "byte_level_without_ends": []}


@pytest.fixture
def joining(tiny_tokenizer):
    """Makes a tokenizer for which this text is one token."""
    from transformers import PreTrainedTokenizerFast

    def make(token: str) -> PreTrainedTokenizerFast:
        backend = type(tiny_tokenizer.backend_tokenizer).from_str(tiny_tokenizer.backend_tokenizer.to_str())
        backend.add_tokens([AddedToken(token, normalized=False)])
        return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<eos>", name_or_path="some/reader")

    return make


@pytest.mark.parametrize("token", [": A", "r: B", "Answer: A"])
@pytest.mark.parametrize("form", SAID)
def test_what_a_tokenizer_joins_with_the_answer_is_the_answers(joining, prompt_settings, token, form):
    settings = prompt_settings.model_copy(update={"options": "shown", "answer": form, "answer_tokens": 40})
    writer = PromptWriter(joining(token), settings)
    weighed = [writer.write(QUESTION, option) for option in range(3)]
    assert len({item.prompt_ids for item in weighed}) == 1
    for option in range(3):
        taught = writer.write_taught(dataclasses.replace(QUESTION, answer_index=option))
        said = writer.decode(taught.answer_ids)
        text = f"{ASKED}\nAnswer: {said}"
        whole = writer.tokenizer(text, add_special_tokens=False)["input_ids"]
        assert bare(writer, taught.prompt_ids + taught.answer_ids) == whole
        assert strict_choice(said, QUESTION, form) == option


def test_a_joined_answer_keeps_within_the_whole(joining, prompt_settings):
    settings = prompt_settings.model_copy(update={"answer_tokens": 3, "passage_tokens": 5})
    writer = PromptWriter(joining(": A"), settings)
    long = dataclasses.replace(QUESTION, text="gout " * 900, options=("A kidney stone in the toe",) * 3)
    written = writer.write(long, 0, PASSAGES)
    assert writer.decode(written.answer_ids).startswith("A ")
    assert len(written.prompt_ids + written.answer_ids) <= writer.longest(passages=2, options=3)


def test_a_tokenizer_that_joins_more_than_the_cue_is_refused_by_name(joining, prompt_settings):
    with pytest.raises(ConfigError, match='the tokenizer of some/reader joins what comes before "Answer:"'):
        PromptWriter(joining("?\nAnswer: B"), prompt_settings)


def test_a_letter_that_is_one_token_with_its_full_stop_is_weighed_as_it_is_taught(joining, prompt_settings):
    """As Llama 2's own training of SentencePiece would allow; other letters of the same question stand alone."""
    settings = prompt_settings.model_copy(
        update={"options": "shown", "answer": "letter_rationale", "answer_tokens": 40}
    )
    writer = PromptWriter(joining(" B."), settings)
    plain = dataclasses.replace(QUESTION, rationale="")
    weighed = [writer.write(QUESTION, option).answer_ids for option in range(3)]
    assert [writer.tokenizer.decode(ids) for ids in weighed] == [" A", " B.", " C"]
    for asked, said in ((QUESTION, f"B. {RATIONALE}"), (plain, "B.")):
        taught = writer.write_taught(asked).answer_ids
        assert taught[: len(weighed[1])] == weighed[1]
        assert writer.decode(taught) == said
        assert strict_choice(said, asked, "letter_rationale") == 1


def test_the_cache_is_bounded_in_bytes(tiny_tokenizer, prompt_settings, monkeypatch):
    monkeypatch.setattr("jmlr.models.prompt.CACHE_BYTES", 20_000)
    writer = PromptWriter(tiny_tokenizer, prompt_settings)
    asked = [dataclasses.replace(QUESTION, text=f"gout {number} " * 20) for number in range(60)]
    first = [writer.write(one, 0, PASSAGES) for one in asked]
    assert 10_000 < writer._cache.currsize <= 20_000
    huge = dataclasses.replace(QUESTION, text="gout " * 9000)
    assert len(writer.write(huge, 0).prompt_ids) < 60
    assert [writer.write(one, 0, PASSAGES) for one in asked] == first
