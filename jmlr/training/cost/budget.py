"""What an arm's training costs while it runs: its speed, an estimate after a few steps, and the end of the budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn
from tqdm import tqdm

from jmlr.errors import BudgetReached
from jmlr.settings import TrainSettings
from jmlr.training import processes
from jmlr.training.cost.flops import TokenCounter
from jmlr.training.cost.tries import SECONDS_PER_HOUR, Tries, Try
from jmlr.training.sink import MetricSink

ESTIMATE_AFTER_STEPS = 3
"""Steps of a try after which its length is estimated; the first one warms up and does not count."""


class CostMeter:
    """A metric sink that measures one try of one arm, and ends it with a checkpoint when the budget is spent.

    Args:
        arm: its name.
        settings: `budget_device_hours` and `device_peak_tflops`.
        tries: of the whole training; this one is opened at once.
        onward: takes the metrics of each step, with its cost.
        say: takes a line for the user.
    """

    def __init__(
        self,
        arm: str,
        settings: TrainSettings,
        tries: Tries,
        onward: MetricSink | None,
        say: Callable[[str], None] = tqdm.write,
    ) -> None:
        self._arm, self._settings, self._tries, self._onward, self._say = arm, settings, tries, onward, say
        self._hours_before, self._arm_hours_before = tries.device_hours(), tries.device_hours(arm)
        self.current: Try = tries.open(arm)
        self._counter: TokenCounter | None = None
        self._first_step = self._last_step = 0
        self._warm_seconds = self._logged_seconds = 0.0
        self._estimated_hours: float | None = None

    def __enter__(self) -> CostMeter:
        self.current.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.current.__exit__(*error)
        if self._counter is not None:
            self._counter.close()

    @property
    def spent_device_hours(self) -> float:
        """Of all arms and tries, this one included."""
        return self._hours_before + self.current.device_hours

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Hands on `values` of the step numbered `step`, with its cost beside them."""
        if self._onward is not None:
            self._onward.log(step, {**values, **self.measure()})

    def measure(self) -> dict[str, float]:
        """Cost of what was done since the last call; tokens and operations are those of this process's device."""
        seconds = self.current.seconds
        passed, self._logged_seconds = seconds - self._logged_seconds, seconds
        values = {"step_seconds": passed, "spent_device_hours": self.spent_device_hours}
        if self._estimated_hours is not None:
            values["estimated_device_hours"] = self._estimated_hours
        if self._counter is not None and passed > 0:
            work = self._counter.take()
            flops = work.pop("flops")
            values |= {"tokens_per_second": sum(work.values()) / passed, "flops": flops, **work}
            if self._settings.device_peak_tflops is not None:
                values["mfu"] = flops / passed / (self._settings.device_peak_tflops * 1e12)
        return values

    def begin(self, model: nn.Module, done: int, refresh_seconds: Callable[[], float]) -> None:
        """Begins to count after `done` steps.

        Args:
            model: the arm's JointModel.
            done: steps of earlier tries.
            refresh_seconds: tells what refreshes have taken so far.

        Raises:
            BudgetReached: if the budget is spent already.
        """
        self._first_step = self._last_step = done
        self._counter = TokenCounter(model)
        self.current.refresh_seconds = refresh_seconds
        self._logged_seconds = self.current.seconds
        if self._is_spent():
            raise self.spent()

    def after(self, step: int) -> bool:
        """Counts a step, estimates after the third one, and tells whether the training must stop before it is over."""
        self._last_step, done = step, step - self._first_step
        if done == 1:
            self._warm_seconds = self.current.seconds
        if done >= ESTIMATE_AFTER_STEPS:
            self._estimate(announce=done == ESTIMATE_AFTER_STEPS and processes.is_first())
        self.current.beat()
        return step < self._settings.steps and self._is_spent()

    def _estimate(self, announce: bool) -> None:
        """Device hours of the arm: those of its tries so far, and the steps left at the mean speed of this try."""
        steps_left = self._settings.steps - self._last_step
        measured_steps = self._last_step - self._first_step - 1
        step_seconds = (self.current.seconds - self._warm_seconds) / measured_steps
        left_seconds = step_seconds * steps_left
        left_hours = left_seconds * self._tries.devices / SECONDS_PER_HOUR
        self._estimated_hours = self._arm_hours_before + self.current.device_hours + left_hours
        if announce:
            self._say(
                f"{self._arm}: {step_seconds:.2f} s a step, about {left_seconds:.0f} s for the {steps_left} steps "
                f"left; {self._estimated_hours:.3f} {self._tries.device} hours in all, without refreshes to come"
            )
            self._warn(left_hours)

    def _warn(self, left_hours: float) -> None:
        """Says at about which step the budget will be spent, if it will."""
        budget, steps = self._settings.budget_device_hours, self._settings.steps
        if budget is not None and self.spent_device_hours + left_hours > budget:
            share = max(0.0, budget - self.spent_device_hours) / left_hours
            step = self._last_step + int(share * (steps - self._last_step))
            self._say(
                f"{self._arm}: train.budget_device_hours ({budget:g}) will be spent at about step {step} of {steps}"
            )

    def _is_spent(self) -> bool:
        """Whether the budget is spent; the first process decides, so that all stop at the same step."""
        budget = self._settings.budget_device_hours
        return budget is not None and bool(processes.gather(self.spent_device_hours >= budget)[0])

    def spent(self) -> BudgetReached:
        """The error that ends a training whose budget is spent, once its checkpoint is saved."""
        done = self._last_step
        stopped = f"stopped after step {done} of {self._settings.steps}, its checkpoint is saved"
        return BudgetReached(
            f"{self.spent_device_hours:.3f} device hours are spent and the budget is "
            f"{self._settings.budget_device_hours:g}; arm {self._arm} {stopped if done else 'was not begun'}",
            expected="a training that ends within its budget",
            where="params.yaml, train.budget_device_hours",
            next_step="raise train.budget_device_hours, then `dvc repro train` goes on from the checkpoint",
        )
