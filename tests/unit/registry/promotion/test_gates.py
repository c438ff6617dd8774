from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from jmlr.errors import RegistryError
from jmlr.evaluation.statistics.accuracy import Interval, PairedDifference
from jmlr.registry.promotion import gates
from jmlr.registry.promotion.comparison import compare, differing, read_protocol
from jmlr.registry.promotion.gates import Comparison
from jmlr.settings import EvaluateSettings, PromoteSettings

EVALUATE = EvaluateSettings.model_construct(bootstrap_samples=1000, confidence=0.95, seed=1)
REPORT = {
    "success": True,
    "expectations": 42,
    "critical_failures": 0,
    "warnings": 1,
    "outcomes": [
        {"name": "test_not_in_train", "unexpected_count": 2},
        {"name": "test_not_in_passages", "unexpected_count": 1},
    ],
}


def bounds(**changes: Any) -> PromoteSettings:
    values = {
        "needs_approval": False, "split": "test", "allow_prompt_change": False, "max_accuracy_loss": 0.05,
        "must_improve": False, "min_net_helped": 1, "max_subgroup_loss": 0.1, "latency_questions": 3,
        "max_p50_seconds": 1.0, "max_size_gigabytes": 2.0,
    }  # fmt: skip
    return PromoteSettings.model_validate({**values, **changes})


def difference(low: float, value: float, high: float, helped: int = 5, hurt: int = 3) -> PairedDifference:
    return PairedDifference(Interval(value, low, high, 200), 0.5, helped, hurt, 192)


def compared(overall: PairedDifference, **groups: PairedDifference) -> Comparison:
    return Comparison(overall, groups, small_groups=1)


def test_validation_passes_only_with_a_report_without_critical_failures() -> None:
    assert gates.validation(REPORT).passed
    assert gates.validation(REPORT).detail == "42 expectations, 0 critical fail(s), 1 warning(s)"
    broken = gates.validation({**REPORT, "success": False, "critical_failures": 2})
    assert (broken.passed, broken.figure, broken.bound) == (False, 2, 0)
    assert not gates.validation({}).passed


def test_one_withdrawn_passage_is_too_many() -> None:
    assert gates.withdrawn([]).passed
    held = gates.withdrawn(["p1", "p2", "p3", "p4"])
    assert (held.passed, held.figure, held.bound, held.detail) == (False, 4, 0, "it contains p1, p2, p3, ...")


def test_leakage_is_a_share_of_the_questions() -> None:
    assert gates.leakage(REPORT, 100, 0.02).passed
    over = gates.leakage(REPORT, 100, 0.019)
    assert (over.passed, over.figure, over.bound) == (False, 0.02, 0.019)
    assert not gates.leakage({**REPORT, "outcomes": []}, 100, 0.5).passed
    assert not gates.leakage({}, 100, 0.5).passed


@pytest.mark.parametrize(
    ("low", "high", "must_improve", "passed"),
    [
        (-0.05, 0.03, False, True),
        (-0.051, 0.03, False, False),
        (0.0, 0.03, True, False),
        (0.001, 0.03, True, True),
    ],
)
def test_accuracy_is_held_against_the_lower_end_of_the_interval(
    low: float, high: float, must_improve: bool, passed: bool
) -> None:
    gate = gates.accuracy(compared(difference(low, 0.0, high)), bounds(must_improve=must_improve))
    assert (gate.passed, gate.figure) == (passed, low)


def test_more_questions_are_helped_than_hurt_or_none_changes() -> None:
    assert gates.helped(compared(difference(0, 0, 0, helped=4, hurt=3)), bounds()).passed
    assert not gates.helped(compared(difference(0, 0, 0, helped=3, hurt=3)), bounds()).passed
    assert gates.helped(compared(difference(0, 0, 0, helped=3, hurt=3)), bounds(min_net_helped=0)).passed
    same = compared(difference(0, 0, 0, helped=0, hurt=0))
    assert gates.helped(same, bounds()).passed
    assert not gates.helped(same, bounds(must_improve=True)).passed


def test_a_subgroup_may_lose_by_chance_but_not_for_sure() -> None:
    overall = difference(0.0, 0.01, 0.02)
    by_chance = difference(-0.25, -0.12, 0.01)
    for_sure = difference(-0.2, -0.11, -0.01)
    assert gates.subgroups(compared(overall, female=by_chance), bounds()).passed
    gate = gates.subgroups(compared(overall, female=by_chance, under_18=for_sure), bounds())
    assert (gate.passed, gate.figure, gate.bound) == (False, -0.11, -0.1)
    assert gate.detail.startswith("2 groups, 1 too small to judge; worst under_18: -11.0 points")
    assert gates.subgroups(compared(overall), bounds()).passed


def test_without_a_champion_nothing_is_to_be_compared() -> None:
    for gate in (gates.accuracy, gates.helped, gates.subgroups):
        assert gate(None, bounds()).passed
        assert gate(None, bounds()).detail == "no champion yet"
    assert [gate.passed for gate in gates.uncompared("other questions")] == [False] * 3


def test_latency_and_size_have_bounds_that_may_be_left_out() -> None:
    assert gates.latency(1.0, 1.0).passed
    slow = gates.latency(1.01, 1.0)
    assert (slow.passed, slow.may_pass) == (False, True)  # the machine may have been busy
    assert gates.latency(99.0, None).passed
    silent = gates.latency(None, None)
    assert (silent.passed, silent.may_pass) == (False, False)
    assert gates.size(2_000_000_000, 2.0).passed
    assert not gates.size(2_100_000_000, 2.0).passed
    assert gates.size(10**13, None).passed


def write_evaluation(folder: Path, right: list[bool], first: int = 0) -> Path:
    """An evaluation of women and, from the fortieth question on, men."""
    folder.mkdir()
    rows = [
        {
            "question_id": f"q{first + number:03d}", "arm": arm, "split": "test", "subject": "", "question_type": "",
            "text": f"A 50-year-old {'woman' if number < 40 else 'man'} coughs.", "options": ["a", "b"],
            "correct": is_right,
        }
        for number, is_right in enumerate(right)
        for arm in ("jmlr", "rag")
    ]  # fmt: skip
    pd.DataFrame(rows).sample(frac=1, random_state=3).to_parquet(folder / "predictions.parquet")
    return folder


def test_challenger_and_champion_are_paired_by_question_and_by_group(tmp_path: Path) -> None:
    ours = write_evaluation(tmp_path / "ours", [True] * 40 + [False] * 10 + [True] * 30)
    theirs = write_evaluation(tmp_path / "theirs", [False] * 20 + [True] * 60)
    found = compare(ours, theirs, "test", EVALUATE)
    assert (found.all_questions.helped, found.all_questions.hurt) == (20, 10)
    assert {name: of.interval.value for name, of in found.groups.items()} == {
        "age 40 to 64": 0.125, "sex female": 0.5, "sex male": -0.25,
    }  # fmt: skip


def test_small_groups_are_counted_and_not_judged(tmp_path: Path) -> None:
    ours = write_evaluation(tmp_path / "ours", [True] * 45)
    found = compare(ours, ours, "test", EVALUATE)
    assert "sex male" not in found.groups
    assert found.small_groups == 1


def test_other_questions_are_refused(tmp_path: Path) -> None:
    ours = write_evaluation(tmp_path / "ours", [True] * 30)
    theirs = write_evaluation(tmp_path / "theirs", [True] * 30, first=10)
    with pytest.raises(RegistryError, match="30 and 30 questions of split test, 20 of them the same"):
        compare(ours, theirs, "test", EVALUATE)
    with pytest.raises(RegistryError, match=r"no answers of the arm jmlr on split dev"):
        compare(ours, theirs, "dev", EVALUATE)


def test_a_missing_protocol_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"(?s)protocol\.json: missing.*jmlr register"):
        read_protocol(tmp_path)
    assert differing({"seed": 1, "prompt": {}}, {"seed": 1, "prompt": {"layout": "x"}}) == {"prompt"}
