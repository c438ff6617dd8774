from __future__ import annotations

import pytest

from jmlr.errors import ConfigError
from jmlr.settings import ValidateSettings
from jmlr.validation.expectations import KEYS, expected_of, refuse_unknown_severities

BOUNDS = ValidateSettings(
    min_passages=1,
    min_questions=1,
    min_options=2,
    max_passage_tokens=50,
    max_answer_letter_share=0.6,
    max_leaked_fraction=0.25,
    max_cut={"questions": 0.2, "passages": 0.25, "options": 0.2, "tied_options": 0, "rationales": 0.2},
    max_drift=0.2,
    severities={},
)


def with_severities(**severities) -> ValidateSettings:
    return BOUNDS.model_copy(update={"severities": severities})


def severities(bounds: ValidateSettings) -> dict[str, str]:
    return {f"{table}.{expected.name}": expected.severity for table in KEYS for expected in expected_of(table, bounds)}


def test_names_are_unique_within_a_table():
    for table in KEYS:
        names = [expected.name for expected in expected_of(table, BOUNDS)]
        assert len(set(names)) == len(names)


def test_default_warnings_are_these_and_no_others():
    assert {name for name, severity in severities(BOUNDS).items() if severity == "warning"} == {
        *("passages.phi_phone", "passages.phi_email", "questions.phi_phone", "questions.phi_email"),
        *("questions.answer_letter_balance", "drift.drift_within_bound"),
        *("questions.question_cut_by_retriever", "questions.question_cut_by_reader"),
        *("questions.options_cut", "questions.rationale_cut"),
    }


def test_severities_override_the_default_in_every_table_and_off_leaves_out():
    default = severities(BOUNDS)
    found = severities(with_severities(licence_known="warning", phi_email="critical", id_unique="off"))
    changed = {name: severity for name, severity in found.items() if default[name] != severity}
    assert changed == {
        "passages.licence_known": "warning",
        "questions.licence_known": "warning",
        "passages.phi_email": "critical",
        "questions.phi_email": "critical",
    }
    assert set(default) - set(found) == {"passages.id_unique", "questions.id_unique"}


def test_an_unknown_name_is_refused_with_the_known_ones():
    refuse_unknown_severities(with_severities(drift_within_bound="critical"))
    with pytest.raises(ConfigError, match=r"validate\.severities\.licence, validate\.severities\.typo;") as caught:
        refuse_unknown_severities(with_severities(typo="off", licence="warning", phi_ssn="off"))
    assert "licence_known" in str(caught.value)
    assert "test_not_in_passages" in str(caught.value)


def test_texts_are_cut_as_often_as_the_bounds_say():
    found = [*expected_of("passages", BOUNDS), *expected_of("questions", BOUNDS)]
    mostly = {one.name: one.arguments["mostly"] for one in found if "cut" in one.name or "tied" in one.name}
    of_passages = dict.fromkeys(("passage_cut_by_retriever", "passage_cut_by_reader"), 0.75)
    of_questions = ("question_cut_by_retriever", "question_cut_by_reader", "options_cut", "rationale_cut")
    assert mostly == {**of_passages, **dict.fromkeys(of_questions, 0.8), "options_tied": 1}


def test_leaks_may_be_as_many_as_the_bound_says():
    mostly = {
        expected.name: expected.arguments["mostly"]
        for expected in expected_of("questions", BOUNDS)
        if expected.name.startswith("test_not_in")
    }
    assert mostly == {"test_not_in_train": 0.75, "test_not_in_passages": 0.75}
