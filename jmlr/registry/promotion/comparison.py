"""Challenger and champion side by side: their protocols, and their answers to the same questions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jmlr.data.tables import read_made
from jmlr.errors import RegistryError
from jmlr.evaluation.groups.subgroups import SMALL_BELOW, group_questions
from jmlr.evaluation.groups.vignette import UNKNOWN
from jmlr.evaluation.statistics.accuracy import PairedDifference, paired_difference
from jmlr.files import read_json
from jmlr.registry.promotion.gates import Comparison
from jmlr.settings import EvaluateSettings
from jmlr.types import Question

ARM = "jmlr"
_EVALUATE = "jmlr register, after dvc repro evaluate"
"""The arm whose retriever, reader and index a version holds."""
ITEMS = {"item_count", "items_hash"}
"""The parts of a protocol that the test data make."""


def read_protocol(evaluation: Path) -> dict[str, Any]:
    """The protocol of an evaluation's folder.

    Raises:
        RegistryError: if there is none.
    """
    file = evaluation / "protocol.json"
    if not file.exists():
        raise RegistryError("missing", expected="an evaluation", where=str(file), next_step=_EVALUATE)
    return read_json(file, _EVALUATE)


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    """The parts of two protocols that differ.

    >>> differing({"seed": 1, "item_count": 3}, {"seed": 2, "item_count": 3})
    {'seed'}
    """
    return {key for key in {**one, **other} if one.get(key) != other.get(key)}


def compare(challenger: Path, champion: Path, split: str, settings: EvaluateSettings) -> Comparison:
    """Challenger minus champion on the questions of `split`, overall and by group.

    `challenger`: folder of its evaluation, with predictions.parquet. `settings`: level, resamples and seed of the
    intervals.

    Raises:
        RegistryError: if one lacks answers, or the two were not asked the same questions.
    """
    ours, theirs = _answers(challenger, split), _answers(champion, split)
    both = ours.join(theirs["correct"].rename("champion_correct"), how="inner")
    if len(both) != len(ours) or len(both) != len(theirs):
        raise RegistryError(
            f"{len(ours)} and {len(theirs)} questions of split {split}, {len(both)} of them the same",
            expected="both evaluated on the same questions",
            where=str(champion),
            next_step="dvc repro evaluate && jmlr register",
        )
    first, second = both["correct"].to_numpy(dtype=bool), both["champion_correct"].to_numpy(dtype=bool)

    def difference(chosen: NDArray[np.bool_]) -> PairedDifference:
        return paired_difference(first[chosen], second[chosen], settings)

    groups, small = _groups(both)
    by_group = {name: difference(chosen) for name, chosen in groups.items()}
    return Comparison(difference(np.ones(len(both), dtype=np.bool_)), by_group, small)


def _answers(evaluation: Path, split: str) -> pd.DataFrame:
    """The arm's answers by question id, in the order of the ids."""
    file = evaluation / "predictions.parquet"
    if not file.exists():
        raise RegistryError("missing", expected="the answers of an evaluation", where=str(file), next_step=_EVALUATE)
    columns = ["question_id", "arm", "split", "text", "options", "subject", "question_type", "correct"]
    table = read_made(file, _EVALUATE, columns=columns).to_pandas()
    table = table[(table["arm"] == ARM) & (table["split"] == split)].set_index("question_id").sort_index()
    if table.empty:
        raise RegistryError(
            f"no answers of the arm {ARM} on split {split}",
            expected="an evaluation of the joint pair",
            where=str(file),
            next_step="set promote.split to an evaluated split",
        )
    return table


def _groups(answers: pd.DataFrame) -> tuple[dict[str, NDArray[np.bool_]], int]:
    """Which questions are in each group that is large enough, and how many groups are not."""
    questions = [_question(str(name), row) for name, row in answers.iterrows()]
    large, small = {}, 0
    for attribute, members in group_questions(questions).members.items():
        for group, chosen in members.items():
            if group == UNKNOWN:
                continue
            if int(chosen.sum()) < SMALL_BELOW:
                small += 1
            else:
                large[f"{attribute} {group}"] = chosen
    return large, small


def _question(name: str, row: Mapping[str, Any]) -> Question:
    subject, kind = row["subject"] or "", row["question_type"] or ""
    return Question(name, row["text"], tuple(row["options"]), 0, row["split"], subject=subject, question_type=kind)
