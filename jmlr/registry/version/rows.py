"""The rows that a registered model takes and gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jmlr.data.rows import asked_question, broken_character, fault
from jmlr.errors import DataError
from jmlr.types import OPTION_LETTERS, Passage, Question

if TYPE_CHECKING:
    from pandas import DataFrame

    from jmlr.answering.answered import Answered
    from jmlr.registry.version.contents import Abstaining

QUESTION, OPTIONS = "question", "options"
_MOST_FAULTS_TOLD = 5


def questions_of(table: DataFrame, first: int = 0) -> list[Question]:
    """The questions in a table's columns `question` (text) and `options` (a list of 2 to 10 texts).

    `first`: number of the first row, for messages.

    Raises:
        DataError: naming row and column of the first faults.
    """
    if missing := [column for column in (QUESTION, OPTIONS) if column not in table.columns]:
        raise DataError(
            f"no column {' and '.join(missing)}",
            expected=f"columns {QUESTION} (text) and {OPTIONS} (a list of texts)",
            where=f"columns {', '.join(map(str, table.columns)) or '(none)'}",
        )
    rows = list(zip(table[QUESTION].tolist(), table[OPTIONS].tolist(), strict=True))
    faults = [told for number, row in enumerate(rows, first) for told in _faults(number, *row)]
    questions = [] if faults else [asked_question(str(number), *row) for number, row in enumerate(rows)]
    for number, question in enumerate(questions, first):
        reason, detail = fault(question)
        faults += [f"row {number}: {reason} ({detail})"] if reason else []
    if faults:
        more = f" (and {len(faults) - _MOST_FAULTS_TOLD} more)" if len(faults) > _MOST_FAULTS_TOLD else ""
        raise DataError(
            f"{'; '.join(faults[:_MOST_FAULTS_TOLD])}{more}",
            expected=f"{QUESTION} a text, {OPTIONS} a list of 2 to {len(OPTION_LETTERS)} texts, none of them empty",
        )
    return questions


def _faults(number: int, text: object, options: Any) -> list[str]:
    """What is wrong with a row, in words."""
    found = [] if _is_text(text) else [f"row {number}, column {QUESTION}: {_shown(text)}"]
    column = f"row {number}, column {OPTIONS}"
    if isinstance(options, (str, bytes, Mapping)) or not hasattr(options, "__len__"):
        return [*found, f"{column}: {_shown(options)}"]
    if not 2 <= len(options) <= len(OPTION_LETTERS):
        found.append(f"{column}: {len(options)} options")
    return [*found, *(f"{column}, {place}: {_shown(one)}" for place, one in enumerate(options) if not _is_text(one))]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and not broken_character(value)


def _shown(value: object) -> str:
    """A wrong value in few words.

    >>> _shown(" "), _shown(None), _shown(float("nan")), _shown({"a": 1})
    ('empty', 'nothing', 'nothing', "dict {'a': 1}")
    """
    if isinstance(value, str) and not value.strip():
        return "empty"
    if isinstance(value, str) and broken_character(value):
        return broken_character(value)
    if value is None or value != value:
        return "nothing"
    return f"{type(value).__name__} {value!r:.40}"


def answer_row(
    question: Question,
    answered: Answered,
    passages: Mapping[str, Passage],
    abstaining: Abstaining,
    model: Mapping[str, str | None],
) -> dict[str, Any]:
    """What the model says to one question.

    `passages`: at least those of the hits, by id.

    Returns:
        `answer` and `answer_index` (None: no answer, the likeliest options are equally likely);
        `option_probabilities` as the reader weighs them, which sum to 1; `confidence`, the
        answer's probability at the temperature that was fitted on dev; `abstained`, whether it is below the threshold
        (None: there is none); `passages`, best first, with their `score` (MaxSim; in a hybrid the fused score) and
        whether the reader `read` them; `model`.
    """
    read = set(answered.read_passage_ids)
    confidence = abstaining.confidence(answered.option_scores)
    return {
        "answer": answered.chosen(question.options),
        "answer_index": answered.chosen_index,
        "option_probabilities": [float(value) for value in answered.option_probabilities],
        "confidence": confidence,
        "abstained": answered.chosen_index is None or abstaining.abstains(confidence),
        "passages": [_cited(passages[hit.passage_id], hit.score, read) for hit in answered.hits],
        "model": dict(model),
    }


def _cited(passage: Passage, score: float, read: Sequence[str] | set[str]) -> dict[str, Any]:
    return {
        "passage_id": passage.passage_id,
        "title": passage.title,
        "text": passage.text,
        "score": float(score),
        "read": passage.passage_id in read,
    }
