"""What is chosen on dev is reported on other questions only."""

from __future__ import annotations

import dataclasses

import pytest

from jmlr.evaluation.metrics import measure
from jmlr.evaluation.session import Readings
from jmlr.evaluation.statistics.calibration import MIN_FITTED_ON
from jmlr.registry.version.facts import Abstaining


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
    metrics = measure(settings, moved, readings, made.rankings)
    on_dev, on_test = (metrics[split]["confidence"]["jmlr"] for split in ("dev", "test"))
    assert (on_dev["temperature"], on_dev["scaled"], on_dev["abstention"]["abstaining"]["threshold"]) == (None,) * 3
    assert on_test["temperature"] is not None
    assert on_test["fitted_on_questions"] == len(dev)
    assert Abstaining.of_metrics(metrics, "jmlr").temperature == on_test["temperature"]
