from __future__ import annotations

import pytest

from jmlr.evaluation.report.headline import headline


def _measured(low: float, high: float) -> dict[str, object]:
    arm = {"value": 0.9, "low": 0.85, "high": 0.95, "questions": 150}
    return {
        "accuracy": {"rag": arm | {"value": 0.4}, "jmlr": arm},
        "difference": {"jmlr_minus_rag": {"value": 0.5, "low": low, "high": high, "mcnemar_p": 1e-9}},
        "retrieval": {"before": {"success_at_1": 0.13}, "after": {"success_at_1": 0.84}},
        "chance": 0.25,
    }


def test_the_main_numbers_are_said() -> None:
    text = headline("test", _measured(0.4, 0.6), 0.9)
    for part in (
        "On 150 held-out test questions",
        "90.0 % right (90 % interval 85.0 to 95.0; guessing 25.0 %)",
        "+50.0 points (+40.0 to +60.0, McNemar p < 0.001): JMLR is better than RAG here.",
        "84.0 % of the questions, before training 13.0 %.",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(-0.1, 0.1, "JMLR and RAG do not differ significantly"), (-0.3, -0.1, "worse than"), (0.0, 0.2, "do not differ")],
)
def test_no_more_is_claimed_than_the_interval_allows(low: float, high: float, said: str) -> None:
    text = headline("test", _measured(low, high), 0.95)
    assert said in text
    assert "better" not in text


def test_without_arms_nothing_is_claimed() -> None:
    empty = {"accuracy": {}, "difference": {}, "retrieval": {}, "chance": 0.25}
    assert headline("test", empty, 0.95) == "No arm answered the held-out test questions."
