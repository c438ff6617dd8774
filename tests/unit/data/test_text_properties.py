"""What holds of any text: chunks lose nothing and keep the budget, repair comes to an end."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from jmlr.data.chunking import Budget, TokenCounter, chunk_passages, cuts, gold_chunks
from jmlr.data.repair import repaired
from jmlr.types import Passage, Question

THOROUGH = settings(max_examples=120, deadline=None, derandomize=True, database=None)


@pytest.fixture(scope="module")
def letter_counter() -> TokenCounter:
    """Each letter and each mark is a token, so that long words have many."""
    letters = [*string.ascii_letters, *string.punctuation]
    vocabulary = {token: number for number, token in enumerate(["[UNK]", *letters, *(f"##{one}" for one in letters)])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=1000))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return TokenCounter(tokenizer)


WORD_LISTS = st.lists(
    st.sampled_from(["Gout", "hurts.", "a", "(why?)", "e.g.", "Dr.", "x" * 25, "Then", "it"]), min_size=1
)


@THOROUGH
@given(
    words=WORD_LISTS.map(lambda some: some * 3),
    title=st.sampled_from(["", "Gout", "Gout in the toe of a man"]),
    data=st.data(),
)
def test_chunks_hold_every_word_within_the_budget(letter_counter, words, title, data):
    budget = Budget(data.draw(st.integers(20, 60)), data.draw(st.integers(0, 10)))
    passage = Passage("p", " ".join(words), title=title, document_id="d")
    (chunks,) = chunk_passages([passage], budget, letter_counter)
    covered = 0
    for chunk in chunks:
        assert chunk.text == passage.text[chunk.start : chunk.end]
        assert chunk.start <= covered + 1
        assert chunk.end > covered
        covered = chunk.end
        title_tokens = letter_counter.of_texts([f"{title}."])[0] if title else 0
        own = budget.passage_tokens - min(title_tokens, budget.passage_tokens // 2)
        assert letter_counter.of_texts([chunk.text])[0] <= own or " " not in chunk.text
        if title_tokens <= budget.passage_tokens // 2 and " " in chunk.text:
            assert letter_counter.of_texts([chunk.indexed_text])[0] <= budget.passage_tokens
    assert (chunks[0].start, covered) == (0, len(passage.text))
    assert len({chunk.passage_id for chunk in chunks}) == len(chunks)
    assert {chunk.document_id for chunk in chunks} == {"d"}


def test_title_takes_half_the_budget_at_most(letter_counter):
    """The index cuts the end of such a passage; a title as long as the budget would else leave single words."""
    passage = Passage("p", " ".join("a" * 40), title="b" * 30)
    (chunks,) = chunk_passages([passage], Budget(20, 0), letter_counter)
    assert [len(chunk.text.split()) for chunk in chunks] == [10] * 4


@THOROUGH
@given(
    words=st.lists(st.sampled_from("abcdefg"), min_size=60, max_size=90),
    start=st.integers(0, 50),
    length=st.integers(1, 9),
)
def test_gold_chunks_hold_the_answer_where_one_can(letter_counter, words, start, length):
    (chunks,) = chunk_passages([Passage("p", " ".join(words))], Budget(20, 8), letter_counter)
    answer = " ".join(words[start : start + length])
    gold = gold_chunks(Question("q", "Why?", ("-", answer.upper()), 1, "test"), chunks)
    holding = [chunk.passage_id for chunk in chunks if answer in chunk.text]
    assert len(chunks) > 2
    assert gold == (holding if length >= 4 and holding else [chunk.passage_id for chunk in chunks])
    # Neighbours share eight tokens and there is no sentence end: what is as short is whole in one of them.
    assert holding or length > 8


@THOROUGH
@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.integers(1, 15), st.integers(0, 7))
def test_cuts_go_forward_without_a_gap(tokens, budget_tokens, overlap_tokens):
    pieces = cuts(["Word."] * len(tokens), tokens, Budget(budget_tokens, overlap_tokens))
    assert (pieces[0][0], pieces[-1][1]) == (0, len(tokens))
    assert all(before[0] < start <= before[1] for before, (start, _) in zip(pieces, pieces[1:], strict=False))
    assert all(before[1] < end for before, (_, end) in zip(pieces, pieces[1:], strict=False))
    assert all(sum(tokens[start:end]) <= budget_tokens or end == start + 1 for start, end in pieces)


BROKEN = [
    "&",
    "amp;",
    "lt;",
    "#8217;",
    "\u200b",
    "\u00e2\u20ac\u2122",
    "\u00c3\u00a9",
    "\x07",
    " ",
    "<",
    "\ufb01",
    "\ufeff",
    "a",
]


@settings(THOROUGH, max_examples=300)
@given(st.lists(st.sampled_from(BROKEN), max_size=8).map("".join) | st.text(max_size=20))
@example("&\u200bamp;")
def test_repair_of_the_repaired_changes_nothing(text):
    better = repaired(text)
    assert repaired(better) == better
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\ufeff]", better)


@THOROUGH
@given(st.text(string.printable.replace("&", "").replace("\x0b", "").replace("\x0c", "")))
def test_plain_ascii_is_not_touched(text):
    assert repaired(text) is text
