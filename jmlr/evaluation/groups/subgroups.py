"""Accuracy by patient and question: age, sex, question type, specialty; gaps with intervals, small groups marked.

A group is compared with the rest: the other questions whose attribute is known, so that questions without a patient
do not count as the other sex. Many groups are looked at, and by chance one in twenty of them would differ
at p < 0.05; so p-values are given raw and adjusted (Holm) for the number of tests, which is reported. Small groups
are shown with their interval but not tested: the result would mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jmlr.evaluation.groups.vignette import AGE_GROUPS, SEXES, UNKNOWN, read_patient
from jmlr.evaluation.statistics.accuracy import Interval, bootstrap_interval, share_interval
from jmlr.evaluation.statistics.gaps import holm, mean_gap, mean_gap_p, share_gap, share_gap_p
from jmlr.settings import EvaluateSettings
from jmlr.types import Question

MAX_GROUPS = 25
"""An attribute with more values than this is not a grouping (the starter's subject is one of 151 diseases)."""
SMALL_BELOW = 20
GAINS = (("jmlr", "rag"),)
"""Pairs (first, second) of arms whose gain first - second is compared between groups."""

Values: TypeAlias = NDArray[np.generic]
"""One value a question."""


@dataclass(frozen=True)
class Grouping:
    """The questions by attribute and group.

    Attributes:
        members: per attribute and group, which questions are in it, (questions,) bool; UNKNOWN last, if any is.
        skipped: per attribute that is no grouping, how many values it has.
    """

    members: dict[str, dict[str, NDArray[np.bool_]]]
    skipped: dict[str, int]


@dataclass(frozen=True)
class _Comparison:
    """What is compared between groups (accuracy, or the gain of one arm over another), and how."""

    values: Values
    summary: Callable[[Values], Interval]
    gap: Callable[[Values, Values], Interval]
    test: Callable[[Values, Values], float]


def group_questions(questions: Sequence[Question]) -> Grouping:
    """The questions by age and sex of their patient (read from the text), question type and specialty (subject).

    An attribute without a known value or with more than MAX_GROUPS of them is left out and counted.

    >>> grouping = group_questions([Question("q1", "A 7-year-old girl coughs.", ("a", "b"), 0, "test"),
    ...                             Question("q2", "Which enzyme is lacking?", ("a", "b"), 0, "test")])
    >>> {name: list(groups) for name, groups in grouping.members.items()}
    {'age': ['under 18', 'unknown'], 'sex': ['female', 'unknown']}
    >>> grouping.skipped
    {'question_type': 0, 'specialty': 0}
    """
    patients = [read_patient(question.text) for question in questions]
    attributes = {
        "age": [patient.age_group for patient in patients],
        "sex": [patient.sex for patient in patients],
        "question_type": [question.question_type or UNKNOWN for question in questions],
        "specialty": [question.subject or UNKNOWN for question in questions],
    }
    grouping = Grouping({}, {})
    for attribute, values in attributes.items():
        known = sorted(set(values) - {UNKNOWN}, key=_listing_order)
        if not 1 <= len(known) <= MAX_GROUPS:
            grouping.skipped[attribute] = len(known)
            continue
        named = np.array(values)
        groups = [*known, UNKNOWN] if UNKNOWN in values else known
        grouping.members[attribute] = {group: named == group for group in groups}
    return grouping


def _listing_order(group: str) -> tuple[int, str]:
    """Ages from young to old, sexes as in SEXES, all others by name."""
    listed = (*AGE_GROUPS, *SEXES)
    return (listed.index(group), "") if group in listed else (len(listed), group)


def measure_subgroups(
    questions: Sequence[Question],
    right: Mapping[str, NDArray[np.bool_]],
    settings: EvaluateSettings,
    small_below: int = SMALL_BELOW,
) -> dict[str, Any]:
    """Accuracy of every arm in every group, and whether joint training helps some groups more than others.

    `right`: per arm whether each question was answered right, shape (questions,). `small_below`: groups with fewer
    questions are marked small, and not tested.

    Returns:
        questions; small_below; skipped {attribute: values}; known {attribute: questions}; accuracy {arm: family} and
        gain {first_minus_second: family}. A family is {tests, groups {attribute: {group: entry}}}, an entry {questions,
        small, value, low, high, gap}: the accuracy (0 to 1, Wilson interval) or gain (-1 to 1, bootstrap), and its gap
        to the rest {value, low, high, p, p_holm} (-1 to 1), None for UNKNOWN or without a rest. p is Fisher's exact
        test of accuracies, a permutation test of gains, None where the group or the rest is small; p_holm is adjusted
        for the tests of the family. Where two groups make up an attribute their gaps are one test.
    """
    grouping = group_questions(questions)
    gains = {
        f"{first}_minus_{second}": right[first].astype(np.int64) - right[second].astype(np.int64)
        for first, second in GAINS
        if first in right and second in right
    }
    return {
        "questions": len(questions),
        "small_below": small_below,
        "skipped": grouping.skipped,
        "known": {attribute: int(_known(groups).sum()) for attribute, groups in grouping.members.items()},
        "accuracy": {
            arm: _family(grouping, _of_accuracy(values, settings), small_below) for arm, values in right.items()
        },
        "gain": {name: _family(grouping, _of_gain(values, settings), small_below) for name, values in gains.items()},
    }


def _of_accuracy(right: NDArray[np.bool_], settings: EvaluateSettings) -> _Comparison:
    level = {"confidence": settings.confidence}
    return _Comparison(right, partial(share_interval, **level), partial(share_gap, **level), share_gap_p)


def _of_gain(gain: NDArray[np.int64], settings: EvaluateSettings) -> _Comparison:
    drawn = {"settings": settings}
    return _Comparison(
        gain, partial(bootstrap_interval, **drawn), partial(mean_gap, **drawn), partial(mean_gap_p, **drawn)
    )


def _family(grouping: Grouping, compare: _Comparison, small_below: int) -> dict[str, Any]:
    """All groups by one comparison, p-values adjusted for the number of tests."""
    groups, tested = {}, []
    for attribute, members in grouping.members.items():
        groups[attribute], tests = _entries(members, compare, small_below)
        tested += tests
    for gap, adjusted in zip(tested, holm([gap["p"] for gap in tested]), strict=True):
        gap["p_holm"] = adjusted
    for entries in groups.values():
        _mirror(entries)
    return {"tests": len(tested), "groups": groups}


def _entries(
    members: Mapping[str, NDArray[np.bool_]], compare: _Comparison, small_below: int
) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """The entry of each group of one attribute, and the gaps among them that are tests of their own."""
    entries: dict[str, dict[str, Any]] = {}
    tests: list[dict[str, Any]] = []
    known, values = _known(members), compare.values
    for group, inside in members.items():
        rest, gap = known & ~inside, None
        if group != UNKNOWN and rest.any():
            gap = {**compare.gap(values[inside], values[rest]).bounds, "p": None, "p_holm": None}
            mirrored = _is_pair(members) and bool(entries)
            if min(inside.sum(), rest.sum()) >= small_below and not mirrored:
                gap["p"] = compare.test(values[inside], values[rest])
                tests.append(gap)
        questions = int(inside.sum())
        summed = compare.summary(values[inside]).bounds
        entries[group] = {"questions": questions, "small": questions < small_below, **summed, "gap": gap}
    return entries, tests


def _known(members: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """The questions whose attribute is known."""
    known: NDArray[np.bool_] = np.logical_or.reduce([mask for group, mask in members.items() if group != UNKNOWN])
    return known


def _is_pair(groups: Mapping[str, Any]) -> bool:
    """Whether the attribute has exactly two known groups."""
    return len([group for group in groups if group != UNKNOWN]) == 2


def _mirror(entries: Mapping[str, dict[str, Any]]) -> None:
    """Of two groups, the second's gap is minus the first's, so that it is not tested twice."""
    if _is_pair(entries):
        first, second = (entry for group, entry in entries.items() if group != UNKNOWN)
        gap = first["gap"]
        turned = {"value": -gap["value"] + 0.0, "low": -gap["high"] + 0.0, "high": -gap["low"] + 0.0}
        second["gap"] = {**gap, **turned}
