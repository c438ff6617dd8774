from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from jmlr.data.chunking import Budget, TokenCounter, chunk_passages, cuts, gold_chunks
from jmlr.models.encoder import tokenizer_text
from jmlr.settings import BaseRetrieverSettings
from jmlr.types import Passage, Question

MINILM = BaseRetrieverSettings(source="minilm", revision=None, dimension=128)

LONG = (
    "Gout is a painful arthritis. Urate crystals cause it. Colchicine treats the attack well. Allopurinol prevents it."
)


@pytest.fixture(scope="module")
def counter(word_tokenizer) -> TokenCounter:
    return TokenCounter(Tokenizer.from_str(word_tokenizer))


@given(
    st.lists(st.tuples(st.sampled_from(["Gout", "hurts.", "the", "Joint!", "1.5", "(mg)."]), st.integers(1, 9)), min_size=1),
    st.integers(4, 30),
    st.integers(0, 15),
)
def test_pieces_are_short_and_lose_no_word(weighted, passage_tokens, overlap_tokens):
    words, tokens = [word for word, _ in weighted], [count for _, count in weighted]
    overlap_tokens = min(overlap_tokens, passage_tokens // 2)
    pieces = cuts(words, tokens, Budget(passage_tokens, overlap_tokens))
    assert pieces[0][0] == 0
    assert pieces[-1][1] == len(words)
    for first, last in pieces:
        assert last == first + 1 or sum(tokens[first:last]) <= passage_tokens
    for (first, last), (after, end) in zip(pieces, pieces[1:], strict=False):
        assert first < after <= last < end or after == last
        assert sum(tokens[after:last]) <= overlap_tokens


def test_pieces_end_at_sentence_ends(counter):
    ((first, second),) = chunk_passages([Passage("p1", LONG)], Budget(10, 0), counter)
    assert first.text == "Gout is a painful arthritis. Urate crystals cause it."
    assert second.text == "Colchicine treats the attack well. Allopurinol prevents it."
    assert [LONG[one.start : one.end] for one in (first, second)] == [first.text, second.text]


@pytest.mark.parametrize(
    ("sentence", "last"),
    [
        ("痛风急性发作期应尽早给予秋水仙碱。", "严重肾功能不全者禁用秋水仙碱。"),
        ("ให้ยาลดไข้ทุกสี่ชั่วโมง ", "ห้ามใช้ในผู้ป่วยโรคตับ"),
    ],
)
def test_a_paragraph_without_spaces_is_cut_and_keeps_its_last_sentence(sentence, last):
    tokens = TokenCounter(Tokenizer.from_str(tokenizer_text(MINILM)))
    text = sentence * 20 + last
    ((*chunks, end),) = chunk_passages([Passage("p", text)], Budget(64, 0), tokens)
    assert "".join(chunk.text.strip() for chunk in [*chunks, end]) == "".join(text.split()) or " " in sentence
    assert len(chunks) > 3
    assert end.text.endswith(last)
    assert all(count <= 64 for count in tokens.of_texts([chunk.text for chunk in [*chunks, end]]))
    assert all(chunk.text.strip().endswith(sentence.strip()) for chunk in chunks)
    assert (chunks[0].start, end.end) == (0, len(text))


def test_text_without_sentences_is_cut_at_the_limit_with_overlap():
    words = [f"w{number}" for number in range(10)]
    assert cuts(words, [1] * 10, Budget(4, 1)) == [(0, 4), (3, 7), (6, 10)]


def test_a_word_over_the_budget_stands_alone():
    assert cuts(["a", "x" * 99, "b"], [1, 50, 1], Budget(4, 1)) == [(0, 1), (1, 2), (2, 3)]


def test_chunks_keep_title_and_origin_and_count_the_title(counter):
    passage = Passage("p1", LONG, title="Gout of kings", section="treatment", licence="MIT")
    (chunks,) = chunk_passages([passage], Budget(13, 0), counter)
    assert [chunk.passage_id for chunk in chunks] == ["p1#1", "p1#2"]
    assert {(c.title, c.section, c.licence, c.document_id) for c in chunks} == {
        ("Gout of kings", "treatment", "MIT", "p1")
    }
    assert all(len(chunk.indexed_text.split()) <= 13 for chunk in chunks)


def test_short_passage_stays_whole(counter):
    ((whole,),) = chunk_passages([Passage("p1", LONG)], Budget(30, 0), counter)
    assert (whole.passage_id, whole.text, whole.start, whole.end) == ("p1", LONG, 0, len(LONG))


def test_tokenizer_that_cuts_and_pads_is_asked_not_to(word_tokenizer):
    tokenizer = Tokenizer.from_str(word_tokenizer)
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding()
    assert TokenCounter(tokenizer).of_texts([LONG, "Gout"]) == [17, 1]


@pytest.mark.parametrize(
    ("answer", "held"),
    [
        ("colchicine treats the  attack", ["p1#2"]),
        ("it", ["p1#1", "p1#2"]),
        ("Something else entirely, not there", ["p1#1", "p1#2"]),
    ],
)
def test_gold_passages_are_the_chunks_that_hold_the_answer(counter, answer, held):
    question = Question("q1", "What?", (answer, "Another answer of some words"), 0, "train")
    (chunks,) = chunk_passages([Passage("p1", LONG)], Budget(10, 0), counter)
    assert gold_chunks(question, chunks) == held
