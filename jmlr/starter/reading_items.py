"""Reading items with invented facts, on which the small reader learns to read instead of remembering."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from jmlr.starter.wording import ASPECTS, PASSAGE_OPENINGS, VIGNETTE_OPENINGS, Aspect, join_phrases
from jmlr.types import Passage, Question

_ONSETS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "br", "st", "tr", "gl")
_VOWELS = ("a", "e", "i", "o", "u", "ei", "ou")
_CODAS = ("", "n", "r", "l", "s", "m", "x", "nd", "rt")
_KINDS = ("disease", "syndrome", "fever", "disorder", "")


@dataclass(frozen=True)
class ReadingContext:
    """Passages, best first, and questions about what they say; each question's only option is its answer."""

    passages: tuple[Passage, ...]
    questions: tuple[Question, ...]


class ContextMaker:
    """Draws contexts whose facts are random words, each fact used once.

    Two passages mostly state the same kind of fact, like those a trained retriever finds. Then the better one, next to
    the question, is right.

    Args:
        words: the vocabulary that facts are made of.
        seed: of the draws; the same seed gives the same contexts.
    """

    UNANSWERABLE_SHARE = 0.05
    PASSAGES = (1, 2, 2, 2, 2, 2)
    SAME_FACT_SHARE = 0.8
    WORDINGS_A_FACT = 2

    def __init__(self, words: Sequence[str], seed: int) -> None:
        self._words, self._random, self._made = list(words), random.Random(seed), 0

    def draw(self) -> ReadingContext:
        """One or two passages with two questions on each kind of fact; now and then nothing to read."""
        draw = self._random
        name, findings = self._name(), self._findings()
        aspect, facts = draw.choice(ASPECTS), dict[str, str]()
        passages: list[Passage] = []
        for _ in range(draw.choice(self.PASSAGES)):
            if passages and draw.random() < 0.5:
                name, findings = self._name(), self._findings()
            if passages and draw.random() >= self.SAME_FACT_SHARE:
                aspect = draw.choice(ASPECTS)
            answer = self._phrase(1, 5)
            facts.setdefault(aspect.name, answer)
            passages.append(self._passage(name, findings, aspect, answer))
        if draw.random() < self.UNANSWERABLE_SHARE:
            passages = []
        questions = [
            self._question(aspect, wording, facts[aspect.name])
            for aspect in ASPECTS
            if aspect.name in facts
            for wording in draw.sample(aspect.questions, self.WORDINGS_A_FACT)
        ]
        return ReadingContext(tuple(passages), tuple(questions))

    def _question(self, aspect: Aspect, wording: str, answer: str) -> Question:
        self._made += 1
        draw = self._random
        opening = draw.choice(VIGNETTE_OPENINGS).format(
            age=f"A {draw.randint(2, 90)}",
            person=draw.choice(("man", "woman", "boy", "girl")),
            findings=join_phrases([self._phrase(1, 6) for _ in range(draw.choice((1, 1, 2, 3)))]),
        )
        return Question(str(self._made), f"{opening} {wording}", (answer,), 0, "train", question_type=aspect.name)

    def _passage(self, name: str, findings: list[str], aspect: Aspect, answer: str) -> Passage:
        opening = self._random.choice(PASSAGE_OPENINGS).format(name=name, findings=join_phrases(findings))
        return Passage(f"{name}/{aspect.name}", f"{opening} {self._random.choice(aspect.statements).format(answer)}")

    def _name(self) -> str:
        draw = self._random
        syllables = [
            draw.choice(_ONSETS) + draw.choice(_VOWELS) + draw.choice(_CODAS) for _ in range(draw.randint(2, 3))
        ]
        return f"{''.join(syllables).capitalize()} {draw.choice(_KINDS)}".strip()

    def _findings(self) -> list[str]:
        return [self._phrase(1, 3) for _ in range(self._random.choice((1, 1, 2, 3, 5)))]

    def _phrase(self, shortest: int, longest: int) -> str:
        return " ".join(self._random.choices(self._words, k=self._random.randint(shortest, longest)))
