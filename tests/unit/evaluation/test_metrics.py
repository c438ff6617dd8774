"""What is chosen on dev is reported on other questions only."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial

import pytest
from measuring import SHORT

from jmlr.answering.answered import Answered
from jmlr.evaluation import arms, metrics
from jmlr.evaluation.readings import Readings
from jmlr.evaluation.report import page, table
from jmlr.evaluation.statistics.calibration import MIN_FITTED_ON
from jmlr.registry.version.contents import Abstaining
from jmlr.types import Question


def surprise(question: Question, answer: Answered) -> float:
    """Of a single answer: how improbable the chosen option was."""
    return 1 - max(answer.option_probabilities)


def reciprocal_length(ranking: Sequence[str], gold: Sequence[str]) -> float:
    """Of a ranking."""
    return 1 / len(ranking)


def test_a_metric_is_a_callable_in_a_registry_and_reaches_metrics_table_and_report(make, monkeypatch, tmp_path):
    monkeypatch.setitem(metrics.ANSWER_METRICS, "surprise", surprise)
    spread = metrics.Metric(lambda split: len(split.right) / 100, {"arms, in hundreds": "{:.2f}".format})
    rankings = {**metrics.ranking_metrics([1]), "reciprocal_length": reciprocal_length}
    monkeypatch.setattr(metrics, "ranking_metrics", lambda cutoffs: rankings)
    by_answer = {key: metrics.Metric(partial(arms.means, metric=one)) for key, one in metrics.ANSWER_METRICS.items()}
    registry = {**SHORT, **by_answer, "spread": spread}
    monkeypatch.setattr(table, "METRICS", registry)
    made = make(30)
    found = metrics.measure(made.settings, made.questions, Readings(made.answered), made.rankings, metrics=registry)
    assert 0 < found["test"]["surprise"]["rag"]["low"] < found["test"]["surprise"]["rag"]["value"] < 1
    assert found["test"]["retrieval"]["after"]["reciprocal_length"] == round(1 / 18, 6)
    report = page.ReportInputs(made.settings, found, made.questions, made.passages, made.answered, [], {}, {})
    page.write(tmp_path, report)
    shown = table.result_markdown(found), (tmp_path / page.REPORT_FILE).read_text(encoding="utf-8")
    for text in shown:
        assert "RAG (frozen retriever): surprise" in text
        assert "arms, in hundreds" in text
        assert "0.05" in text
    assert "<th>reciprocal length</th>" in shown[1]


@pytest.mark.parametrize("order", [("dev", "test"), ("test", "dev")])
def test_on_dev_no_temperature_and_no_threshold_is_reported(make, order):
    made = make(2 * MIN_FITTED_ON)
    moved = [
        dataclasses.replace(one, split="dev" if number % 2 else "test") for number, one in enumerate(made.questions)
    ]
    evaluate = made.settings.evaluate.model_copy(update={"splits": order, "bootstrap_samples": 100})
    settings = made.settings.model_copy(update={"evaluate": evaluate})
    dev = [one for one in moved if one.split == "dev"]
    readings = Readings(answered=made.answered, dev=dev, fitted_on={"jmlr": made.answered["jmlr"]})
    found = metrics.measure(settings, moved, readings, made.rankings)
    on_dev, on_test = (found[split]["confidence"]["jmlr"] for split in ("dev", "test"))
    assert (on_dev["temperature"], on_dev["scaled"], on_dev["abstention"]["abstaining"]["threshold"]) == (None,) * 3
    assert on_test["temperature"] is not None
    assert on_test["fitted_on_questions"] == len(dev)
    assert Abstaining.of_metrics(found, "jmlr").temperature == on_test["temperature"]
