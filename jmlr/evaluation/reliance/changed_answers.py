"""How the answers of one arm changed between two evaluations under one protocol, as after a withdrawal."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jmlr.data.tables import read_rows
from jmlr.errors import DataError
from jmlr.evaluation import predictions
from jmlr.evaluation.statistics.accuracy import mean_interval, paired_difference
from jmlr.settings import EvaluateSettings

Row = Mapping[str, Any]
"""Of predictions.parquet."""


def read_arm(folder: Path, arm: str) -> list[Row]:
    """The answers of one arm in predictions.parquet of `folder`.

    Raises:
        DataError: if the table is missing or has another schema.
    """
    rows = read_rows(folder / "predictions.parquet", predictions.SCHEMA, "dvc repro evaluate")
    return [row for row in rows if row["arm"] == arm]


def compare_answers(
    before: Sequence[Row], after: Sequence[Row], settings: EvaluateSettings, gone: Collection[str] = ()
) -> dict[str, Any]:
    """Accuracy before and after with the paired difference, by split, and every answer that changed.

    `before`: answers of one arm, as `read_arm` gives them. `gone`: ids of passages that are no longer there.

    Returns:
        `splits`: by name `questions`, `before` and `after` {value, low, high} (0 to 1), `difference` (after minus
        before, likewise) with `mcnemar_p`, `helped`, `hurt`, `hurt_by_loss` (of the hurt those that had read a passage
        that is gone) and `changed`, how many chose another option;
        `changed`: of each such question its id, split, both chosen options, the answer, whether it was and is right,
        and the passages read before and after; `read_others`: how many read other passages.

    Raises:
        DataError: if the two do not answer the same questions.
    """
    now, gone = {row["question_id"]: row for row in after}, frozenset(gone)
    if now.keys() != {row["question_id"] for row in before}:
        raise DataError("other questions", expected="two evaluations of the same questions", next_step="jmlr evaluate")
    splits: dict[str, Any] = {}
    for split in dict.fromkeys(row["split"] for row in before):
        own = [row for row in before if row["split"] == split]
        splits[split] = _of_split(own, [now[row["question_id"]] for row in own], settings)
        splits[split]["hurt_by_loss"] = sum(
            row["correct"] and not now[row["question_id"]]["correct"] and not gone.isdisjoint(row["read_passage_ids"])
            for row in own
        )
    both = [(row, now[row["question_id"]]) for row in before]
    return {
        "splits": splits,
        "changed": [_changed(old, new) for old, new in both if old["chosen_index"] != new["chosen_index"]],
        "read_others": sum(old["read_passage_ids"] != new["read_passage_ids"] for old, new in both),
    }


def _of_split(before: Sequence[Row], after: Sequence[Row], settings: EvaluateSettings) -> dict[str, Any]:
    was, right = (np.array([row["correct"] for row in rows], dtype=np.bool_) for rows in (before, after))
    paired = paired_difference(right, was, settings)
    return {
        "questions": len(before),
        "before": mean_interval(was, settings).bounds,
        "after": mean_interval(right, settings).bounds,
        "difference": {**paired.interval.bounds, "mcnemar_p": paired.mcnemar_p},
        "helped": paired.helped,
        "hurt": paired.hurt,
        "changed": sum(old["chosen_index"] != new["chosen_index"] for old, new in zip(before, after, strict=True)),
    }


def _changed(old: Row, new: Row) -> dict[str, Any]:
    return {
        "question_id": old["question_id"],
        "split": old["split"],
        "answer": old["answer"],
        "before": old["chosen"],
        "after": new["chosen"],
        "was_right": old["correct"],
        "is_right": new["correct"],
        "read_before": list(old["read_passage_ids"]),
        "read_after": list(new["read_passage_ids"]),
    }
