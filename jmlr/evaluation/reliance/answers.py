"""How far evaluated answers depend on given passages: which read them, which rest on them, which change without them.

This is an estimate: each passage was left out alone, and none was read in its place. After a withdrawal the next
passage moves up, and a question that read two of the passages loses both.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from jmlr.data.tables import read_rows
from jmlr.evaluation import predictions
from jmlr.evaluation.evidence import SCHEMA, Evidence
from jmlr.evaluation.reliance.support import top_supporting

_REMEDY = "dvc repro evaluate"


@dataclass(frozen=True)
class Leaning:
    """How one arm's answers depend on the passages, as sorted question ids.

    Attributes:
        arm: that answered.
        questions: how many it answered after reading.
        read: read at least one of the passages.
        supported: one of them is the passage whose loss costs the choice most.
        flips: leaving one of them out makes it choose another option.
        right_lost: the flips of answers that are right.
        several: read two of them or more: what leaving out all of them does was not measured.
    """

    arm: str
    questions: int
    read: tuple[str, ...]
    supported: tuple[str, ...]
    flips: tuple[str, ...]
    right_lost: tuple[str, ...]
    several: tuple[str, ...]


def read_evidence(path: Path) -> list[Evidence]:
    """The rows of evidence.parquet.

    Raises:
        DataError: if it is missing or has another schema.
    """
    return [Evidence(**row) for row in read_rows(path, SCHEMA, _REMEDY)]


def leanings(evaluation: Path, passage_ids: Collection[str]) -> list[Leaning]:
    """How the answers of every arm that read passages depend on these.

    `evaluation`: folder with evidence.parquet and predictions.parquet, as build/evaluate.

    Raises:
        DataError: if a table is missing or has another schema.
    """
    evidence = read_evidence(evaluation / "evidence.parquet")
    rows = read_rows(evaluation / "predictions.parquet", predictions.SCHEMA, _REMEDY)
    right = {(row["arm"], row["question_id"]) for row in rows if row["correct"]}
    arms = dict.fromkeys(row.arm for row in evidence)
    return [
        lean(
            [row for row in evidence if row.arm == arm],
            {question_id for own, question_id in right if own == arm},
            set(passage_ids),
        )
        for arm in arms
    ]


def lean(evidence: Sequence[Evidence], right: Collection[str], passage_ids: Collection[str]) -> Leaning:
    """How one arm's answers depend on the passages.

    `evidence`: of one arm, one row a question and read passage. `right`: ids of the questions it answers right.

    >>> rows = [Evidence("q1", "rag", "p1", 1, -1.0, -0.6, True, True),
    ...         Evidence("q2", "rag", "p2", 1, 0.0, 0.0, False, None)]
    >>> found = lean(rows, {"q1"}, {"p1"})
    >>> found.read, found.supported, found.right_lost
    (('q1',), ('q1',), ('q1',))
    """
    own = [row for row in evidence if row.passage_id in passage_ids]
    read = [row.question_id for row in own]
    tops = top_supporting(evidence)
    flips = sorted({row.question_id for row in own if row.flips})
    return Leaning(
        arm=evidence[0].arm if evidence else "",
        questions=len({row.question_id for row in evidence}),
        read=tuple(sorted(set(read))),
        supported=tuple(
            sorted(name for name, top in tops.items() if top is not None and top.passage_id in passage_ids)
        ),
        flips=tuple(flips),
        right_lost=tuple(name for name in flips if name in right),
        several=tuple(sorted({name for name in read if read.count(name) > 1})),
    )
