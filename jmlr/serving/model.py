"""One loaded version: questions in, replies out that say what was read, how sure the answer is, and who gave it."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from jmlr.answering.answered import Answered
from jmlr.answering.answerer import Answerer
from jmlr.evaluation.evidence import Evidence, without_each
from jmlr.models.retriever import Retriever
from jmlr.registry.version.contents import Abstaining
from jmlr.serving.asked import Asked
from jmlr.serving.matches import Match, match_words
from jmlr.types import Passage, Question

NOTICE = "For teaching and research only. Not for clinical use."


@dataclass(frozen=True)
class Label:
    """Who answers.

    Attributes:
        name: the registered model's, or the folder it was trained in.
        version: its number in the registry; None outside of it.
        role: `champion`, `challenger` or what else it was asked for as.
        pair_hash: SHA-256 over models, index and passages; None for a reader alone.
        reads: whether it reads passages; the closed book does not.
    """

    name: str
    version: str | None
    role: str
    pair_hash: str | None
    reads: bool = True

    @property
    def title(self) -> str:
        """For people.

        >>> Label("jmlr", "3", "champion", None).title
        'champion (jmlr version 3)'
        """
        return f"{self.role} ({self.name} version {self.version})" if self.version else f"{self.role} ({self.name})"


@dataclass(frozen=True)
class Effect:
    """What the answer owes to one read passage, found by reading again without it.

    Attributes:
        probability_without: of the chosen option, 0 to 1.
        probability_change: without minus with, -1 to 1; below 0 the passage supports the answer.
        log_likelihood_change_nats: the same of the chosen option's log-likelihood a token.
        flips: whether another option would be chosen.
    """

    probability_without: float
    probability_change: float
    log_likelihood_change_nats: float
    flips: bool


@dataclass(frozen=True)
class Cited:
    """One retrieved passage; `effect` and the matches are there for read passages of an explained answer.

    `matches` are places in `text`, `title_matches` in `title`.
    """

    passage_id: str
    title: str
    text: str
    source: str
    licence: str
    score: float
    read: bool
    effect: Effect | None = None
    matches: tuple[Match, ...] = ()
    title_matches: tuple[Match, ...] = ()


@dataclass(frozen=True)
class Reply:
    """One answer; `answer_index` is None where the likeliest options are equally likely, and that is abstaining.

    `confidence`: the answer's probability; `calibrated`: by a temperature that was fitted on dev. `abstained`: it is
    below `abstain_below`, so the answer is not to be relied on; None: the version has no such bound.
    """

    answer: str
    answer_index: int | None
    option_probabilities: tuple[float, ...]
    confidence: float
    abstained: bool | None
    abstain_below: float | None
    passages: tuple[Cited, ...]
    model: Label
    calibrated: bool = True
    notice: str = NOTICE


@dataclass(frozen=True)
class ServedModel:
    """A version, loaded.

    Attributes:
        label: who it is.
        answerer: the one path from a question to its answer.
        abstaining: when it is too unsure.
        retriever: for the matching words; None for the closed book.
    """

    label: Label
    answerer: Answerer
    abstaining: Abstaining = Abstaining()
    retriever: Retriever | None = None

    def answer(self, asked: Sequence[Asked]) -> list[Reply]:
        """The replies, in order: all questions in one pass, then all explanations that are wanted."""
        questions = [dataclasses.replace(one.question, question_id=str(n)) for n, one in enumerate(asked)]
        answered = self.answerer.answer(questions)
        explained = [question for question, one in zip(questions, asked, strict=True) if one.explain]
        effects: defaultdict[str, dict[str, Effect]] = defaultdict(dict)
        for row in without_each(self.answerer, explained, answered, self.label.role):
            effects[row.question_id][row.passage_id] = _effect(row, answered[int(row.question_id)])
        return [
            self._reply(question, one, found, effects[question.question_id])
            for question, one, found in zip(questions, asked, answered, strict=True)
        ]

    def _reply(self, question: Question, asked: Asked, found: Answered, effects: dict[str, Effect]) -> Reply:
        confidence = self.abstaining.confidence(found.option_scores)
        return Reply(
            answer=found.chosen(question.options),
            answer_index=found.chosen_index,
            option_probabilities=found.option_probabilities,
            confidence=confidence,
            abstained=found.chosen_index is None or self.abstaining.abstains(confidence),
            calibrated=self.abstaining.calibrated,
            abstain_below=self.abstaining.threshold,
            passages=tuple(self._cited(question, asked, found, effects)),
            model=self.label,
        )

    def _cited(self, question: Question, asked: Asked, found: Answered, effects: dict[str, Effect]) -> list[Cited]:
        read = set(found.read_passage_ids)
        hits = [hit for place, hit in enumerate(found.hits) if place < asked.passages or hit.passage_id in read]
        passages = [self.answerer.passages[hit.passage_id] for hit in hits]
        matched: list[list[Match]] = [[] for _ in hits]
        if asked.explain and self.retriever is not None:
            matched = match_words(self.retriever, question.text, [passage.indexed_text for passage in passages])
        return [
            _cite(passage, hit.score, hit.passage_id in read, effects.get(hit.passage_id), words)
            for passage, hit, words in zip(passages, hits, matched, strict=True)
        ]


def _effect(row: Evidence, full: Answered) -> Effect:
    without = full.option_probabilities[full.best_index] + row.probability_change
    return Effect(without, row.probability_change, row.score_change_nats, row.flips)


def _cite(passage: Passage, score: float, read: bool, effect: Effect | None, words: Sequence[Match]) -> Cited:
    """Matches are places in the indexed text, which may begin with the title."""
    before = len(passage.indexed_text) - len(passage.text)
    return Cited(
        passage_id=passage.passage_id,
        title=passage.title,
        text=passage.text,
        source=passage.source,
        licence=passage.licence,
        score=float(score),
        read=read,
        effect=effect,
        matches=tuple(
            dataclasses.replace(word, start=word.start - before, end=word.end - before)
            for word in words
            if word.start >= before
        ),
        title_matches=tuple(word for word in words if before and word.end <= len(passage.title)),
    )
