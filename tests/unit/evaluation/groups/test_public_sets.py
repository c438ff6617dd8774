"""Public sets: accuracy on each by hand, their unweighted mean, and the paper's table."""

from __future__ import annotations

import numpy as np
import pytest

from jmlr.evaluation.groups.public_sets import PAPER, by_set, paper_table
from jmlr.types import Question


def make(source: str, count: int, subject: str = "") -> list[Question]:
    return [
        Question(f"{source}{subject}{n}", "?", ("a", "b"), 0, "test", source=source, subject=subject)
        for n in range(count)
    ]


def test_each_set_counts_once_in_the_mean(evaluate):
    questions = [*make("medqa", 4), *make("medmcqa", 2)]
    found = by_set(questions, {"jmlr": np.array([1, 1, 1, 0, 0, 0], bool), "jmlr_gold": np.array([True])}, evaluate)
    assert found["MedQA"]["accuracy"]["jmlr"]["value"] == 0.75
    assert found["MedMCQA"] == {
        "questions": 2,
        "accuracy": {"jmlr": {"value": 0.0, "low": 0.0, "high": pytest.approx(0.657620)}},
    }
    assert found["mean"]["accuracy"]["jmlr"]["value"] == pytest.approx(0.375)
    assert list(found) == ["MedQA", "MedMCQA", "mean"]


def test_mirage_repeats_other_sets_and_counts_only_alone(evaluate):
    right = {"jmlr": np.array([1, 0, 1, 1], bool)}
    beside = by_set([*make("medqa", 2), *make("mirage/medqa", 2)], right, evaluate)
    assert beside["MIRAGE medqa"]["accuracy"]["jmlr"]["value"] == 1
    assert beside["mean"] == {"questions": 2, "accuracy": {"jmlr": {"value": 0.5}}}
    alone = by_set([*make("mirage/mmlu", 2), *make("mirage/medqa", 2)], right, evaluate)
    assert alone["mean"] == {"questions": 4, "accuracy": {"jmlr": {"value": 0.75}}}


def test_one_set_needs_no_mean_and_mmlu_shows_its_subjects(evaluate):
    questions = [*make("mmlu", 2, "anatomy"), *make("mmlu", 1, "virology")]
    found = by_set(questions, {"rag": np.array([1, 0, 1], bool)}, evaluate)
    assert list(found) == ["MMLU-Medical"]
    assert found["MMLU-Medical"]["subjects"] == {
        "anatomy": {"questions": 2, "accuracy": {"rag": 0.5}},
        "virology": {"questions": 1, "accuracy": {"rag": 1.0}},
    }


def test_the_papers_figures_stand_beside_ours(evaluate):
    sets = by_set(make("medqa", 2), {"jmlr": np.array([True, False])}, evaluate)
    header, rows = paper_table(sets, {"jmlr": "JMLR"})
    assert header == ["right answers, %", "MedQA", "AMBOSS", "MMLU-Medical", "MedMCQA", "mean"]
    assert rows[0] == ["JMLR-13B (paper)", "62.5", "81.2", "72.8", "65.5", "70.5"]
    assert len(rows) == len(PAPER) + 1
    assert rows[-1][0] == "JMLR (this run)"
    assert rows[-1][1].startswith("50.0 (")
    assert rows[-1][2:] == ["not run here"] * 4
