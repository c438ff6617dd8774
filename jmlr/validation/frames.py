"""The tables as data frames, with the columns that expectations look at.

An expectation sees one column of one table, so whatever spans columns, rows or tables is computed here. What looks
like protected health information is masked here: reports and Data Docs are made from these frames only.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from jmlr.types import OPTION_LETTERS, Leak, Passage, Question
from jmlr.validation.identities import Identities
from jmlr.validation.phi import KINDS, masked, redacted, screen

SEPARATOR = " | "
_PHI = tuple(f"phi_{kind}" for kind in KINDS)
_PASSAGE_COLUMNS = (*Passage.__dataclass_fields__, "rows_of_id", *_PHI)
_QUESTION_COLUMNS = (
    *Question.__dataclass_fields__,
    *("option_count", "empty_options", "duplicated_options", "answer_in_options", "answer_letter"),
    *("answer_letter_share", "unknown_gold_passages", "rows_of_id", "splits_of_id"),
    *("leaked_from_training", "leaked_from_passages"),
    *_PHI,
)


def _phi_columns(found: dict[str, list[str]]) -> dict[str, str]:
    return {f"phi_{kind}": SEPARATOR.join(masked(value) for value in found.get(kind, ())) for kind in KINDS}


def _screened(texts: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """The texts with every finding masked, and the findings by kind."""
    clean: list[str] = []
    together: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        found = screen(text)
        clean.append(redacted(text, found) if found else text)
        for kind, values in found.items():
            together[kind] += values
    return clean, together


def passages_frame(passages: Sequence[Passage], known: Identities) -> pd.DataFrame:
    """One row a passage: its fields and these columns.

    rows_of_id: how many passages of the whole table have its id; phi_KIND: what looks like protected health information
    in title and text, masked, else "".

    Args:
        passages: some of the table's rows.
        known: the ids of all of them.
    """
    columns: dict[str, list[Any]] = {
        name: [getattr(passage, name) for passage in passages] for name in Passage.__dataclass_fields__
    }
    columns["rows_of_id"] = known.rows_of(columns["passage_id"])
    columns |= {name: [""] * len(passages) for name in _PHI}
    for row, passage in enumerate(passages):
        (title, text), found = _screened((passage.title, passage.text))
        if found:
            columns["title"][row], columns["text"][row] = title, text
            for name, value in _phi_columns(found).items():
                columns[name][row] = value
    return pd.DataFrame(columns, columns=list(_PASSAGE_COLUMNS))


@dataclass(frozen=True)
class _Context:
    """What a question's row must know about all other rows."""

    letters: Counter[int]
    rows_of_id: Counter[str]
    splits_of_id: dict[str, set[str]]
    holders: dict[tuple[str, str], list[str]]
    passages: Identities

    @classmethod
    def of(cls, questions: Sequence[Question], passages: Identities, leaks: Sequence[Leak]) -> _Context:
        splits: dict[str, set[str]] = defaultdict(set)
        for question in questions:
            splits[question.question_id].add(question.split)
        holders: dict[tuple[str, str], list[str]] = defaultdict(list)
        for leak in leaks:
            holders[leak.question_id, leak.found_in].append(leak.other_id)
        letters = Counter(question.answer_index for question in questions)
        return cls(letters, Counter(question.question_id for question in questions), splits, holders, passages)

    def leaked(self, question: Question, found_in: str) -> str | None:
        """The ids of what contains a test question; None for questions outside the test splits."""
        if not question.split.startswith("test"):
            return None
        return SEPARATOR.join(dict.fromkeys(self.holders.get((question.question_id, found_in), ())))


def _options_columns(question: Question) -> dict[str, Any]:
    folded = [option.casefold().strip() for option in question.options]
    in_range = 0 <= question.answer_index < min(len(question.options), len(OPTION_LETTERS))
    return {
        "option_count": len(question.options),
        "empty_options": folded.count(""),
        "duplicated_options": len(folded) - len(set(folded)),
        "answer_in_options": "yes" if in_range else "no",
        "answer_letter": OPTION_LETTERS[question.answer_index] if in_range else "",
    }


def _question_row(question: Question, context: _Context) -> dict[str, Any]:
    (text, rationale, *options), found = _screened((question.text, question.rationale, *question.options))
    shown = replace(question, text=text, rationale=rationale)
    return {
        **vars(shown),
        "options": SEPARATOR.join(options),
        "gold_passage_ids": SEPARATOR.join(question.gold_passage_ids),
        **_options_columns(question),
        "answer_letter_share": context.letters[question.answer_index] / context.letters.total(),
        "unknown_gold_passages": SEPARATOR.join(context.passages.missing(question.gold_passage_ids)),
        "rows_of_id": context.rows_of_id[question.question_id],
        "splits_of_id": len(context.splits_of_id[question.question_id]),
        "leaked_from_training": context.leaked(question, "training question"),
        "leaked_from_passages": context.leaked(question, "passage"),
        **_phi_columns(found),
    }


def questions_frame(questions: Sequence[Question], known: Identities, leaks: Sequence[Leak]) -> pd.DataFrame:
    """One row a question: its fields, lists joined by " | ", and these columns.

    option_count, empty_options, duplicated_options: counts; answer_in_options: yes or no; answer_letter_share: the
    share (0 to 1) of questions whose answer has the same letter; unknown_gold_passages: ids that are in no passage;
    rows_of_id: how many questions have the id; splits_of_id: in how many splits the id is; leaked_from_training,
    leaked_from_passages: for test questions, the ids of the training questions or passages that hold them, "" if none,
    else nothing; phi_KIND: what looks like protected health information in text, options and rationale, masked.

    Args:
        questions: all of them.
        known: the ids of all passages.
        leaks: what ingest found of test questions in training questions and passages.
    """
    context = _Context.of(questions, known, leaks)
    rows = [_question_row(question, context) for question in questions]
    return pd.DataFrame(rows, columns=list(_QUESTION_COLUMNS))
