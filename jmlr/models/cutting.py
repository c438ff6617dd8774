"""Texts cut to a number of tokens: a passage keeps its beginning, a question its beginning and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Spans = list[tuple[int, int]]
"""First character of each token, and the one after its last."""
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
    """The text, or a third of `tokens` of its beginning and two thirds of its end, cut between words where there are.

    Retriever and reader cut by this one rule: what asks stands at the end of a vignette, who asks at its beginning.

    Args:
        text: of a question.
        tokenizer: one that tells where tokens stand (`is_fast`).
        tokens: 1 or more; what is kept has no more.
    """
    spans = token_spans(text := text.rstrip(), tokenizer)
    if len(spans) <= tokens:
        return text
    for room in range(tokens, 0, -1):
        kept = f"{opening(text, spans, room // 3)} {ending(text, spans, room - room // 3)}".lstrip()
        if len(token_spans(kept, tokenizer)) <= tokens:  # a part may need other tokens than it had in the whole
            break
    return kept


def opening(text: str, spans: Spans, tokens: int) -> str:
    """At most the first `tokens` tokens, up to the end of a word."""
    for place in range(tokens, max(tokens - _LONGEST_WORD, 0), -1):
        stop = spans[place - 1][1]
        if text[stop - 1].isspace() or text[stop : stop + 1].isspace():
            return text[:stop].rstrip()
    while tokens and spans[tokens][0] < spans[tokens - 1][1]:  # a character of several tokens
        tokens -= 1
    return text[: spans[tokens - 1][1]] if tokens else ""


def ending(text: str, spans: Spans, tokens: int) -> str:
    """At most the last `tokens` tokens, from the beginning of a word."""
    first = len(spans) - tokens
    while first < len(spans) - 1 and spans[first][0] < spans[first - 1][1]:
        first += 1
    for place in range(first, min(first + _LONGEST_WORD, len(spans))):
        start = spans[place][0]
        if text[start - 1].isspace() or text[start].isspace():
            return text[start:].lstrip()
    return text[spans[first][0] :]


def token_spans(text: str, tokenizer: PreTrainedTokenizerBase) -> Spans:
    """First character of each token of `text`, and the one after its last; no special tokens are added."""
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    return list(found["offset_mapping"])
