"""The collapse guard: how long it waits, what it does, and that it stops a real training."""

from __future__ import annotations

import warnings

import pytest

from jmlr.errors import TrainingFailed
from jmlr.settings import CollapseSettings
from jmlr.training.collapse import CollapseGuard
from jmlr.training.joint import ArmRun, train_arm
from jmlr.training.sink import History


def settings(**changes) -> CollapseSettings:
    plain = {"min_distinct_top_1": 0.5, "min_score_spread": 0.1, "patience_steps": 2, "action": "stop"}
    return CollapseSettings(**{**plain, **changes})


def log(guard: CollapseGuard, *steps: tuple[float, float]) -> None:
    for number, (distinct, spread) in enumerate(steps, start=1):
        guard.check(number, {"distinct_top_1": distinct, "score_spread": spread})


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([(0.4, 1.0), (0.25, 1.0)], r"step 2: .*distinct_top_1 is 0\.25, .* for 2 steps; expected at least 0\.5"),
        ([(1.0, 0.05), (1.0, 0.0)], r"step 2: .*score_spread is 0, .* expected at least 0\.1 \(train\.collapse\.min_"),
    ],
)
def test_either_figure_below_its_bound_for_long_enough_stops(steps, message):
    with pytest.raises(TrainingFailed, match=message):
        log(CollapseGuard(settings()), *steps)


def test_steps_must_be_in_a_row_and_below_one_bound():
    log(CollapseGuard(settings()), (0.4, 1.0), (0.5, 0.05), (0.4, 0.1), (1.0, 0.05), (0.4, 1.0))


def test_arms_without_the_figures_are_never_collapsed():
    guard = CollapseGuard(settings(patience_steps=1))
    guard.check(1, {"reader_loss": 1.0})


def test_a_warning_is_given_once():
    guard = CollapseGuard(settings(action="warn"))
    with pytest.warns(UserWarning, match="the retriever has collapsed: distinct_top_1 is 0") as caught:
        log(guard, *[(0.0, 0.0)] * 5)
    assert len(caught) == 1


def test_it_remembers_across_processes():
    first, second = CollapseGuard(settings(patience_steps=3)), CollapseGuard(settings(patience_steps=3))
    log(first, (0.0, 1.0), (0.0, 1.0))
    second.recall(first.remember())
    with pytest.raises(TrainingFailed, match="for 3 steps"):
        log(second, (0.0, 1.0))
    warned, again = CollapseGuard(settings(action="warn")), CollapseGuard(settings(action="warn"))
    with pytest.warns(UserWarning, match="collapsed"):
        log(warned, (0.0, 1.0), (0.0, 1.0))
    again.recall(warned.remember())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log(again, (0.0, 1.0))


def test_a_collapsed_training_stops_and_its_other_arms_do_not(make_joint, tmp_path):
    collapse = settings(min_score_spread=1e6).model_dump()
    for arm in ("rag", "jmlr"):
        model = make_joint(arm, collapse=collapse)
        history = History(arm, None)
        run = ArmRun(1, tmp_path / arm, history)
        if arm == "rag":
            train_arm(model, run)
        else:
            with pytest.raises(TrainingFailed, match=r"arm jmlr, step 2: the retriever has collapsed: score_spread"):
                train_arm(model, run)
            assert history.rows[-1]["step"] == 2
