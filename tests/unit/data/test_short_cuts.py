"""What was made fast gives what the plain way gives."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from jmlr.settings import params
from jmlr.settings import BaseRetrieverSettings, LeakageSettings
from jmlr.data.chunking import TokenCounter
from jmlr.data.ingest import ingest
from jmlr.data.leakage import PassageScreen
from jmlr.data.runners import run_here
from jmlr.data.shingles import likeness, signatures
from jmlr.words import words_of
from jmlr.models.encoder import tokenizer_text
from jmlr.stages.ingest import places_in
from jmlr.types import Passage, Question

ROOT = Path(__file__).parents[3]
TOKENIZER = tokenizer_text(BaseRetrieverSettings(source="minilm", revision=None, dimension=128))
COUNTER = TokenCounter(Tokenizer.from_str(TOKENIZER))
PLAIN = Tokenizer.from_str(TOKENIZER)
PLAIN.no_truncation()
PLAIN.no_padding()


@given(st.lists(st.text(max_size=40), max_size=5))
@settings(max_examples=200, deadline=None)
def test_tokens_by_word_are_those_of_the_whole_text(texts: list[str]) -> None:
    cleaned = [" ".join(text.split()) for text in [*texts, "pre-eclampsia (5 mg/kg), naïve; 高血圧 [SEP]x"]]
    whole = [PLAIN.encode(text, add_special_tokens=False) for text in cleaned]
    # An unknown token may hide many characters, which then count.
    for count, found in zip(COUNTER.of_texts(cleaned), whole, strict=True):
        assert count >= len(found.ids) if "[UNK]" in found.tokens else count == len(found.ids)


@given(st.text(st.characters(max_codepoint=127)))
def test_words_of_ascii_are_those_of_the_pattern(text: str) -> None:
    assert words_of(text) == re.findall(r"\w+", text.casefold())


def test_signatures_estimate_the_share_of_common_triples() -> None:
    draw = np.random.default_rng(0)
    words = [f"w{chr(97 + one % 26)}{chr(97 + one // 26)}" for one in range(600)]
    first = [words[one] for one in draw.integers(0, 600, 200)]
    shares = []
    for replaced in (0, 4, 20, 60):
        second = list(first)
        for place in draw.choice(200, replaced, replace=False):
            second[place] = "other"
        triples = [{tuple(text[at : at + 3]) for at in range(198)} for text in (first, second)]
        true = len(triples[0] & triples[1]) / len(triples[0] | triples[1])
        _, kept = signatures([first, second])
        shares.append((float(likeness(kept[:1], kept[1:])[0]), true))
    assert all(abs(found - true) < 0.13 for found, true in shares), shares
    assert shares[0] == (1.0, 1.0)


def test_the_screen_finds_what_a_plain_search_finds() -> None:
    draw = np.random.default_rng(1)
    vocabulary = [f"word{chr(97 + number)}" for number in range(20)]
    texts = [" ".join(vocabulary[one] for one in draw.integers(0, 20, 30)) for _ in range(400)]
    questions = [
        Question(f"q{number}", " ".join(texts[number * 10].split()[:length]), ("a", "b"), 0, "test")
        for number, length in enumerate([5, 8, 12, 20, 25, 30] * 5)
    ]
    passages = [Passage(f"p{number}", text) for number, text in enumerate(texts)]
    passages += [Passage("empty", ""), Passage("short", "word"), Passage("joined", f"{texts[0]} x {texts[50]}")]
    length, least = 4, 0.5
    expected = set()
    for question in questions:
        own = runs_of(question.text, length)
        for passage in passages:
            share = len(own & runs_of(passage.text, length)) / len(own)
            if share >= (least if len(question.text.split()) >= 2 * length else 1.0):
                expected.add((question.question_id, passage.passage_id, pytest.approx(share).expected))
    screen = PassageScreen(questions, LeakageSettings(similar_questions=0.9, ngram_words=length, covered_share=least))
    found = [leak for start in range(0, 450, 50) for leak in screen.leaks(passages[start : start + 50])]
    assert {(leak.question_id, leak.other_id, leak.score) for leak in found} == expected
    assert len(found) == len(expected) > 30


def runs_of(text: str, length: int) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[at : at + length]) for at in range(len(words) - length + 1)}


def test_runners_get_each_missing_shard_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("raw").mkdir()
    Path("raw/some.jsonl").write_text('{"passage_id": "p", "text": "Gout is painful."}\n')
    source = {"path": "some.jsonl", "format": "jsonl", "licence": "CC0-1.0"}
    block = params.load(ROOT / "params.yaml").ingest
    block = type(block)(**{**block.model_dump(), "root": "raw", "sources": [source]})
    block = block.model_copy(update={"sources": 2 * block.sources})  # settings refuse a source that comes twice
    sent: list[int] = []

    def counting(maker, units):
        sent.append(len(units))
        return run_here(maker, units)

    for _ in range(2):
        found = ingest(block, 1, TOKENIZER, places_in(tmp_path / "out"), counting)
    assert sent == [1, 0]
    assert found["passages"] == 1
    assert found["rejected_by_reason"] == {"duplicated passage": 1}
