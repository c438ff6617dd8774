"""Long texts to passages of a bounded number of tokens, cut at sentence ends where there are some."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain

from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from jmlr.types import Passage, Question

_SENTENCE_END = re.compile(r"[.!?][\"')\]]*$")
_LAST = ".!?\"')]"
_SHORT_FORM = re.compile(r"^(?:[A-Z]|Dr|Mr|Mrs|Ms|St|vs|e\.g|i\.e|Fig|No|ca|cf|approx)\.$", re.IGNORECASE)
_LOCATED_WORDS = 4
"""An answer of fewer words ("yes", "aspirin") is not looked up in the chunks: it may stand in any of them."""
_KNOWN_WORDS = 200_000


@dataclass(frozen=True)
class Budget:
    """How long a passage may be, title included, and how much two neighbours share; both in tokens."""

    passage_tokens: int
    overlap_tokens: int


class TokenCounter:
    """Counts tokens as a tokenizer makes them, without the markers around a text.

    A word's tokens are taken to be the same in every text, as those of BERT's are, whose words are counted once.

    Args:
        tokenizer: the retriever's; its own cutting and padding are turned off.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._words: dict[str, int] = {}
        # Others join neighbouring words, or count the space before one: their texts are counted whole.
        self._cuts_at_spaces = isinstance(tokenizer.pre_tokenizer, BertPreTokenizer)

    def of_texts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text."""
        if not self._cuts_at_spaces:
            return self._counted(texts)
        cut = [text.split() for text in texts]
        self._learn(chain.from_iterable(cut))
        return [sum(map(self._words.__getitem__, words)) for words in cut]

    def of_words(self, words: Sequence[str]) -> list[int]:
        """Tokens of each word."""
        self._learn(words)
        return [self._words[word] for word in words]

    def _learn(self, words: Iterable[str]) -> None:
        if len(self._words) > _KNOWN_WORDS:
            self._words.clear()
        unknown = list(set(words).difference(self._words))
        if unknown:
            self._words.update(zip(unknown, self._counted(unknown), strict=True))

    def _counted(self, texts: Sequence[str]) -> list[int]:
        return [len(found.ids) for found in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]


def sentence_starts(words: list[str]) -> list[int]:
    """Indices of the words that open a sentence, the first word left out.

    >>> sentence_starts("It hurts. See Dr. Hall today. Rest".split())
    [2, 6]
    """
    return [
        number + 1
        for number, word in enumerate(words[:-1])
        if word[-1] in _LAST
        and _SENTENCE_END.search(word)
        and not _SHORT_FORM.match(word)
        and not words[number + 1][0].islower()
    ]


def cuts(words: list[str], tokens: Sequence[int], budget: Budget) -> list[tuple[int, int]]:
    """First word, and word after the last, of each piece; all words are in at least one.

    A piece ends at the last sentence end in its second half, or in the middle of a sentence where there is none. The
    next piece repeats up to `overlap_tokens`, from a sentence's start where there is one among them, and as few as
    leave room for a new word. A word longer than the budget is a piece of its own.

    Args:
        words: of a text.
        tokens: of each word.
        budget: of a piece.

    >>> cuts("One two three. Four five six. Seven eight.".split(), [1] * 8, Budget(5, 1))
    [(0, 3), (2, 6), (5, 8)]
    """
    before = [0, *accumulate(tokens)]
    starts, start, end = sentence_starts(words), 0, 0
    pieces: list[tuple[int, int]] = []
    while True:
        limit = max(start + 1, bisect_right(before, before[start] + budget.passage_tokens) - 1)
        if limit >= len(words):
            return [*pieces, (start, len(words))]
        half = bisect_right(before, before[start] + budget.passage_tokens // 2) - 1
        last = bisect_right(starts, limit) - 1
        end = starts[last] if last >= 0 and starts[last] > max(half, end) else limit
        pieces.append((start, end))
        first = bisect_right(before, before[end] - budget.overlap_tokens - 1)
        opening = bisect_left(starts, first)
        repeated = starts[opening] if opening < len(starts) and starts[opening] < end else min(first, end)
        with_room = bisect_left(before, before[end + 1] - budget.passage_tokens)
        start = min(max(repeated, start + 1, with_room), end)


def chunk_passages(passages: Sequence[Passage], budget: Budget, counter: TokenCounter) -> list[list[Passage]]:
    """For each passage itself if it is short enough, else its chunks, numbered from 1 behind its id.

    A chunk keeps the title, and `start` and `end` are its characters in the passage's text.
    """
    found = []
    for passage, tokens in zip(passages, counter.of_texts([one.indexed_text for one in passages]), strict=True):
        if tokens <= budget.passage_tokens:
            found.append([replace(passage, end=len(passage.text))])
        else:
            found.append(_chunks(passage, budget, counter))
    return found


def _chunks(passage: Passage, budget: Budget, counter: TokenCounter) -> list[Passage]:
    words = passage.text.split()
    # A title that is half the budget or more would leave too little: the index cuts such a passage's end.
    title_tokens = min(counter.of_texts([f"{passage.title}."])[0] if passage.title else 0, budget.passage_tokens // 2)
    own = Budget(budget.passage_tokens - title_tokens, budget.overlap_tokens)
    before = [0, *accumulate(map(len, words))]
    pieces = cuts(words, counter.of_words(words), own)
    if len(pieces) == 1:
        return [replace(passage, end=len(passage.text))]
    return [
        replace(
            passage,
            passage_id=f"{passage.passage_id}#{number}",
            text=" ".join(words[first:last]),
            document_id=passage.document_id or passage.passage_id,
            start=before[first] + first,
            end=before[last] + last - 1,
        )
        for number, (first, last) in enumerate(pieces, start=1)
    ]


def gold_chunks(question: Question, chunks: Iterable[Passage]) -> list[str]:
    """Ids of the chunks of a gold passage that hold the answer's text; of all of them where it cannot be located."""
    chunks = list(chunks)
    answer = " ".join(question.answer.casefold().split())
    if len(answer.split()) >= _LOCATED_WORDS:
        holding = [chunk.passage_id for chunk in chunks if answer in " ".join(chunk.text.casefold().split())]
        if holding:
            return holding
    return [chunk.passage_id for chunk in chunks]
