"""Over seeds: Student's t by hand, differences within each run."""

from __future__ import annotations

import pytest

from jmlr.errors import DataError
from jmlr.evaluation.statistics.seeds import aggregate, over_seeds


def run_of(jmlr: float, rag: float, **more: float) -> dict:
    accuracy = {"jmlr": {"value": jmlr}, "rag": {"value": rag}, **{arm: {"value": v} for arm, v in more.items()}}
    retrieval = {"before": {"success_at_1": 0.3}, "after": {"success_at_1": jmlr - 0.1}, "bm25": {"questions": 0}}
    return {
        "test": {"accuracy": accuracy, "difference": {"jmlr_minus_rag": {"value": jmlr - rag}}, "retrieval": retrieval}
    }


def test_three_seeds_by_hand():
    found = over_seeds([0.8, 0.9, 1.0], 0.95)
    assert found["value"] == pytest.approx(0.9)
    assert found["half_width"] == pytest.approx(4.302653 * 0.1 / 3**0.5, rel=1e-6)  # t(0.975, 2)


def test_one_seed_has_no_interval():
    assert over_seeds([0.8], 0.95) == {"value": 0.8, "half_width": None, "seeds": 1}


def test_a_difference_is_taken_within_each_run():
    found = aggregate([run_of(0.9, 0.5), run_of(0.7, 0.3)], 0.95)["test"]
    assert found["accuracy"]["jmlr"]["half_width"] > 1
    assert found["difference"]["jmlr_minus_rag"] == {
        "value": pytest.approx(0.4),
        "half_width": pytest.approx(0, abs=1e-9),
        "seeds": 2,
    }
    assert set(found["success_at_1"]) == {"before", "after"}


def test_a_run_from_before_recall_was_measured_counts_with_what_it_called_recall():
    old = run_of(0.7, 0.3)
    for found in old["test"]["retrieval"].values():
        if "success_at_1" in found:
            found["recall_at_1"] = found.pop("success_at_1")
    found = aggregate([run_of(0.9, 0.5), old], 0.95)["test"]["success_at_1"]
    assert found["after"]["value"] == pytest.approx(0.7)
    assert found["before"]["seeds"] == 2


def test_what_a_run_lacks_is_left_out():
    found = aggregate([run_of(0.9, 0.5, closed_book=0.2), run_of(0.7, 0.3)], 0.95)
    assert set(found["test"]["accuracy"]) == {"jmlr", "rag"}
    assert aggregate([run_of(0.9, 0.5), {}], 0.95) == {}
    with pytest.raises(DataError, match="no runs"):
        aggregate([], 0.95)
