"""Texts cut to a number of tokens: a passage keeps its beginning, a question what it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_LONGEST_WORD = 8
"""Tokens that a cut moves on at most to reach the beginning of a word; Chinese, Japanese and Thai have no spaces."""


def beginning(text: str, tokenizer: PreTrainedTokenizerBase, tokens: int) -> str:
    """The text, or its first `tokens` tokens; no character is cut.

    Args:
        text: of a passage or an option.
        tokenizer: one that tells where tokens stand (`is_fast`).
        tokens: 1 or more.
    """
    spans = token_spans(text, tokenizer)
    if len(spans) <= tokens:
        return text
    while tokens > 1 and spans[tokens][0] < spans[tokens - 1][1]:  # a character of several tokens
        tokens -= 1
    return text[: spans[tokens - 1][1]].rstrip()


def question(text: str, tokenizer: PreTrainedTokenizerBase, tokens: int) -> str:
    """The text, or its last `tokens` tokens at most, from the beginning of a word: what asks stands at the end.

    Retriever and reader cut by this one rule.

    Args:
        text: of a question.
        tokenizer: one that tells where tokens stand (`is_fast`).
        tokens: 1 or more.
    """
    spans = token_spans(text := text.rstrip(), tokenizer)
    first = len(spans) - tokens
    if first <= 0:
        return text
    while first < len(spans) - 1 and spans[first][0] < spans[first - 1][1]:
        first += 1
    for place in range(first, min(first + _LONGEST_WORD, len(spans))):
        start = spans[place][0]
        if text[start - 1].isspace() or text[start].isspace():
            return text[start:].lstrip()
    return text[spans[first][0] :]


def token_spans(text: str, tokenizer: PreTrainedTokenizerBase) -> list[tuple[int, int]]:
    """First character of each token of `text`, and the one after its last; no special tokens are added."""
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    return list(found["offset_mapping"])
