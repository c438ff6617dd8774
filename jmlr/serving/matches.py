"""Which words of a passage match the question: MaxSim taken apart, word by word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from jmlr.models.retriever import Retriever


@dataclass(frozen=True)
class Match:
    """One word of a passage.

    Attributes:
        start: its first character in the passage.
        end: one past its last.
        similarity: best dot product of its tokens with a token of the question's own words, -1 to 1.
        question_word: the word that one belongs to.
        share: what it gives to the passage's MaxSim: the sum, over the query tokens (padding of the query too) whose
            best match is here, of their dot products. Over the words, [CLS] and [SEP] it adds up to the score.
    """

    start: int
    end: int
    similarity: float
    question_word: str
    share: float


@dataclass(frozen=True)
class _Words:
    """Tokens of one text: `spans` (start, end) characters of each, and `numbers`, its word's; None for markers."""

    spans: list[tuple[int, int]]
    numbers: list[int | None]


@torch.inference_mode()
def match_words(retriever: Retriever, question: str, passages: Sequence[str]) -> list[list[Match]]:
    """The words of each passage in reading order, with how well they match the question.

    Words that the retriever cuts off or that carry no embedding (punctuation) are left out. A retriever whose tokenizer
    does not tell where its tokens lie yields no words.

    `question`: as it was searched with.
    """
    tokenizer = retriever.colbert.raw_tokenizer
    if not passages or not tokenizer.is_fast:
        return [[] for _ in passages]
    queries = retriever.encode_queries([question])[0].float().cpu()
    encoded, counts = (tensor.cpu() for tensor in retriever.encode_passages(list(passages)))
    config = retriever.colbert.colbert_config
    asked = _words(tokenizer, question, config.query_maxlen)
    own = torch.tensor([place for place in range(len(asked.spans)) if _is_word(asked, question, place)])
    similarity = torch.einsum("qh,ndh->nqd", queries, encoded.float()).masked_fill(~counts[:, None, :], -torch.inf)
    found = []
    for row, text in zip(similarity, passages, strict=True):
        shares = torch.zeros(row.shape[1]).index_add(0, row.argmax(1), row.amax(1))
        best, places = row[own].max(0) if len(own) else (torch.full_like(shares, -torch.inf), shares.long())
        nearest = [_text_of(asked, question, int(own[place])) if len(own) else "" for place in places]
        words = _words(tokenizer, text, config.doc_maxlen)
        found.append(_joined(words, best.tolist(), nearest, shares.tolist()))
    return found


def _words(tokenizer: Any, text: str, most_tokens: int) -> _Words:
    """As colbert-ai tokenises: one token less than the bound, then its marker after the first."""
    coded = tokenizer(text, truncation=True, max_length=most_tokens - 1, return_offsets_mapping=True)
    spans, numbers = list(coded["offset_mapping"]), list(coded.word_ids())
    return _Words([*spans[:1], (0, 0), *spans[1:]], [*numbers[:1], None, *numbers[1:]])


def _is_word(words: _Words, text: str, place: int) -> bool:
    """Whether the token is of a word: no marker, no punctuation."""
    start, end = words.spans[place]
    return words.numbers[place] is not None and any(map(str.isalnum, text[start:end]))


def _text_of(words: _Words, text: str, place: int) -> str:
    """The whole word that a token belongs to."""
    spans = [span for span, number in zip(words.spans, words.numbers, strict=True) if number == words.numbers[place]]
    return text[spans[0][0] : spans[-1][1]]


def _joined(
    words: _Words, similarities: Sequence[float], nearest: Sequence[str], shares: Sequence[float]
) -> list[Match]:
    """Tokens of one word as one match; those without an embedding are left out."""
    matches: dict[int, Match] = {}
    for place, number in enumerate(words.numbers):
        if number is None or similarities[place] == -torch.inf:
            continue
        (start, end), similarity, word = words.spans[place], similarities[place], nearest[place]
        before = matches.get(number)
        if before is None:
            matches[number] = Match(start, end, similarity, word, shares[place])
            continue
        if before.similarity >= similarity:
            similarity, word = before.similarity, before.question_word
        matches[number] = Match(before.start, end, similarity, word, before.share + shares[place])
    return list(matches.values())
