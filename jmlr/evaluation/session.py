"""Reads every arm: its answers, its controls, the orders of the options, and the reader's own words."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jmlr.answering.answered import Answered, Journal
from jmlr.answering.answerer import Answerer, load_searcher
from jmlr.answering.generation import say, strict_choice
from jmlr.answering.option_orders import read_in_every_order
from jmlr.evaluation.evidence import without_each
from jmlr.evaluation.notation import GOLD_SUFFIX
from jmlr.evaluation.readings import Readings
from jmlr.index.bm25 import Bm25
from jmlr.index.candidates import mine
from jmlr.index.fusion import Hybrid
from jmlr.settings import Settings
from jmlr.types import Hit, Passage, Question

Hits = Mapping[str, Sequence[Hit]]
"""Hits by question id, best first."""
Pair = tuple[Path, Path]
"""Folders of a retriever and of its index."""


@dataclass(frozen=True)
class Session:
    """Asks the readers the same questions, one reader after the other.

    Attributes:
        settings: of the whole project.
        questions: of all evaluated splits.
        dev: questions that the confidence is calibrated on; may be none.
        passages: all passages.
        journals: folder of the answers already given by the same readers under the same settings.
        readings: filled arm by arm.
    """

    settings: Settings
    questions: Sequence[Question]
    dev: Sequence[Question]
    passages: Sequence[Passage]
    journals: Path
    readings: Readings = field(default_factory=Readings)

    def read_arm(self, arm: str, reader_folder: Path, hits: Hits) -> Answerer:
        """Reads the arm with the passages it retrieved, in every order and in words as the settings say.

        Raises:
            MissingResource: if the reader is not there.
        """
        answerer = Answerer.load_reader(reader_folder, self.passages, self.settings)
        self.readings.answered[arm] = self._read(answerer, arm, self.questions, hits)
        if self.dev:
            self.readings.dev = self.dev
            self.readings.fitted_on[arm] = self._read(answerer, f"{arm} on dev", self.dev, hits)
        evaluate = self.settings.evaluate
        if evaluate.option_orders:
            answerer.journal = Journal(self.journals / f"{arm}.orders.jsonl")
            title = f"evaluating {arm}, options in every order"
            self.readings.choices[arm] = self._choices(answerer, arm, hits, title)
        if evaluate.strict_text:
            answerer.writer.refuse_long_prompts(
                answerer.reader.config, self.settings.train.read_passages, further_tokens=evaluate.rationale_tokens
            )
            room = answerer.writer.answer_room + 1 + evaluate.rationale_tokens
            said = say(answerer, self.questions, hits, room, f"evaluating {arm}, in words")
            form = self.settings.prompt.answer
            self.readings.said[arm] = said
            self.readings.strict[arm] = {
                one.question_id: strict_choice(said[one.question_id], answerer.writer.as_said(one), form)
                for one in self.questions
            }
        return answerer

    def read_controls(self, answerer: Answerer, arm: str, hits: Hits, bm25: Hits) -> None:
        """Reads again with other passages: the gold ones, another question's, BM25's, and without each of its own."""
        controls = self.settings.evaluate.controls
        known = [question for question in self.questions if question.gold_passage_ids]
        answered = self.readings.answered
        if "gold" in controls and known:
            gold = {one.question_id: [Hit(passage_id, 0.0) for passage_id in one.gold_passage_ids] for one in known}
            answered[f"{arm}{GOLD_SUFFIX}"] = self._read(answerer, f"{arm}{GOLD_SUFFIX}", known, gold)
        if "shuffled" in controls and arm == "jmlr":
            others = shuffled({one.question_id: hits[one.question_id] for one in self.questions}, self._seed)
            answered["jmlr_shuffled"] = self._read(answerer, "jmlr_shuffled", self.questions, others)
        if "bm25" in controls and arm == "jmlr":
            answered["jmlr_bm25"] = self._read(answerer, "jmlr_bm25", self.questions, bm25)
        if self.settings.evaluate.evidence:
            answerer.journal = Journal(self.journals / f"{arm}.evidence.jsonl")
            title = f"evaluating {arm} without each passage"
            self.readings.evidence[arm] = without_each(answerer, self.questions, answered[arm], arm, title)
            answerer.journal = None

    @property
    def _seed(self) -> int:
        return self.settings.evaluate.seed

    def _read(self, answerer: Answerer, name: str, questions: Sequence[Question], hits: Hits) -> list[Answered]:
        answerer.journal = Journal(self.journals / f"{name}.jsonl")
        answered = answerer.read(questions, hits, f"evaluating {name}")
        answerer.journal = None
        return answered

    def _choices(self, answerer: Answerer, arm: str, hits: Hits, title: str) -> dict[str, tuple[int | None, ...]]:
        prompt = self.settings.prompt
        if prompt.options == "hidden" and prompt.answer == "text":  # no order changes the prompt: nothing to read again
            chosen = {answered.question_id: answered.chosen_index for answered in self.readings.answered[arm]}
            return {one.question_id: (chosen[one.question_id],) * len(one.options) for one in self.questions}
        found = read_in_every_order(answerer, self.questions, hits, title)
        answerer.journal = None
        return found


def retrieve(
    settings: Settings, pairs: Mapping[str, Pair], questions: Sequence[Question], passages: Sequence[Passage]
) -> dict[str, dict[str, list[Hit]]]:
    """What each ranking that is reported finds for every question, by the ranking's name and the question's id.

    The name of a pair is its retriever alone, `bm25` is BM25 alone. `hybrid` fuses BM25 with the last pair;
    `hybrid_NAME` with an earlier one, where arms read fused rankings.

    Raises:
        FingerprintMismatch: if a pair's retriever, index and passages do not belong together.
    """
    bm25, count = Bm25(passages), settings.index.candidates
    found = {"bm25": mine(bm25, questions, count)}
    for name, (retriever, index) in pairs.items():
        searcher = load_searcher(retriever, index, passages, settings)
        found[name] = mine(searcher, questions, count)
        is_last = name == list(pairs)[-1]
        if is_last or settings.index.hybrid:
            found["hybrid" if is_last else f"hybrid_{name}"] = mine(Hybrid(searcher, bm25), questions, count)
    return found


def ranking_read(settings: Settings, own: str, hits: Mapping[str, Hits]) -> str:
    """The ranking that an arm reads: its own retriever's, or that one fused with BM25's."""
    if not settings.index.hybrid:
        return own
    return f"hybrid_{own}" if f"hybrid_{own}" in hits else "hybrid"


def shuffled(hits: Hits, seed: int) -> dict[str, list[Hit]]:
    """Every question with the passages of another one: as many and as readable, but not about it.

    >>> sorted(shuffled({"q1": [Hit("p1", 1.0)], "q2": [Hit("p2", 1.0)]}, 1).items())
    [('q1', [Hit(passage_id='p2', score=1.0)]), ('q2', [Hit(passage_id='p1', score=1.0)])]
    """
    ids = sorted(hits)
    random.Random(seed).shuffle(ids)
    return {own: list(hits[other]) for own, other in zip(ids, ids[1:] + ids[:1], strict=True)}
