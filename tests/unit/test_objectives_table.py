"""The table of benchmarks/objectives.py says what its rows say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from jmlr.settings import TrainSettings, recipes
from jmlr.types import Question


@pytest.fixture
def objectives(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    file = Path(__file__).parents[2] / "benchmarks" / "objectives.py"
    monkeypatch.syspath_prepend(str(file.parent))
    spec = importlib.util.spec_from_file_location("objectives", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(seed: int, arm: str, accuracy: float) -> dict[str, object]:
    recalls = {f"success_at_{k}": 0.5 for k in (1, 2, 30)}
    return {"seed": seed, "arm": arm, "accuracy": accuracy, "gold_accuracy": 1.0, **recalls}


def test_means_intervals_and_the_share_of_the_distance(objectives):
    rows = [row(1, "rag", 0.6), row(2, "rag", 0.5), row(1, "jmlr", 0.9), row(2, "jmlr", 0.9)]
    text = objectives.tables.objectives(rows)
    # Student's t of two seeds: 12.706 standard errors; those of 0.6 and 0.5 are 0.05.
    assert "| rag | 2 | 0.550 ± 0.635 | 1.000 | 0.500 | 0.500 |  |" in text
    assert "jmlr - rag, accuracy, paired by seed: 0.350 ± 0.635" in text
    # (0.9 - 0.6) / 0.4 and (0.9 - 0.5) / 0.5
    assert "that jmlr closes: 0.775 ± 0.318" in text


def test_a_seed_without_its_baseline_is_in_no_difference(objectives):
    text = objectives.tables.objectives([row(1, "rag", 0.6), row(2, "jmlr", 0.9)])
    assert "paired" not in text
    assert "closes" not in text


def test_every_arm_changes_what_it_says_and_makes_valid_settings(objectives):
    blocks = recipes.load("starter", Path(__file__).parents[2] / "conf").train.model_dump()
    made = [
        TrainSettings.model_validate({**blocks, **{name: {**blocks[name], **block} for name, block in changes.items()}})
        for _, changes in objectives.EVERY_ARM.values()
    ]
    joint = [settings for settings, (arm, _) in zip(made, objectives.EVERY_ARM.values(), strict=True) if arm == "jmlr"]
    assert all(one != other for number, one in enumerate(joint) for other in joint[:number])


def test_settings_are_chosen_by_conditions_that_are_neither_trained_on_nor_tested(objectives):
    questions = [
        Question(f"{subject}/{number}", "?", ("a", "b"), 0, split, subject=f"{split} {subject}")
        for split, subjects in (("train", 40), ("dev", 5), ("test", 7), ("test_seen", 3))
        for subject in range(subjects)
        for number in range(2)
    ]
    trained, tested = objectives.split(questions, held_out=False)
    assert (len(trained), {question.split for question in tested}) == (80, {"test"})
    trained, tested = objectives.split(questions, held_out=True)
    assert (len(trained), len(tested)) == (30, 60)
    assert {question.split for question in tested} == {"train", "dev"}
    assert not {question.subject for question in trained} & {question.subject for question in tested}
