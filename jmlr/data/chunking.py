"""Cuts long texts into passages of a bounded number of tokens, at sentence ends where there are any."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, chain

from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from jmlr.words import atoms, ends_sentence, has_unspaced, is_unspaced, words_of
from jmlr.types import Passage, Question

_WORD = re.compile(r"\S+")
_SHORT_FORM = re.compile(r"^(?:[A-Z]|Dr|Mr|Mrs|Ms|St|vs|e\.g|i\.e|Fig|No|ca|cf|approx)\.$", re.IGNORECASE)
_LOCATED_WORDS = 4
"""A shorter answer ("yes", "aspirin") is not looked up in the chunks: it may stand in any of them. In words; in scripts
without spaces, twice as many characters."""
_KNOWN_WORDS = 200_000


@dataclass(frozen=True)
class Budget:
    """The longest passage, title included, and the overlap of two neighbours; both in tokens."""

    passage_tokens: int
    overlap_tokens: int


class TokenCounter:
    """Counts tokens as a tokenizer makes them, without the markers around a text.

    Assumes that a word has the same tokens in every text, as with BERT; so each word is counted once.

    Args:
        tokenizer: the retriever's; its own cutting and padding are turned off.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._words: dict[str, int] = {}
        found = (tokenizer.token_to_id(token) for token in ("[UNK]", "<unk>"))
        self._unknown = next((number for number in found if number is not None), -1)
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

    def split(self, word: str, places: Sequence[int]) -> list[tuple[int, int]]:
        """The parts in which a word may be cut, as the place where each begins and its tokens, 1 or more.

        An unknown token may stand for a whole paragraph; it counts once for each part that it covers.

        Args:
            word: or a text.
            places: where it may be cut, 0 first; not used is one that no token begins at.
        """
        found = self._tokenizer.encode(word, add_special_tokens=False)
        counts = [0] * len(places)
        for number, (start, stop) in zip(found.ids, found.offsets, strict=True):
            first = bisect_right(places, start) - 1
            last = max(first, bisect_left(places, stop) - 1) if number == self._unknown else first
            for place in range(first, last + 1):
                counts[place] += 1
        return [(place, count) for place, count in zip(places, counts, strict=True) if count or not place]

    def _learn(self, words: Iterable[str]) -> None:
        if len(self._words) > _KNOWN_WORDS:
            self._words.clear()
        unknown = list(set(words).difference(self._words))
        if unknown:
            self._words.update(zip(unknown, self._counted(unknown), strict=True))

    def _counted(self, texts: Sequence[str]) -> list[int]:
        found = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [
            len(one.ids) if self._unknown not in one.ids else sum(count for _, count in self.split(text, atoms(text)))
            for text, one in zip(texts, found, strict=True)
        ]


def sentence_starts(words: Sequence[str]) -> list[int]:
    """Indices of the words that open a sentence, without the first word.

    >>> sentence_starts("It hurts. See Dr. Hall today. Rest".split())
    [2, 6]
    """
    return [
        number + 1
        for number, word in enumerate(words[:-1])
        if not word[-1].isalnum()
        and ends_sentence(word)
        and not _SHORT_FORM.match(word)
        and not words[number + 1][0].islower()
    ]


def cuts(words: Sequence[str], tokens: Sequence[int], budget: Budget) -> list[tuple[int, int]]:
    """First word, and word after the last, of each piece; all words are in at least one.

    A piece ends at the last sentence end in its second half, or within a sentence if there is none. The next piece
    repeats up to `overlap_tokens`, from the start of a sentence if there is one among them, and few enough to leave
    room for a new word. A word longer than the budget is a piece of its own.

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
    """For each passage the passage itself if it is short enough, else its chunks, numbered from 1 after its id.

    A chunk keeps the title, and `start` and `end` are its characters in the passage's text.
    """
    found = []
    for passage, tokens in zip(passages, counter.of_texts([one.indexed_text for one in passages]), strict=True):
        if tokens <= budget.passage_tokens:
            found.append([replace(passage, end=len(passage.text))])
        else:
            found.append(_chunks(passage, budget, counter))
    return found


@dataclass
class _Parts:
    """A text in parts that are not cut further: words, characters (without spaces), tokens of a long word."""

    words: list[str] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def of(cls, text: str, counter: TokenCounter, most: int) -> _Parts:
        """The parts of a text; a word of more than `most` tokens is cut where one begins."""
        found = list(_WORD.finditer(text))
        words = [match[0] for match in found]
        counted = counter.of_words(words)
        if max(counted, default=0) <= most and not has_unspaced(text):  # nearly all are such
            return cls(words, counted, [match.span() for match in found])
        parts = cls()
        for match, tokens in zip(found, counted, strict=True):
            word, start = match[0], match.start()
            places = range(len(word)) if tokens > most and not has_unspaced(word) else atoms(word)
            split = counter.split(word, places) if len(places) > 1 else [(0, tokens)]
            borders = [*(place for place, _ in split), len(word)]
            spans = list(zip(borders, borders[1:], strict=False))
            parts.spans += [(start + first, start + last) for first, last in spans]
            parts.words += [word[first:last] for first, last in spans]
            parts.tokens += [count for _, count in split]
            if len(places) > 1:
                parts.words[-1] += " "  # which ends a sentence in some scripts
        return parts


def _chunks(passage: Passage, budget: Budget, counter: TokenCounter) -> list[Passage]:
    # A title of half the budget or more would leave too little room: the index cuts the end of such a passage.
    title_tokens = min(counter.of_texts([f"{passage.title}."])[0] if passage.title else 0, budget.passage_tokens // 2)
    own = Budget(budget.passage_tokens - title_tokens, budget.overlap_tokens)
    parts = _Parts.of(passage.text, counter, own.passage_tokens)
    pieces = cuts(parts.words, parts.tokens, own)
    if len(pieces) == 1:
        return [replace(passage, end=len(passage.text))]
    spans = [(parts.spans[first][0], parts.spans[last - 1][1]) for first, last in pieces]
    return [
        replace(
            passage,
            passage_id=f"{passage.passage_id}#{number}",
            text=passage.text[start:end],
            document_id=passage.document_id or passage.passage_id,
            start=start,
            end=end,
        )
        for number, (start, end) in enumerate(spans, start=1)
    ]


def gold_chunks(question: Question, chunks: Iterable[Passage]) -> list[str]:
    """Ids of the chunks of a gold passage that hold the answer's text; of all of them where it cannot be located."""
    chunks = list(chunks)
    answer = " ".join(question.answer.casefold().split())
    characters = words_of(answer)
    if len(answer.split()) >= _LOCATED_WORDS or (len(characters) >= 2 * _LOCATED_WORDS and is_unspaced(characters)):
        holding = [chunk.passage_id for chunk in chunks if answer in " ".join(chunk.text.casefold().split())]
        if holding:
            return holding
    return [chunk.passage_id for chunk in chunks]
