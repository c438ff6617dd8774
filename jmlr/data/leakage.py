"""Test questions found again in what the models learn from or read: training questions, and passages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from jmlr.config import LeakageSettings
from jmlr.data.shingles import BANDS, likeness, runs, signatures, words_of
from jmlr.types import Leak, Passage, Question, Rejected

_COMPARED = 50
"""Training questions of one band that a test question is compared with at most."""


def without_test_questions(
    questions: Sequence[Question], settings: LeakageSettings
) -> tuple[list[Question], list[Rejected]]:
    """The questions, without those of train and dev that are test questions too, and what was left out.

    Args:
        questions: of all splits.
        settings: what counts as nearly the same.
    """
    kept, rejected = list(questions), list[Rejected]()
    for split in ("train", "dev"):
        # A leak names the likest question alone, so it is looked for again until none is left.
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
    """Test questions that are training questions too, word for word or nearly, the likest first of each.

    Compared are text and right answer together: a stem such as "Which is true?" alone is no leak, and other wrong
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
    """For test rows the training rows that they share a band with."""
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


_END = np.uint64((1 << 22) - 1)


class PassageScreen:
    """Finds test questions, and their explanations, in passages that come by in batches.

    A text of fewer than `ngram_words` words is not looked for: it may well be a heading.

    Args:
        questions: of all splits; those of test count.
        settings: the length of a run of words, and the share of a text's runs that one passage must hold.
    """

    def __init__(self, questions: Sequence[Question], settings: LeakageSettings) -> None:
        self._length, self._least = settings.ngram_words, settings.covered_share
        test = [question for question in questions if question.split.startswith("test")]
        parts = [(one.question_id, part, getattr(one, name)) for one in test for part, name in _PARTS]
        texts = [(name, part, words_of(text)) for name, part, text in parts]
        long_enough = [found for found in texts if len(found[2]) >= self._length]
        self._named = [(name, part) for name, part, _ in long_enough]
        grams = [np.unique(found) for found in runs([words for *_, words in long_enough], self._length)]
        self._sizes = np.array([len(found) for found in grams])
        values = np.concatenate([np.empty(0, np.uint64), *grams])
        owners = np.repeat(np.arange(len(grams)), self._sizes) if grams else np.empty(0, np.int64)
        order = np.argsort(values, kind="stable")
        self._values, self._owners = values[order], owners[order]
        self._ends = np.zeros(int(_END) + 1, bool)
        self._ends[(values & _END).astype(np.int64)] = True

    def leaks(self, passages: Iterable[Passage]) -> list[Leak]:
        """The leaks into these passages."""
        passages = list(passages)
        if not len(self._values):
            return []
        grams = runs([words_of(one.text) for one in passages], self._length)
        ends = np.cumsum([len(one) for one in grams])
        together = np.concatenate([np.empty(0, np.uint64), *grams])
        # A bit for each end of a number first: hardly a run is known, and a search takes long.
        maybe = np.flatnonzero(self._ends[(together & _END).astype(np.int64)])
        places = maybe[np.isin(together[maybe], self._values)]
        found = []
        for number in np.unique(np.searchsorted(ends, places, side="right")).tolist():
            known = np.unique(grams[number][np.isin(grams[number], self._values)])
            found += self._of(passages[number], known)
        return found

    def _of(self, passage: Passage, grams: np.ndarray) -> list[Leak]:
        first = np.searchsorted(self._values, grams)
        last = np.searchsorted(self._values, grams, side="right")
        owners = np.concatenate([self._owners[start:stop] for start, stop in zip(first, last, strict=True)])
        held = np.bincount(owners, minlength=len(self._sizes)) / self._sizes
        found = []
        for number in np.flatnonzero(held >= self._least).tolist():
            question_id, part = self._named[number]
            match, share = "exact" if held[number] == 1 else "near", float(held[number])
            found.append(Leak(question_id, part, "passage", passage.passage_id, match, share))
        return found


_PARTS = (("question", "text"), ("rationale", "rationale"))
