"""Cost of an arm under a clock that the training moves: a step takes ten seconds."""

from __future__ import annotations

import pytest
import torch
from closeness import assert_all_close

from jmlr.errors import BudgetReached
from jmlr.training.cost.budget import CostMeter
from jmlr.training.cost.tries import Tries
from jmlr.training.joint import ArmRun, train_arm
from jmlr.training.refresh import PoolRefresh
from jmlr.training.sink import History

pytestmark = pytest.mark.numerical

STEP_SECONDS = 10.0


class Steps(dict):
    """A sink that keeps the metrics of each step."""

    def log(self, step, values):
        self[step] = dict(values)


class Run:
    """Trains tiny arms in one folder, a process after another, under a clock that every step moves."""

    def __init__(self, folder) -> None:
        self.folder, self.now, self.said, self.steps = folder, 0.0, [], Steps()

    def tries(self, devices: int = 1) -> Tries:
        return Tries(self.folder / "tries.jsonl", "cpu", devices, lambda: self.now)

    def train(self, model, tries: Tries | None = None):
        forward = model.forward

        def slow(**inputs):
            self.now += STEP_SECONDS
            return forward(**inputs)

        model.forward = slow
        meter = CostMeter(model.arm, model.settings, tries or self.tries(), self.steps, self.said.append)
        history = History(model.arm, meter)
        checkpoints = self.folder / model.arm
        with meter:
            return train_arm(model, ArmRun(1, checkpoints, history, meter)), history


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    monkeypatch.delenv("RANK", raising=False)
    return Run(tmp_path)


def weights(model) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def test_every_step_says_what_it_cost(run, make_joint):
    _, history = run.train(make_joint("jmlr", device_peak_tflops=2e-6))
    assert sorted(run.steps) == [1, 2, 3, 4]
    step = run.steps[2]
    tokens = sum(value for name, value in step.items() if name.endswith("_tokens"))
    assert step["step_seconds"] == STEP_SECONDS
    assert step["tokens_per_second"] == pytest.approx(tokens / STEP_SECONDS)
    assert step["mfu"] == pytest.approx(step["flops"] / STEP_SECONDS / 2e6)
    assert step["spent_device_hours"] == pytest.approx(2 * STEP_SECONDS / 3600)
    assert "flops" not in {row["name"] for row in history.rows}, "what the clock says is no part of the training"


def test_refreshed_passages_count_with_the_step_before(run, make_joint):
    """A refresh encodes all 20 passages after step 2 of 4, and no other step does."""
    run.train(make_joint("jmlr"))
    scored = [run.steps[step]["retriever_scored_tokens"] for step in (1, 2, 3, 4)]
    assert scored[0] == scored[2] == scored[3] == 0
    assert scored[1] > 20


def test_without_a_peak_there_is_no_mfu(run, make_joint):
    run.train(make_joint("closed_book", steps=1))
    assert "mfu" not in run.steps[1]


def test_the_estimate_comes_after_three_steps_and_leaves_the_first_out(run, make_joint):
    model = make_joint("rag", steps=9)
    forward, warm_up_seconds = model.forward, [50]

    def warming_up(**inputs):
        run.now += warm_up_seconds.pop() if warm_up_seconds else 0
        return forward(**inputs)

    model.forward = warming_up
    run.train(model, run.tries(devices=3))
    assert run.said == [
        "rag: 10.00 s a step, about 60 s for the 6 steps left; 0.117 cpu hours in all, without refreshes to come"
    ]
    assert "estimated_device_hours" not in run.steps[2]
    for step in (3, 9):
        assert run.steps[step]["estimated_device_hours"] == pytest.approx((50 + 9 * STEP_SECONDS) * 3 / 3600)


def test_an_estimate_beyond_the_budget_names_the_step(run, make_joint):
    with pytest.raises(BudgetReached, match="stopped after step 5 of 9"):
        run.train(make_joint("rag", steps=9, budget_device_hours=50 / 3600))
    assert run.said[1] == "rag: train.budget_device_hours (0.0138889) will be spent at about step 5 of 9"


def test_a_spent_budget_stops_with_a_checkpoint_and_a_larger_one_goes_on_from_it(run, make_joint):
    undisturbed = make_joint("closed_book", steps=6)
    Run(run.folder / "undisturbed").train(undisturbed)
    stopped, still_stopped, resumed = (
        make_joint("closed_book", steps=6, save_every_steps=6, budget_device_hours=hours)
        for hours in (25 / 3600, 25 / 3600, 1.0)
    )
    message = (
        r"(?s)params\.yaml, train\.budget_device_hours: 0\.008 device hours are spent and the budget is 0\.00694444; "
        r"arm closed_book stopped after step 3 of 6, its checkpoint is saved.*raise train\.budget_device_hours, then "
        r"`dvc repro train`"
    )
    with pytest.raises(BudgetReached, match=message):
        run.train(stopped)
    assert (run.folder / "closed_book" / "checkpoint-3").is_dir()
    with pytest.raises(BudgetReached, match="stopped after step 3 of 6"):
        run.train(still_stopped)
    measured, _ = run.train(resumed)
    assert measured["steps"] == 6
    assert_all_close(weights(resumed), weights(undisturbed))
    rows = run.tries().rows("closed_book")
    assert [(row["outcome"], row["seconds"]) for row in rows] == [
        ("BudgetReached", 30.0), ("BudgetReached", 0.0), ("finished", 30.0),
    ]  # fmt: skip


def test_what_other_arms_and_failed_tries_cost_is_spent_too(run, make_joint):
    with run.tries().open("closed_book"):
        run.now += 90
    with pytest.raises(BudgetReached, match="arm rag was not begun"):
        run.train(make_joint("rag", budget_device_hours=60 / 3600))
    with pytest.raises(BudgetReached, match="stopped after step 2 of 4"):
        run.train(make_joint("rag", budget_device_hours=105 / 3600))


def test_the_last_step_is_not_stopped(run, make_joint):
    measured, _ = run.train(make_joint("closed_book", steps=2, budget_device_hours=15 / 3600))
    assert measured["steps"] == 2


def test_a_failed_try_is_written_down(run, make_joint, monkeypatch):
    class Breaks(PoolRefresh):
        def after(self, step):
            if step == 2:
                raise OSError("disk full")
            return super().after(step)

    monkeypatch.setattr("jmlr.training.joint.PoolRefresh", Breaks)
    with pytest.raises(OSError, match="disk full"):
        run.train(make_joint("rag"))
    assert [(row["outcome"], row["seconds"]) for row in run.tries().rows()] == [("OSError", 20.0)]
