"""The outcome of validation: as JSON, as lines to read, and as the error that stops the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jmlr.errors import ValidationFailed
from jmlr.settings import ValidateSettings
from jmlr.validation.drift import Comparison
from jmlr.validation.outcome import Outcome


def report(outcomes: Sequence[Outcome], bounds: ValidateSettings, drift: Comparison) -> dict[str, Any]:
    """What report.json holds: whether no critical expectation fails, counts, bounds, drift, and every outcome."""
    return {
        "success": not broken(outcomes, "critical"),
        "expectations": len(outcomes),
        "critical_failures": len(broken(outcomes, "critical")),
        "warnings": len(broken(outcomes, "warning")),
        "bounds": bounds.model_dump(),
        "drift": drift.as_json(),
        "outcomes": [outcome.as_json() for outcome in outcomes],
    }


def broken(outcomes: Sequence[Outcome], severity: str) -> list[Outcome]:
    """The failed outcomes of this severity."""
    return [outcome for outcome in outcomes if not outcome.success and outcome.severity == severity]


def lines(outcome: Outcome) -> list[str]:
    """A broken expectation, then its first rows.

    >>> row = {"split": "tset", "question_id": "q1"}
    >>> lines(Outcome("questions", "splits_known", "critical", False, "in set", 1, "", (row,)))
    ['questions, splits_known: 1 row(s)', '  question_id: q1; split: tset']
    """
    found = (
        f"{outcome.unexpected_count:,} row(s)" if outcome.rows else f"found {outcome.observed}; {outcome.expectation}"
    )
    if outcome.mostly < 1:
        share = outcome.unexpected_count / max(outcome.checked, 1)
        found += f", {share:.1%} of {outcome.checked:,}; at most {1 - outcome.mostly:.1%}"
    shown = ["  " + "; ".join(f"{name}: {value}" for name, value in reversed(row.items())) for row in outcome.rows]
    if outcome.unexpected_count > len(outcome.rows) > 0:
        shown.append(f"  and {outcome.unexpected_count - len(outcome.rows):,} more")
    return [f"{outcome.table}, {outcome.name}: {found}", *shown]


def refuse_broken(outcomes: Sequence[Outcome], data_docs: str) -> None:
    """Checks that every critical expectation holds.

    Args:
        outcomes: all of them.
        data_docs: where to read more.

    Raises:
        ValidationFailed: with the first rows of each that does not.
    """
    failed = broken(outcomes, "critical")
    if failed:
        shown = "\n  ".join(line for outcome in failed for line in lines(outcome))
        raise ValidationFailed(
            f"{len(failed)} critical expectation(s) fail:\n  {shown}",
            next_step=f"open {data_docs}, fix the data or the bounds in params.yaml (validate), then `dvc repro`",
        )
