"""A progress artifact per arm, from the lines of its progress bar."""

from __future__ import annotations

import re

from prefect.artifacts import create_progress_artifact, update_progress_artifact

_BAR = re.compile(r"^training (\w+): +(\d+)%\|")


def percent_of(line: str) -> tuple[str, float] | None:
    """The arm and how much of its steps are done, in percent; None of other lines.

    >>> percent_of("training closed_book:  42%|####      | 50/120 [00:57<01:24,  1.20s/step, loss=1.2]")
    ('closed_book', 42.0)
    >>> percent_of("closed_book: 120 steps in 8 s on cpu")
    """
    found = _BAR.match(line)
    return (found[1], float(found[2])) if found else None


class TrainingProgress:
    """Takes the lines of `jmlr train` and keeps one artifact of each arm up to date; in a flow or task of Prefect."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[object, float]] = {}

    def see(self, line: str) -> None:
        """Moves the arm's artifact if the line tells its progress."""
        found = percent_of(line)
        if found is None:
            return
        arm, percent = found
        artifact, shown = self._made.get(arm, (None, -1.0))
        if artifact is None:
            key = f"training-{arm.replace('_', '-')}"
            artifact = create_progress_artifact(progress=percent, key=key, description=f"Training of the arm {arm}")
        elif percent > shown:
            update_progress_artifact(artifact_id=artifact, progress=percent)  # type: ignore[arg-type]
        self._made[arm] = artifact, percent
