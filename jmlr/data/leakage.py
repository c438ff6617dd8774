"""Finds test questions in what the models learn from or read: training questions and passages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from jmlr.settings import LeakageSettings
from jmlr.data.shingles import BANDS, likeness, runs, signatures
from jmlr.words import is_unspaced, words_of
from jmlr.types import Leak, Passage, Question, Rejected

SEPARATOR = " | "
"""Joins the ids of the passages that a leak spans."""
_COMPARED = 50
"""The most training questions of one band that a test question is compared with."""
_BLOCK_ROWS = 10_000
_END = np.uint64((1 << 22) - 1)


def without_test_questions(
    questions: Sequence[Question], settings: LeakageSettings
) -> tuple[list[Question], list[Rejected]]:
    """The questions without those of train and dev that are also test questions, and what was left out.

    Args:
        questions: of all splits.
        settings: what counts as nearly the same.
    """
    kept, rejected = list(questions), list[Rejected]()
    for split in ("train", "dev"):
        # A leak names only the most similar question, so the search repeats until none is left.
        while leaks := leaks_from_training(kept, settings, split):
            found = {leak.other_id: leak for leak in leaks}
            rejected += [
                Rejected(one.source, one.question_id, "also a test question", found[one.question_id].question_id)
                for one in kept
                if one.question_id in found
            ]
            kept = [one for one in kept if one.question_id not in found]
    return kept, rejected


def leaks_from_training(
    questions: Sequence[Question], settings: LeakageSettings, split: str = "train"
) -> list[Leak]:
    """Test questions that are also training questions, word for word or nearly; the most similar first.

    Text and right answer are compared together: a stem such as "Which is true?" alone is no leak, and other wrong
    options do not hide one.

    Args:
        questions: of all splits.
        settings: what counts as nearly.
        split: of the questions that count as training's.
    """
    training = [question for question in questions if question.split == split]
    test = [question for question in questions if question.split.startswith("test")]
    words = [words_of(f"{question.text} {question.answer}") for question in (*training, *test)]
    if not training or not test:
        return []
    bands, kept = signatures(words)
    exact = {" ".join(found): number for number, found in reversed(list(enumerate(words[: len(training)])))}
    meeting = _meeting(bands[: len(training)], bands[len(training) :])
    leaks = []
    for number, question in enumerate(test):
        own = len(training) + number
        if words[own] and (twin := exact.get(" ".join(words[own]))) is not None:
            leaks.append(
                Leak(question.question_id, "question", "training question", training[twin].question_id, "exact", 1.0)
            )
        elif near := sorted(meeting[number]):
            found = likeness(kept[near], np.broadcast_to(kept[own], (len(near), kept.shape[1])))
            best = int(found.argmax())
            if found[best] >= settings.similar_questions:
                other = training[near[best]].question_id
                leaks.append(
                    Leak(question.question_id, "question", "training question", other, "near", float(found[best]))
                )
    return leaks


def _meeting(training: np.ndarray, test: np.ndarray) -> dict[int, set[int]]:
    """The training rows with which each test row shares a band."""
    found: dict[int, set[int]] = defaultdict(set)
    for band in range(BANDS):
        rows: dict[int, list[int]] = defaultdict(list)
        wanted = set(test[:, band].tolist())
        for row, value in enumerate(training[:, band].tolist()):
            if value in wanted and len(rows[value]) < _COMPARED:
                rows[value].append(row)
        for row, value in enumerate(test[:, band].tolist()):
            found[row].update(rows.get(value, ()))
    return found


class PassageScreen:
    """Finds test questions and their explanations in documents whose passages come one after another.

    A document is judged as it was before it was cut: runs across a cut are seen, and the share is that of all its
    passages together. In scripts without spaces a run has twice as many characters as `ngram_words`. A text shorter
    than a run is not searched for: it may be a heading. A text shorter than two runs is a single phrase and must be
    there whole: a passage that answers a question often repeats all of it but "Which".

    Args:
        questions: of all splits; those of test count.
        settings: the length of a run of words, and the share of a longer text's runs that one document must contain.
    """

    def __init__(self, questions: Sequence[Question], settings: LeakageSettings) -> None:
        texts: dict[int, list[_Text]] = defaultdict(list)
        for question in questions:
            for part, text in (("question", question.text), ("rationale", question.rationale)):
                words = words_of(text) if question.split.startswith("test") else []
                length = settings.ngram_words * (2 if is_unspaced(words) else 1)
                if len(words) >= length:
                    least = settings.covered_share if len(words) >= 2 * length else 1.0
                    texts[length].append(_Text(question.question_id, part, words, least))
        self._sought = [_Sought(texts[length], length) for length in sorted(texts)]

    def leaks(self, passages: Iterable[Passage]) -> list[Leak]:
        """The leaks into these passages, once per document; a leak names the passages that contain part of it.

        Args:
            passages: those of a text in its order; one without an id belongs to its document but is not named.
        """
        stream, before = iter(passages), _Before(max((one.length for one in self._sought), default=1) - 1)
        found: dict[tuple[str, str, int], list[tuple[str, np.ndarray]]] = defaultdict(list)
        while self._sought and (block := list(islice(stream, _BLOCK_ROWS))):
            words = [before.joined(passage) for passage in block]
            for number, sought in enumerate(self._sought):
                for place, runs_held in sought.held(words):
                    one = block[place]
                    document = (one.source, one.document_id or one.passage_id, number)
                    found[document].append((one.passage_id, runs_held))
        return [leak for (*_, number), pieces in found.items() for leak in self._sought[number].leaks(pieces)]


class _Before:
    """Up to `most` words that precede a passage in its document."""

    def __init__(self, most: int) -> None:
        self._most, self._words, self._last = most, list[str](), Passage("", "")

    def joined(self, passage: Passage) -> list[str]:
        """The words before the passage, then its own."""
        last, self._last = self._last, passage
        before: list[str] = []
        if passage.document_id and (passage.source, passage.document_id) == (last.source, last.document_id):
            before = self._words
            if passage.start > last.end + 1:  # the text between them is missing
                before = []
            elif 0 < passage.start < last.end:
                before = before[: -len(words_of(passage.text[: last.end - passage.start])) or None]
        self._words = [*before[-self._most :], *words_of(passage.text)]
        return self._words


@dataclass(frozen=True)
class _Text:
    question_id: str
    part: str
    words: list[str]
    least: float


class _Sought:
    """Texts to search for, by their runs of `length` words."""

    def __init__(self, texts: Sequence[_Text], length: int) -> None:
        self.length, self._texts = length, texts
        self._runs = [np.unique(found) for found in runs([text.words for text in texts], length)]
        self._sizes = np.array([len(found) for found in self._runs])
        values, owners = np.concatenate(self._runs), np.repeat(np.arange(len(texts)), self._sizes)
        order = np.argsort(values, kind="stable")
        self._values, self._owners = values[order], owners[order]
        self._ends = np.zeros(int(_END) + 1, bool)
        self._ends[(values & _END).astype(np.int64)] = True

    def held(self, words: Sequence[Sequence[str]]) -> Iterator[tuple[int, np.ndarray]]:
        """The places where a searched run starts, and these runs."""
        grams = runs(words, self.length)
        ends = np.cumsum([len(one) for one in grams])
        together = np.concatenate(grams)
        # Pre-filter with a small Bloom filter: almost no run matches, and the exact search is slow.
        maybe = np.flatnonzero(self._ends[(together & _END).astype(np.int64)])
        places = maybe[np.isin(together[maybe], self._values)]
        for number in np.unique(np.searchsorted(ends, places, side="right")).tolist():
            yield number, np.unique(grams[number][np.isin(grams[number], self._values)])

    def leaks(self, pieces: Sequence[tuple[str, np.ndarray]]) -> Iterator[Leak]:
        """The searched texts that a document contains, given the runs of its passages."""
        held = np.unique(np.concatenate([found for _, found in pieces]))
        first, last = (np.searchsorted(self._values, held, side=side) for side in ("left", "right"))
        owners = np.concatenate([self._owners[start:stop] for start, stop in zip(first, last, strict=True)])
        shares = np.bincount(owners, minlength=len(self._texts)) / self._sizes
        for number in np.unique(owners).tolist():
            text, share = self._texts[number], float(shares[number])
            if share >= text.least:
                own = self._runs[number]
                names = dict.fromkeys(name for name, found in pieces if name and np.isin(found, own).any())
                if names:  # else a kept copy elsewhere contains it and is named there
                    match = "exact" if share == 1 else "near"
                    yield Leak(text.question_id, text.part, "passage", SEPARATOR.join(names), match, share)
