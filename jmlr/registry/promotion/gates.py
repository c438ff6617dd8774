"""The gates before the alias `champion`: each asks one question and gives its figure, its bound, passed or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jmlr.evaluation.statistics.accuracy import PairedDifference
from jmlr.settings import PromoteSettings

NO_CHAMPION = "no champion yet"
_LEAKS = ("test_not_in_train", "test_not_in_passages")
_BYTES_PER_GIGABYTE = 10**9


@dataclass(frozen=True)
class Gate:
    """What one gate found.

    Attributes:
        name: the gate's.
        passed: whether it lets the challenger through.
        figure: what was measured; None if there is nothing to measure, or nothing was found.
        bound: what the figure is compared with; None: no bound.
        detail: both in words.
        may_pass: it failed for a reason that may pass (a busy machine, an absent store): no verdict on the version.
    """

    name: str
    passed: bool
    figure: float | None
    bound: float | None
    detail: str
    may_pass: bool = False

    def as_json(self) -> dict[str, Any]:
        """The gate for gates.json and the audit."""
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """Challenger minus champion on the same questions.

    Attributes:
        all_questions: of the split `promote.split`.
        groups: the same by `ATTRIBUTE GROUP`; small groups are left out.
        small_groups: how many groups were too small to judge.
    """

    all_questions: PairedDifference
    groups: Mapping[str, PairedDifference]
    small_groups: int


def validation(report: Mapping[str, Any]) -> Gate:
    """Did the version's data pass validation?

    Args:
        report: build/validate/report.json as the version carries it; empty if it carries none.
    """
    if not report:
        return Gate("validation", False, None, 0, "the version carries no validation report: jmlr register adds it")
    failures, warnings = int(report["critical_failures"]), int(report["warnings"])
    detail = f"{report['expectations']} expectations, {failures} critical fail(s), {warnings} warning(s)"
    return Gate("validation", bool(report["success"]) and failures == 0, failures, 0, detail)


def leakage(report: Mapping[str, Any], questions: int, bound: float) -> Gate:
    """Is the share of questions that leaked from training questions or passages under its bound?

    Args:
        report: as of `validation`.
        questions: how many the data hold.
        bound: validate.max_leaked_fraction.
    """
    found = [outcome for outcome in report.get("outcomes", ()) if outcome["name"] in _LEAKS]
    if len(found) < len(_LEAKS) or not questions:
        return Gate("leakage", False, None, bound, "the version carries no leakage check: jmlr register adds it")
    leaked = max(int(outcome["unexpected_count"]) for outcome in found)
    detail = f"{leaked} of {questions} questions leaked from training questions or passages"
    return Gate("leakage", leaked / questions <= bound, round(leaked / questions, 4), bound, detail)


def pair(fault: str) -> Gate:
    """Do index, retriever and passages of the version belong together, and are its files those that were registered?"""
    return Gate("pair", not fault, None, None, fault or "index, retriever and passages belong together")


def withdrawn(held: Sequence[str]) -> Gate:
    """Does the version contain no withdrawn passage?"""
    named = f"it contains {', '.join(held[:3])}{', ...' if len(held) > 3 else ''}"
    detail = named if held else "none of its passages is withdrawn"
    return Gate("withdrawn", not held, len(held), 0, detail)


def protocol(fault: str, detail: str, may_pass: bool = False) -> Gate:
    """Were challenger and champion asked the same questions in the same way?

    `fault`: why they cannot be compared; empty if they can. `may_pass`: whether the fault may be gone another time.
    """
    return Gate("protocol", not fault, None, None, fault or detail, may_pass)


def accuracy(compared: Comparison | None, settings: PromoteSettings) -> Gate:
    """Is the challenger, by the paired interval, not worse than the bound allows; or better, if that is asked for?

    Not worse: the whole interval lies above -max_accuracy_loss. Better: it lies above 0.
    """
    bound = 0.0 if settings.must_improve else -settings.max_accuracy_loss
    if compared is None:
        return Gate("accuracy", True, None, bound, NO_CHAMPION)
    found = compared.all_questions.interval
    passed = found.low > 0 if settings.must_improve else found.low >= bound
    detail = (
        f"{100 * found.value:+.1f} points on {found.questions} questions, interval {100 * found.low:+.1f} to "
        f"{100 * found.high:+.1f}, McNemar p {compared.all_questions.mcnemar_p:.2g}"
    )
    return Gate("accuracy", passed, round(found.low, 4), bound, detail)


def helped(compared: Comparison | None, settings: PromoteSettings) -> Gate:
    """Are more questions helped than hurt? Two versions between which no answer changed pass."""
    bound = settings.min_net_helped
    if compared is None:
        return Gate("helped", True, None, bound, NO_CHAMPION)
    gained, lost = compared.all_questions.helped, compared.all_questions.hurt
    unchanged = gained == lost == 0 and not settings.must_improve
    detail = f"{gained} helped, {lost} hurt" if gained or lost else "no question is answered otherwise"
    return Gate("helped", unchanged or gained - lost >= bound, gained - lost, bound, detail)


def subgroups(compared: Comparison | None, settings: PromoteSettings) -> Gate:
    """Does no group lose more accuracy than the bound, by more than chance?

    A group fails when it loses more than the bound and its whole interval lies below 0: of a dozen groups of forty
    questions one or two lose a tenth by chance alone.
    """
    bound = -settings.max_subgroup_loss
    if compared is None:
        return Gate("subgroups", True, None, bound, NO_CHAMPION)
    judged = f"{len(compared.groups)} groups, {compared.small_groups} too small to judge"
    if not compared.groups:
        return Gate("subgroups", True, None, bound, judged)
    losers = [name for name, of in compared.groups.items() if of.interval.value < bound and of.interval.high < 0]
    worst = min(losers or compared.groups, key=lambda name: compared.groups[name].interval.value)
    found = compared.groups[worst].interval
    detail = (
        f"{judged}; worst {worst}: {100 * found.value:+.1f} points on {found.questions} questions, "
        f"{100 * found.low:+.1f} to {100 * found.high:+.1f}"
    )
    return Gate("subgroups", not losers, round(found.value, 4), bound, detail)


def latency(p50_seconds: float | None, bound: float | None) -> Gate:
    """Is the median time of an answer within its bound?

    Args:
        p50_seconds: measured on this machine, one question at a time; None if the version does not load.
        bound: seconds; None: no bound.
    """
    if p50_seconds is None:
        return Gate("latency", False, None, bound, "not measured: the version does not answer")
    passed = bound is None or p50_seconds <= bound
    detail = "seconds, median of one question at a time, here"
    return Gate("latency", passed, round(p50_seconds, 4), bound, detail, may_pass=not passed)


def size(in_bytes: int, bound: float | None) -> Gate:
    """Are the version's files within their bound?

    `bound`: gigabytes (10^9 bytes); None: no bound.
    """
    gigabytes = in_bytes / _BYTES_PER_GIGABYTE
    return Gate("size", bound is None or gigabytes <= bound, round(gigabytes, 4), bound, "gigabytes of its files")


def service(rolled_back: Mapping[str, Any] | None, asked_for: bool) -> Gate:
    """Was the version never rolled back? A person who asks for it by its number may promote it again.

    Args:
        rolled_back: the entry of the audit on the rollback from it; None if there was none.
        asked_for: a person named its number; it is not just the version registered last.
    """
    if rolled_back is None:
        return Gate("service", True, None, None, "never rolled back")
    why = f": {rolled_back['note']}" if rolled_back["note"] else ""
    detail = f"rolled back by {rolled_back['who']}, {rolled_back['when'][:10]}{why}"
    return Gate("service", asked_for, None, None, f"{detail}; asked for by number" if asked_for else detail)


def uncompared(detail: str, may_pass: bool = False) -> list[Gate]:
    """The gates of a comparison that could not be made; none passes."""
    names = ("accuracy", "helped", "subgroups")
    return [Gate(name, False, None, None, f"not compared: {detail}", may_pass) for name in names]
