"""The same question with its options in every cyclic order: does the choice depend on where an option stands?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from jmlr.answering.answerer import Answerer
from jmlr.types import Hit, Question


def rotated(question: Question, shift: int) -> Question:
    """The question with its options moved `shift` places to the front, under an id of its own.

    >>> moved = rotated(Question("q1", "?", ("MRI", "ECG", "CT"), 0, "test"), 1)
    >>> moved.options, moved.answer, moved.question_id
    (('ECG', 'CT', 'MRI'), 'MRI', 'q1/order 1')
    """
    count = len(question.options)
    return dataclasses.replace(
        question,
        question_id=f"{question.question_id}/order {shift}",
        options=tuple(question.options[(place + shift) % count] for place in range(count)),
        answer_index=(question.answer_index - shift) % count,
    )


def read_in_every_order(
    answerer: Answerer, questions: Sequence[Question], hits: Mapping[str, Sequence[Hit]], progress: str = ""
) -> dict[str, tuple[int | None, ...]]:
    """Which option is chosen in each cyclic order, by question id, as places in the question's own order; None: none.

    The order that the question came with is the first.

    Raises:
        DataError: if a question has no list of hits.
    """
    turned = [(one, shift, rotated(one, shift)) for one in questions for shift in range(len(one.options))]
    found = {turn.question_id: hits[one.question_id] for one, _, turn in turned}
    answers = answerer.read([turn for _, _, turn in turned], found, progress)
    choices: dict[str, tuple[int | None, ...]] = {}
    for (one, shift, _), answered in zip(turned, answers, strict=True):
        chosen = answered.chosen_index
        own_place = None if chosen is None else (chosen + shift) % len(one.options)
        choices[one.question_id] = (*choices.get(one.question_id, ()), own_place)
    return choices
