"""What an arm's training costs while it runs: its speed, an estimate after a few steps, and the end of the budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from jmlr.errors import BudgetReached
from jmlr.settings import TrainSettings
from jmlr.training import processes
from jmlr.training.cost.flops import TokenCounter
from jmlr.training.cost.tries import SECONDS_PER_HOUR, Tries, Try
from jmlr.training.sink import MetricSink

ESTIMATE_AFTER_STEPS = 3
"""Steps of a try after which its length is estimated; the first one warms up and does not count."""


class CostMeter(TrainerCallback):
    """Measures one try of one arm, and ends it with a checkpoint when the budget is spent.

    Args:
        arm: its name.
        settings: `budget_device_hours` and `device_peak_tflops`.
        tries: of the whole training; this one is opened at once.
        say: takes a line for the user.

    Raises (at the end of training, after the checkpoint is saved; or before the first step):
        BudgetReached: if the device hours of all tries pass `budget_device_hours`.
    """

    def __init__(
        self, arm: str, settings: TrainSettings, tries: Tries, say: Callable[[str], None] = tqdm.write
    ) -> None:
        self._arm, self._settings, self._tries, self._say = arm, settings, tries, say
        self._hours_before, self._arm_hours_before = tries.device_hours(), tries.device_hours(arm)
        self.current: Try = tries.open(arm)
        self._counter: TokenCounter | None = None
        self._first_step = self._last_step = 0
        self._warm_seconds = self._logged_seconds = 0.0
        self._estimated_hours: float | None = None
        self._spent_by_budget = False

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

    def sink(self, onward: MetricSink | None) -> MetricSink | None:
        """A sink that adds the step's cost to what it hands on."""
        return None if onward is None else _CostSink(self, onward)

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

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """Begins to count; refuses to begin a training whose budget is spent."""
        self._first_step = self._last_step = state.global_step
        self._counter = TokenCounter(others["model"])
        self._logged_seconds = self.current.seconds
        if self._is_spent():
            self._stop(state)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        """Estimates after the third step; asks for a checkpoint and the end where the budget is spent."""
        self._last_step = state.global_step
        done = state.global_step - self._first_step
        if done == 1:
            self._warm_seconds = self.current.seconds
        if done >= ESTIMATE_AFTER_STEPS:
            self._estimate(state, announce=done == ESTIMATE_AFTER_STEPS and state.is_world_process_zero)
        self.current.beat()
        if state.global_step < state.max_steps and self._is_spent():
            self._spent_by_budget = control.should_save = control.should_training_stop = True

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        """Tells why a training ended early."""
        if self._spent_by_budget:
            self._stop(state)

    def _estimate(self, state: TrainerState, announce: bool) -> None:
        """Device hours of the arm: those of its tries so far, and the steps left at the mean speed of this try."""
        steps_left = state.max_steps - state.global_step
        measured_steps = state.global_step - self._first_step - 1
        step_seconds = (self.current.seconds - self._warm_seconds) / measured_steps
        left_seconds = step_seconds * steps_left
        left_hours = left_seconds * self._tries.devices / SECONDS_PER_HOUR
        self._estimated_hours = self._arm_hours_before + self.current.device_hours + left_hours
        if announce:
            self._say(
                f"{self._arm}: {step_seconds:.2f} s a step, about {left_seconds:.0f} s for the {steps_left} steps "
                f"left; {self._estimated_hours:.3f} {self._tries.device} hours in all, without refreshes to come"
            )
            self._warn(state, left_hours)

    def _warn(self, state: TrainerState, left_hours: float) -> None:
        """Says at about which step the budget will be spent, if it will."""
        budget = self._settings.budget_device_hours
        if budget is not None and self.spent_device_hours + left_hours > budget:
            share = max(0.0, budget - self.spent_device_hours) / left_hours
            step = state.global_step + int(share * (state.max_steps - state.global_step))
            self._say(
                f"{self._arm}: train.budget_device_hours ({budget:g}) will be spent at about step {step} "
                f"of {state.max_steps}"
            )

    def _is_spent(self) -> bool:
        """Whether the budget is spent; the first process decides, so that all stop at the same step."""
        budget = self._settings.budget_device_hours
        if budget is None:
            return False
        return bool(processes.gather(self.spent_device_hours >= budget)[0])

    def _stop(self, state: TrainerState) -> None:
        stopped = f"stopped after step {state.global_step} of {state.max_steps}, its checkpoint is saved"
        budget = self._settings.budget_device_hours
        raise BudgetReached(
            f"{self.spent_device_hours:.3f} device hours are spent and the budget is {budget:g}; "
            f"arm {self._arm} {stopped if state.global_step else 'was not begun'}",
            expected="a training that ends within its budget",
            where="params.yaml, train.budget_device_hours",
            next_step="raise train.budget_device_hours, then `dvc repro train` goes on from the checkpoint",
        )


class _CostSink:
    """Hands metrics on with the cost of the step beside them."""

    def __init__(self, meter: CostMeter, onward: MetricSink) -> None:
        self._meter, self._onward = meter, onward

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Takes `values` of the step numbered `step`."""
        self._onward.log(step, {**values, **self._meter.measure()})
