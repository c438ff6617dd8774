"""predictions.parquet: every answer of every arm, one row a question and arm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from jmlr.answering.answered import Answered
from jmlr.data.tables import write_rows
from jmlr.errors import DataError
from jmlr.evaluation.notation import ordered_arms
from jmlr.evaluation.readings import Readings
from jmlr.types import Question

_TEXT, _NUMBER, _INDEX = pa.string(), pa.float64(), pa.int64()
_COLUMNS = (
    (_TEXT, "question_id arm split subject question_type text"),
    (pa.list_(_TEXT), "options"),
    (_INDEX, "answer_index chosen_index"),
    (_TEXT, "answer chosen"),
    (pa.bool_(), "correct"),
    (pa.list_(_NUMBER), "option_scores option_probabilities"),
    (pa.list_(_INDEX), "chosen_by_order"),
    (_TEXT, "said"),
    (_INDEX, "said_index"),
    (pa.list_(_TEXT), "gold_passage_ids read_passage_ids hit_passage_ids"),
    (pa.list_(_NUMBER), "hit_scores"),
)
SCHEMA = pa.schema([(name, kind) for kind, names in _COLUMNS for name in names.split()])
"""Columns of predictions.parquet; `*_index` point into `options`, hits are best first, their scores those of `Hit`.

`chosen_index`: null where the likeliest options are equally likely, which is no answer.

`option_scores` are mean log-likelihoods a token (nats); `chosen_by_order`: chosen in each cyclic order of the options,
as places in `options`; `said`: what the reader wrote; these are null or empty where an arm was not read so.
"""


def prediction(question: Question, arm: str, answer: Answered) -> dict[str, Any]:
    """One row.

    >>> row = prediction(Question("q1", "?", ("MRI", "ECG"), 1, "test"), "rag", Answered("q1", (-2., -1.), (.3, .7)))
    >>> row["chosen"], row["correct"]
    ('ECG', True)
    """
    return {
        "question_id": question.question_id,
        "arm": arm,
        "split": question.split,
        "subject": question.subject,
        "question_type": question.question_type,
        "text": question.text,
        "options": list(question.options),
        "answer_index": question.answer_index,
        "chosen_index": answer.chosen_index,
        "answer": question.answer,
        "chosen": answer.chosen(question.options),
        "correct": answer.chosen_index == question.answer_index,
        "option_scores": list(answer.option_scores),
        "option_probabilities": list(answer.option_probabilities),
        "gold_passage_ids": list(question.gold_passage_ids),
        "read_passage_ids": list(answer.read_passage_ids),
        "hit_passage_ids": [hit.passage_id for hit in answer.hits],
        "hit_scores": [hit.score for hit in answer.hits],
    }


def write(path: Path, questions: Sequence[Question], readings: Readings) -> None:
    """Writes predictions.parquet, arms in listing order, each in the order of its answers.

    Raises:
        DataError: if an answer belongs to no question.
    """
    by_id = {question.question_id: question for question in questions}
    rows = []
    for arm in ordered_arms(readings.answered):
        for answer in readings.answered[arm]:
            if answer.question_id not in by_id:
                raise DataError(
                    "an answer to an unknown question",
                    expected="a question of questions.parquet",
                    where=f"arm {arm}, question {answer.question_id}",
                    next_step="dvc repro -f evaluate",
                )
            name = answer.question_id
            rows.append(
                {
                    **prediction(by_id[name], arm, answer),
                    "chosen_by_order": list(readings.choices.get(arm, {}).get(name, ())),
                    "said": readings.said.get(arm, {}).get(name),
                    "said_index": readings.strict.get(arm, {}).get(name),
                }
            )
    write_rows(path, rows, SCHEMA)
