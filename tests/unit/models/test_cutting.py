"""What is left of long texts: a passage's beginning, and the end of a question, which asks."""

from __future__ import annotations

import pytest
import torch

from jmlr.models import cutting
from jmlr.models.retriever import MARKERS, Retriever


@pytest.mark.parametrize("text", ["gout pain kidney stone rash " * 9, "痛风是一种疾病 🦶 " * 9])
@pytest.mark.parametrize("tokens", [5, 12])
def test_parts_are_parts_within_their_bound(any_tokenizer, text, tokens):
    for cut in (cutting.beginning, cutting.question):
        part = cut(text, any_tokenizer, tokens)
        assert text.rstrip().endswith(part) if cut is cutting.question else text.startswith(part)
        assert 0 < len(part) < len(text)
        # The rest of a word may need other tokens than it had within it.
        assert len(cutting.token_spans(part, any_tokenizer)) <= tokens + 4
    assert cutting.question("gout", any_tokenizer, 9) == cutting.beginning("gout", any_tokenizer, 9) == "gout"


def test_a_question_keeps_whole_words_of_its_end(tiny_tokenizer):
    text = "A man of 57 smokes. " * 9 + "Which test settles it?"
    for tokens in range(8, 20):
        kept = cutting.question(text, tiny_tokenizer, tokens)
        assert kept.endswith("it?")
        assert f" {kept}" in text


def test_the_retriever_searches_with_the_end_of_a_long_question(tiny_retriever_folder, tiny_index_settings):
    retriever = Retriever.load(tiny_retriever_folder, tiny_index_settings)
    room = tiny_index_settings.query_tokens - MARKERS
    asks = "kidney stone blood urine liver bile skin rash itch headache vision nerve muscle".split()
    assert len(asks) == room
    with torch.no_grad():
        long, short = (retriever.encode_queries([text]) for text in ("gout " * 40 + " ".join(asks), " ".join(asks)))
    assert torch.equal(long, short)
