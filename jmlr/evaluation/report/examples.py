"""Worked examples for the report: which questions to show, and what of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jmlr.answering.answered import Answered
from jmlr.types import Passage, Question

EXAMPLES = 10
_GONE = "(this passage is not in the passages table)"
_QUOTA = {"helped": 4, "hurt": 3, "both wrong": 2, "both right": 1, "right": 5, "wrong": 5}
"""How many of each kind are shown, kinds in this order; kinds with too few leave room for the others."""


@dataclass(frozen=True)
class Shown:
    """What one arm made of a question: its answer, the passages it read, best first, and what it wrote or nothing."""

    arm: str
    answer: Answered
    passages: tuple[Passage, ...]
    said: str

    @property
    def scores(self) -> dict[str, float]:
        """Of its hits by passage id; a passage that was not retrieved has none."""
        return {hit.passage_id: hit.score for hit in self.answer.hits}


@dataclass(frozen=True)
class Example:
    """One question, what happened to it, and what the shown arms made of it."""

    question: Question
    kind: str
    shown: tuple[Shown, ...]


def shown_arms(answered: Mapping[str, Sequence[Answered]]) -> tuple[str, ...]:
    """The arms the examples compare: rag and jmlr, or the best one there is.

    >>> shown_arms({"jmlr": [], "rag": [], "closed_book": []}), shown_arms({"closed_book": [], "rag": []})
    (('rag', 'jmlr'), ('rag',))
    """
    if "rag" in answered and "jmlr" in answered:
        return ("rag", "jmlr")
    return next(((arm,) for arm in ("jmlr", "rag", "closed_book", *sorted(answered)) if arm in answered), ())


def kind_of(right: Sequence[bool]) -> str:
    """What happened to a question, from whether each shown arm is right.

    >>> kind_of([False, True]), kind_of([True, False]), kind_of([True, True]), kind_of([False])
    ('helped', 'hurt', 'both right', 'wrong')
    """
    if len(right) == 1:
        return "right" if right[0] else "wrong"
    if right[0] == right[1]:
        return "both right" if right[0] else "both wrong"
    return "helped" if right[1] else "hurt"


def _spread(items: Sequence[str], count: int) -> list[str]:
    """`count` items evenly over the whole, so that neighbouring questions on one subject do not crowd in."""
    if count >= len(items):
        return list(items)
    return [items[position * len(items) // count] for position in range(count)]


def choose(kinds: Mapping[str, str], count: int = EXAMPLES) -> list[str]:
    """The ids of the questions to show, by kind: helped first, then hurt, then the rest.

    Args:
        kinds: the kind of each question id, in the order of the questions.
        count: how many to choose; fewer if there are fewer.

    >>> choose({"q1": "both wrong", "q2": "helped", "q3": "hurt", "q4": "helped"}, count=3)
    ['q2', 'q4', 'q3']
    """
    by_kind = {kind: [name for name, found in kinds.items() if found == kind] for kind in _QUOTA}
    chosen = [name for kind, quota in _QUOTA.items() for name in _spread(by_kind[kind], quota)][:count]
    spare = [name for names in by_kind.values() for name in names if name not in chosen]
    chosen += spare[: count - len(chosen)]
    return [name for names in by_kind.values() for name in names if name in chosen]


def worked_examples(
    questions: Sequence[Question],
    answered: Mapping[str, Sequence[Answered]],
    passages: Mapping[str, Passage],
    said: Mapping[str, Mapping[str, str]] | None = None,
) -> list[Example]:
    """Up to ten questions of one split with what the shown arms answered and read; empty if no arm answered.

    `answered`: per arm its answers, to these and other questions. `said`: per arm what it wrote, by question id.
    """
    answers = {arm: {answer.question_id: answer for answer in answered[arm]} for arm in shown_arms(answered)}
    by_id = {q.question_id: q for q in questions if answers and all(q.question_id in by for by in answers.values())}
    kinds = {
        name: kind_of([found[name].chosen_index == question.answer_index for found in answers.values()])
        for name, question in by_id.items()
    }
    return [
        Example(
            by_id[name],
            kinds[name],
            tuple(
                Shown(
                    arm,
                    found[name],
                    tuple(passages.get(read, Passage(read, _GONE)) for read in found[name].read_passage_ids),
                    (said or {}).get(arm, {}).get(name, ""),
                )
                for arm, found in answers.items()
            ),
        )
        for name in choose(kinds)
    ]
