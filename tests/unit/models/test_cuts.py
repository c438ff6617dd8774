"""What is counted as cut is what retriever and reader cut."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer

from jmlr.models.cuts import Cuts
from jmlr.models.encoder import tokenizer_text
from jmlr.models.prompt import PromptWriter
from jmlr.settings import BaseRetrieverSettings
from jmlr.types import Passage, Question

BEGINNING = "uric acid crystal toe pain fever cough lung infection heart failure"


@pytest.fixture
def cuts(tiny_index_settings, prompt_settings, any_tokenizer):
    """With prompts of changed settings."""
    minilm = tokenizer_text(BaseRetrieverSettings(source="minilm", revision=None, dimension=128))

    def make(**changes) -> tuple[Cuts, PromptWriter]:
        writer = PromptWriter(any_tokenizer, prompt_settings.model_copy(update=changes))
        return Cuts(Tokenizer.from_str(minilm), tiny_index_settings, writer), writer

    return make


def question(**changes) -> Question:
    values = {"options": (f"{BEGINNING} gout", f"{BEGINNING} stone", "skin"), "split": "train", **changes}
    return Question("q", values.pop("text", "Which?"), values.pop("options"), 0, **values)


def test_options_are_tied_where_the_reader_is_given_equal_ones(cuts):
    for form in ({"options": "hidden", "answer": "text"}, {"options": "shown", "answer": "letter"}):
        counted, writer = cuts(**form)
        found = counted.of_questions([question(options=("skin", "bile")), question()])
        assert found["options_tied"] == ["", "A, B"]
        assert [bool(told) for told in found["options_cut"]] == [False, True]
    said = [writer.write(question(), option) for option in (0, 1)]
    assert said[0].prompt_ids == said[1].prompt_ids
    counted, writer = cuts(options="hidden", answer="text")
    assert writer.write(question(), 0) == writer.write(question(), 1) != writer.write(question(), 2)
    counted, _ = cuts(options="hidden", answer="text", answer_tokens=200)
    assert (
        counted.of_questions([question()])["options_tied"] == counted.of_questions([question()])["options_cut"] == [""]
    )


def test_a_text_is_cut_where_it_has_one_token_too_many(cuts):
    """Of the retriever the first token, its mark and the last one count, too."""
    counted, writer = cuts()
    texts = ["pain " * 13, "pain " * 14]
    found = counted.of_questions([question(text=text) for text in texts])
    assert found["question_cut_by_retriever"] == ["", "14 tokens, 13 kept"]
    own = len(writer.tokenizer(("pain " * 10).strip(), add_special_tokens=False)["input_ids"])
    for tokens, told in ((max(own, 8), ""), (own - 1, f"{own} tokens, {own - 1} kept")):
        counted, _ = cuts(question_tokens=tokens, passage_tokens=tokens)
        assert counted.of_questions([question(text="pain " * 10)])["question_cut_by_reader"] == [told]
        (passage,) = counted.of_passages([Passage("p", ("pain " * 10).strip())])["passage_cut_by_reader"]
        assert passage == told
    assert counted.of_passages([Passage("p", "pain " * 21), Passage("p", "pain " * 22)])[
        "passage_cut_by_retriever"
    ] == [
        "",
        "22 tokens, 21 kept",
    ]


def test_a_passage_is_as_long_as_its_tokens_in_any_script(cuts):
    """The Thai words are unknown to the tokenizer, which has one token for all of them; each character counts."""
    texts = ("Gout hurts much.", "痛风急性发作期应尽早给予秋水仙碱。", "ให้ยาลดไข้ทุกสี่ชั่วโมง")
    found = cuts()[0].of_passages([Passage("p", text) for text in texts] + [Passage("p", "It hurts.", title="Gout")])
    assert found["text_tokens"] == [5, 17, 16, 6]


def test_rationales_count_where_they_are_taught(cuts):
    rows = [
        question(rationale=BEGINNING),
        question(rationale="Pain."),
        question(),
        question(rationale=BEGINNING, split="test"),
    ]
    assert cuts()[0].of_questions(rows)["rationale_cut"] == [None] * 4
    first, *others = cuts(options="shown", answer="letter_rationale")[0].of_questions(rows)["rationale_cut"]
    assert first.endswith("tokens, 8 kept")
    assert others == ["", None, None]


def test_tables_without_rows_have_the_columns(cuts):
    counted, _ = cuts(options="shown", answer="letter_rationale")
    found = {**counted.of_passages([]), **counted.of_questions([])}
    assert len(found) == 8
    assert all(list(column) == [] for column in found.values())
