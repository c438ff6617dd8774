from __future__ import annotations

from pathlib import Path

import pytest

from jmlr.errors import RegistryError
from jmlr.evaluation.statistics.calibration import Graded
from jmlr.registry.version.contents import Abstaining, Facts
from jmlr.registry.version.index_store import StoredIndex

METRICS = {
    "test": {
        "confidence": {
            "rag": {"temperature": 9.0, "abstention": {"abstaining": {"threshold": 0.1, "wanted_accuracy": 0.95}}},
            "jmlr": {"temperature": 1.3, "abstention": {"abstaining": {"threshold": 0.6, "wanted_accuracy": 0.95}}},
        }
    }
}


def test_the_threshold_is_the_arms_own() -> None:
    assert Abstaining.of_metrics(METRICS, "jmlr") == Abstaining(1.3, 0.6, 0.95)


@pytest.mark.parametrize("metrics", [{}, {"test": {}}, {"test": {"confidence": {"rag": {}}}}])
def test_an_evaluation_that_chose_none_gives_none(metrics: dict) -> None:
    assert Abstaining.of_metrics(metrics, "jmlr") == Abstaining()


def test_a_temperature_that_was_not_fitted_is_one() -> None:
    found = {"temperature": None, "abstention": {"abstaining": {"threshold": None, "wanted_accuracy": 0.95}}}
    assert Abstaining.of_metrics({"test": {"confidence": {"jmlr": found}}}, "jmlr") == Abstaining(1.0, None, 0.95)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_confidence_is_that_of_the_evaluation(temperature: float) -> None:
    import numpy as np

    scores = [-1.0, -2.5, -0.2]
    expected = Graded(np.array([scores]), np.array([0]), np.array([False])).confidences(temperature)[0]
    assert Abstaining(temperature).confidence(scores) == pytest.approx(float(expected))


def test_very_unlikely_options_do_not_overflow() -> None:
    assert Abstaining(0.01).confidence([-1.0, -900.0]) == pytest.approx(1.0)


def test_an_answer_at_the_threshold_is_given() -> None:
    assert Abstaining(threshold=0.5).abstains(0.5) is False


@pytest.mark.parametrize("index", [None, StoredIndex("/store", "abc", "hash", {"index/CURRENT": [3, "hash"]})])
def test_facts_are_read_as_they_were_written(tmp_path: Path, index: StoredIndex | None) -> None:
    facts = Facts("unit", "pair", "run", Abstaining(1.3, 0.6, 0.95), index)
    facts.write(tmp_path)
    assert Facts.read(tmp_path) == facts


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"index": null, "abstaining": {}, "unknown": 1}'])
def test_a_broken_file_of_facts_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "version.json").write_text(content)
    with pytest.raises(RegistryError, match=r"version\.json: not the facts of a version"):
        Facts.read(tmp_path)


@pytest.mark.parametrize(("temperature", "calibrated"), [(1.3, True), (1.0, False), (0.01, False), (100.0, False)])
def test_what_no_temperature_calibrates_is_as_the_reader_says(temperature: float, calibrated: bool) -> None:
    abstaining = Abstaining(temperature)
    assert abstaining.calibrated is calibrated
    assert (abstaining.confidence([-1.0, -2.0]) == Abstaining().confidence([-1.0, -2.0])) is not calibrated
