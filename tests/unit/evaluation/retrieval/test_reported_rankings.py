"""Rankings besides before and after: order and names in metrics, table, plot and report; agreement with sklearn."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from measuring import measure_retrieval, summarise
from sklearn.metrics import label_ranking_average_precision_score, top_k_accuracy_score

from jmlr.evaluation.metrics import ranking_metrics
from jmlr.evaluation.report import figures, plots
from jmlr.evaluation.report import page as report
from jmlr.evaluation.report.table import result_rows
from jmlr.evaluation.retrieval.rankings import measures_by_question
from jmlr.types import Question

NAMES = ["before", "after", "bm25", "hybrid_before", "hybrid"]


@pytest.fixture
def made(make: Callable[[int], Any]) -> Any:
    """Inputs with all rankings there can be, in another order than the one they are listed in."""
    made = make(60)
    others = {name: made.rankings["before"] for name in ("hybrid", "bm25", "hybrid_before")}
    return dataclasses.replace(made, rankings={**others, **made.rankings})


@pytest.fixture
def metrics(made: Any) -> dict[str, Any]:
    return summarise(made.settings, made.questions, made.answered, made.rankings)


def test_metrics_and_plot_hold_every_ranking_in_one_order(metrics: dict[str, Any]) -> None:
    assert [list(found["retrieval"]) for found in metrics.values()] == [NAMES, NAMES]
    records = plots.success_records(metrics)
    assert list(dict.fromkeys(record["retriever"] for record in records)) == NAMES
    (drawn,) = figures.draw({"success_by_k": records}, {}).values()
    assert drawn.startswith("<?xml")
    assert set(figures.RETRIEVER_COLOURS) == set(NAMES)


def test_the_table_sets_bm25_and_the_hybrid_side_by_side(metrics: dict[str, Any]) -> None:
    metrics["test"]["retrieval"]["bm25"]["success_at_1"] = 0.25
    metrics["test"]["retrieval"]["hybrid"]["success_at_1"] = 0.5
    del metrics["test_seen"]["retrieval"]["bm25"]
    metrics["test_seen"]["retrieval"]["hybrid"]["success_at_1"] = 0.75
    summaries = result_rows(metrics)[2]
    assert summaries[-1] == ["success@1 BM25, hybrid", "25.0 %, 50.0 %", "?, 75.0 %"]


def test_the_report_names_them(made: Any, metrics: dict[str, Any], tmp_path) -> None:
    inputs = report.ReportInputs(
        made.settings, metrics, made.questions, made.passages, made.answered, made.history, made.ledger, {}
    )
    report.write(tmp_path, inputs)
    page = (tmp_path / report.REPORT_FILE).read_text(encoding="utf-8")
    for name in ("before", "after", "BM25", "before + BM25", "hybrid"):
        assert f'<th class="number">{name}</th>' in page


def test_values_by_question_leave_out_questions_without_gold_and_average_to_the_means() -> None:
    questions = [
        Question("q1", "?", ("a", "b"), 0, "test", gold_passage_ids=("p1",)),
        Question("q2", "?", ("a", "b"), 0, "test"),
        Question("q3", "?", ("a", "b"), 0, "test", gold_passage_ids=("p9",)),
    ]
    rankings = {"q1": ["p2", "p1"], "q2": ["p1"], "q3": ["p2"]}
    values = measures_by_question(questions, rankings, ranking_metrics([2, 1]))
    assert {name: each.tolist() for name, each in values.items()} == {
        "success_at_1": [0.0, 0.0],
        "success_at_2": [1.0, 0.0],
        "recall_at_1": [0.0, 0.0],
        "recall_at_2": [1.0, 0.0],
        "mrr": [0.5, 0.0],
        "ndcg_at_10": [pytest.approx(0.63093), 0.0],
    }
    means = measure_retrieval(questions, rankings, [2, 1])
    assert {name: means[name] for name in values} == {name: each.mean() for name, each in values.items()}


def test_success_recall_and_mrr_are_sklearns_for_one_gold_passage() -> None:
    draw = random.Random(4)
    names = [f"p{number}" for number in range(25)]
    questions = [
        Question(f"q{n}", "?", ("a", "b"), 0, "test", gold_passage_ids=(draw.choice(names),)) for n in range(40)
    ]
    rankings = {question.question_id: draw.sample(names, 25) for question in questions}
    gold = np.array([names.index(question.gold_passage_ids[0]) for question in questions])
    scores = np.array([[-rankings[q.question_id].index(name) for name in names] for q in questions])
    found = measure_retrieval(questions, rankings, [1, 5, 10])
    for k in (1, 5, 10):
        assert found[f"success_at_{k}"] == found[f"recall_at_{k}"]
        assert found[f"success_at_{k}"] == pytest.approx(
            top_k_accuracy_score(gold, scores, k=k, labels=range(len(names)))
        )
    assert found["mrr"] == pytest.approx(label_ranking_average_precision_score(np.eye(25)[gold], scores))
