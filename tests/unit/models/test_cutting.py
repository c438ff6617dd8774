"""What is left of long texts: a passage's beginning, a question's beginning and its end, which asks."""

from __future__ import annotations

import pytest
import torch

from jmlr.models import cutting
from jmlr.models.retriever import Retriever
from jmlr.settings.rules import MARKERS

TEXTS = ["gout pain kidney stone rash " * 9, "痛风是一种疾病 🦶 " * 9]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("tokens", [1, 2, 5, 12])
def test_parts_are_parts_within_their_bound(any_tokenizer, text, tokens):
    part = cutting.beginning(text, any_tokenizer, tokens)
    assert text.startswith(part)
    # The rest of a word may need other tokens than it had within it.
    assert 0 < len(cutting.token_spans(part, any_tokenizer)) <= tokens + 4

    kept, text = cutting.question(text, any_tokenizer, tokens), text.rstrip()
    assert 0 < len(kept) < len(text)
    spaces = [place for place, character in enumerate(kept) if character == " "]
    assert text.endswith(kept) or any(text.startswith(kept[:at]) and text.endswith(kept[at + 1 :]) for at in spaces)
    if tokens > 4:  # a character may have so many
        assert len(cutting.token_spans(kept, any_tokenizer)) <= tokens


def test_a_text_of_just_its_bound_is_not_cut(any_tokenizer):
    text = "A man of 57 smokes. Which test settles it?"
    tokens = len(cutting.token_spans(text, any_tokenizer))
    assert cutting.question(f"{text} ", any_tokenizer, tokens) == cutting.beginning(text, any_tokenizer, tokens) == text
    assert len(cutting.question(text, any_tokenizer, tokens - 1)) < len(text)


def test_a_question_keeps_whole_words_of_its_beginning_and_end(tiny_tokenizer):
    text = "A man of 57 smokes. " + "He is well. " * 9 + "Which test settles it?"
    for tokens in range(12, 30):
        first, _, last = cutting.question(text, tiny_tokenizer, tokens).partition(" ")
        assert first == "A"
        assert last.endswith(" it?")
    assert cutting.question(text, tiny_tokenizer, 30) == "A man of 57 well. Which test settles it?"


def test_the_retriever_searches_with_beginning_and_end_of_a_long_question(tiny_retriever_folder, tiny_index_settings):
    retriever = Retriever.load(tiny_retriever_folder, tiny_index_settings)
    room = tiny_index_settings.query_tokens - MARKERS
    asks = "kidney stone blood urine liver bile skin rash itch headache vision nerve muscle".split()
    assert len(asks) == room
    long = [*asks[: room // 3], *["gout"] * 40, *asks[room // 3 :]]
    with torch.no_grad():
        found, expected = (retriever.encode_queries([" ".join(words)]) for words in (long, asks))
    assert torch.equal(found, expected)
