"""Accuracy on each public question set and their mean, and the figures the paper reports on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from jmlr.evaluation.notation import interval
from jmlr.evaluation.statistics.accuracy import mean_interval
from jmlr.settings import EvaluateSettings
from jmlr.types import Question

_TABLE = yaml.safe_load((resources.files("jmlr.evaluation.groups") / "public_sets.yaml").read_text(encoding="utf-8"))
NAMES: dict[str, str] = _TABLE["names"]
MIRAGE = "MIRAGE "
PAPER_SETS = ("MedQA", "AMBOSS", "MMLU-Medical", "MedMCQA")
PAPER: dict[str, dict[str, float]] = _TABLE["paper"]
"""Accuracy in % as arXiv 2402.17887 prints it; none of it was measured here."""


def name_of(question: Question) -> str:
    """The public set a question comes from, MIRAGE's parts by their own names; else its source.

    >>> [name_of(Question("q", "?", ("a", "b"), 0, "test", source=s)) for s in ("mmlu", "mirage/medqa", "my exam")]
    ['MMLU-Medical', 'MIRAGE medqa', 'my exam']
    """
    first, _, rest = question.source.partition("/")
    if first == "mirage":
        return f"{MIRAGE}{rest}"
    return NAMES.get(first.lower(), question.source or "no source")


def by_set(
    questions: Sequence[Question], right: Mapping[str, NDArray[np.bool_]], settings: EvaluateSettings
) -> dict[str, Any]:
    """Accuracy of every arm on each set, and the unweighted mean over the sets, as the paper takes it.

    `right`: per arm whether each question was answered right; arms that were not asked all questions are left out.

    Returns:
        Per set: questions, accuracy per arm {value, low, high}; of six or more subjects in a set also `subjects`,
        accuracy per subject and arm. `mean`: accuracy per arm, if there is more than one set; MIRAGE repeats questions
        of other sets, so beside those its parts are left out of it.
    """
    names = np.array([name_of(question) for question in questions])
    arms = {arm: values for arm, values in right.items() if len(values) == len(questions)}
    found: dict[str, Any] = {}
    for name in dict.fromkeys(names):
        rows = names == name
        found[str(name)] = {
            "questions": int(rows.sum()),
            "accuracy": {arm: mean_interval(values[rows], settings).bounds for arm, values in arms.items()},
        }
        if name == "MMLU-Medical":
            found[str(name)]["subjects"] = _by_subject(questions, rows, arms)
    if len(found) > 1:
        sets = [one for name, one in found.items() if not name.startswith(MIRAGE)] or list(found.values())
        mean = {arm: float(np.mean([one["accuracy"][arm]["value"] for one in sets])) for arm in arms}
        found["mean"] = {
            "questions": sum(one["questions"] for one in sets),
            "accuracy": {arm: {"value": value} for arm, value in mean.items()},
        }
    return found


def _by_subject(
    questions: Sequence[Question], rows: NDArray[np.bool_], arms: Mapping[str, NDArray[np.bool_]]
) -> dict[str, Any]:
    subjects = np.array([question.subject for question in questions])
    return {
        subject: {
            "questions": int((rows & (subjects == subject)).sum()),
            "accuracy": {arm: float(values[rows & (subjects == subject)].mean()) for arm, values in arms.items()},
        }
        for subject in sorted({str(subject) for subject in subjects[rows]})
    }


def paper_table(sets: Mapping[str, Any], labels: Mapping[str, str]) -> tuple[list[str], list[list[str]]]:
    """Header and rows in the shape of the paper's table: the paper's figures, then ours on the same sets.

    `sets`: what `by_set` returned.

    >>> found = {"MedQA": {"accuracy": {"jmlr": {"value": 0.5, "low": 0.4, "high": 0.6}}}}
    >>> header, rows = paper_table(found, {"jmlr": "JMLR"})
    >>> rows[-1]
    ['JMLR (this run)', '50.0 (40.0 to 60.0)', 'not run here', 'not run here', 'not run here', 'not run here']
    """
    rows = []
    for model, figures in PAPER.items():
        shown = [f"{figures[name]:.1f}" if name in figures else "-" for name in (*PAPER_SETS, "mean")]
        rows.append([f"{model} (paper)", *shown])
    for arm, label in labels.items():
        measured = [sets.get(name, {}).get("accuracy", {}).get(arm) for name in PAPER_SETS]
        mean = f"{100 * sum(m['value'] for m in measured) / 4:.1f}" if all(measured) else "not run here"
        cells = [interval(found) if found else "not run here" for found in measured]
        rows.append([f"{label} (this run)", *cells, mean])
    return ["right answers, %", *PAPER_SETS, "mean"], rows
