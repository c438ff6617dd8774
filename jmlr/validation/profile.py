"""The profile of a data set: how its lengths, sources, words and answers are distributed, counted in one pass."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jmlr.types import OPTION_LETTERS, Passage, Question
from jmlr.words import has_unspaced, length_in_words, words_of

FORMAT = 1
OTHER_WORDS = "(other words)"
"""The category of all words but the commonest plain ones; words lose their outer brackets."""

SOURCES = ("passage_sources", "question_sources")
FEATURES = ("passage_words", "question_words", *SOURCES, "vocabulary", "answer_letters")

_PUNCTUATION = ".,;:!?()[]{}<>\"'*/|\u2018\u2019\u201c\u201d\u2013\u2014-"
_PLAIN_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
"""Words with digits or signs are not named: the accepted profile is in git, and they may be a patient's numbers."""

_WORDS_KEPT = 2_000
_WORDS_COUNTED = 500_000
_EDGES = [0, *sorted({math.ceil(2 ** (step / 2)) for step in range(41)})]


def length_bin(words: int) -> str:
    """The histogram bin of a length in words; each is wider by the root of 2 than the one before, and none ever moves.

    >>> [length_bin(words) for words in (0, 1, 6, 100, 128, 10**9)]
    ['0', '1', '6-7', '91-127', '128-181', '1048576+']
    """
    place = bisect_right(_EDGES, words)
    if place == len(_EDGES):
        return f"{_EDGES[-1]}+"
    least, most = _EDGES[place - 1], _EDGES[place] - 1
    return str(least) if least == most else f"{least}-{most}"


class Profile:
    """Counts of categories by feature, taken batch by batch; it needs the memory of half a million words at most.

    passage_words, question_words: bins of lengths; passage_sources, question_sources; vocabulary: the 2,000 commonest
    words of passages and the rest together; answer_letters.
    """

    def __init__(self) -> None:
        self._features: dict[str, Counter[str]] = {feature: Counter() for feature in FEATURES}
        self._splits: Counter[str] = Counter()
        self._lengths: dict[str, Counter[int]] = {"passage_words": Counter(), "question_words": Counter()}
        self._words = 0

    def add_passages(self, passages: Sequence[Passage]) -> None:
        """Counts a batch of passages."""
        # Arrow counts words in a quarter of the time Python takes, and every word of the corpus passes here.
        spaced = [" ".join(words_of(one.text)) if has_unspaced(one.text) else one.text for one in passages]
        texts = pc.utf8_trim_whitespace(pa.array(spaced, pa.string()))
        words = pc.utf8_split_whitespace(pc.utf8_lower(texts))
        lengths = pc.if_else(pc.equal(texts, ""), 0, pc.list_value_length(words))
        self._lengths["passage_words"].update(_value_counts(lengths))
        vocabulary = self._features["vocabulary"]
        for word, count in _value_counts(pc.list_flatten(words)).items():
            bare = word.strip(_PUNCTUATION)
            self._words += count if bare else 0
            if _PLAIN_WORD.fullmatch(bare):
                vocabulary[bare] += count
        self._features["passage_sources"].update(passage.source for passage in passages)
        if len(vocabulary) > _WORDS_COUNTED:
            # A word that is this rare so far cannot become one of the commonest 2,000 of a large table.
            self._features["vocabulary"] = Counter(dict(_commonest(vocabulary, _WORDS_COUNTED // 2)))

    def add_questions(self, questions: Sequence[Question]) -> None:
        """Counts a batch of questions."""
        self._lengths["question_words"].update(length_in_words(question.text) for question in questions)
        self._features["question_sources"].update(question.source for question in questions)
        self._splits.update(question.split for question in questions)
        self._features["answer_letters"].update(
            OPTION_LETTERS[question.answer_index] if 0 <= question.answer_index < len(OPTION_LETTERS) else "?"
            for question in questions
        )

    def as_json(self, recipe: str) -> dict[str, Any]:
        """What profile.json holds: the recipe, counts of rows, and each feature's categories with their counts."""
        features = {feature: dict(sorted(counts.items())) for feature, counts in self._features.items()}
        for feature, lengths in self._lengths.items():
            binned: Counter[str] = Counter()
            for words, count in sorted(lengths.items()):
                binned[length_bin(words)] += count
            features[feature] = dict(binned)
        kept = _commonest(self._features["vocabulary"], _WORDS_KEPT)
        rest = self._words - sum(count for _, count in kept)
        features["vocabulary"] = dict(kept) | ({OTHER_WORDS: rest} if rest else {})
        counts = {
            "passages": sum(self._features["passage_sources"].values()),
            "questions": sum(self._splits.values()),
            "questions_by_split": dict(sorted(self._splits.items())),
        }
        return {"format": FORMAT, "recipe": recipe, "counts": counts, "features": features}


def _value_counts(values: pa.Array) -> dict[Any, int]:
    counted = pc.value_counts(values)
    return dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))


def _commonest(counts: Counter[str], kept: int) -> list[tuple[str, int]]:
    """The commonest words with their counts; of equally common ones the alphabet's first, so that runs agree."""
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:kept]
