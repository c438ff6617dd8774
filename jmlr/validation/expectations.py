"""What is expected of the tables: one line an expectation, named, with its severity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from jmlr.errors import ConfigError
from jmlr.settings import ValidateSettings
from jmlr.settings.data import Severity
from jmlr.types import OPTION_LETTERS, SPLITS, Passage, Question
from jmlr.validation.phi import KINDS

Table = Literal["passages", "questions", "drift"]
KEYS: dict[Table, str] = {"passages": "passage_id", "questions": "question_id", "drift": "feature"}
"""The column that names a table's rows."""

SHOWN_BESIDE: dict[Table, tuple[str, ...]] = {"drift": ("new_sources", "vanished_sources")}
"""Columns that describe a broken row further, where they are not empty."""

BROKEN_TEXT = "\ufffd|[\u0000-\u0008\u000b\u000c\u000e-\u001f]|\u00c3[\u0080-\u00bf]|\u00e2\u20ac"
"""Replacement characters, control characters, and UTF-8 that was read as Latin-1 or Windows-1252."""

_GUIDELINES_HAVE = ("phone", "email")
"""Hotlines and contact addresses: no fault in a guideline, so these only warn."""


@dataclass(frozen=True)
class Expected:
    """One expectation.

    Attributes:
        name: what the report calls it, and `validate.severities`.
        kind: the Great Expectations class.
        arguments: its arguments.
        severity: critical stops the pipeline, warning is reported, off is not checked.
        whole: whether it concerns the whole table, so that a batch of rows is not enough.
    """

    name: str
    kind: str
    arguments: dict[str, Any] = field(default_factory=dict)
    severity: Severity = "critical"
    whole: bool = False


def _between(name: str, column: str, least: float | None, most: float | None) -> Expected:
    arguments = {"column": column, "min_value": least, "max_value": most}
    return Expected(name, "ExpectColumnValuesToBeBetween", arguments)


def _in_set(name: str, column: str, allowed: list[Any], mostly: float = 1.0) -> Expected:
    arguments = {"column": column, "value_set": allowed, "mostly": mostly}
    return Expected(name, "ExpectColumnValuesToBeInSet", arguments)


def _uncut(name: str, most: float, severity: Severity) -> Expected:
    """A text is cut in at most this share of the rows; the columns are those of jmlr/models/cuts.py."""
    return replace(_in_set(name, name, [""], mostly=1 - most), severity=severity)


def _filled(name: str, column: str) -> Expected:
    return Expected(name, "ExpectColumnValuesToMatchRegex", {"column": column, "regex": r"\S"})


def _encoded(name: str, column: str) -> Expected:
    return Expected(name, "ExpectColumnValuesToNotMatchRegex", {"column": column, "regex": BROKEN_TEXT})


def _no_phi(kind: str) -> Expected:
    expected = _in_set(f"phi_{kind}", f"phi_{kind}", [""])
    return replace(expected, severity="warning") if kind in _GUIDELINES_HAVE else expected


def _common(table: Table, columns: Sequence[str], least_rows: int) -> list[Expected]:
    """Expectations of both data tables: columns, number of rows, unique ids, text, encoding, licence, no PHI."""
    key = KEYS[table]
    return [
        Expected("schema", "ExpectTableColumnsToMatchSet", {"column_set": list(columns), "exact_match": False}),
        Expected("row_count", "ExpectTableRowCountToBeBetween", {"min_value": least_rows}, whole=True),
        Expected("id_present", "ExpectColumnValuesToNotBeNull", {"column": key}),
        _filled("id_filled", key),
        _in_set("id_unique", "rows_of_id", [1]),
        Expected("text_present", "ExpectColumnValuesToNotBeNull", {"column": "text"}),
        _filled("text_filled", "text"),
        _encoded("text_encoding", "text"),
        _filled("licence_known", "licence"),
        *(_no_phi(kind) for kind in KINDS),
    ]


def _of_passages(bounds: ValidateSettings) -> list[Expected]:
    return [
        *_common("passages", list(Passage.__dataclass_fields__), bounds.min_passages),
        _between("text_length", "text_tokens", None, bounds.max_passage_tokens),
        _uncut("passage_cut_by_retriever", bounds.max_cut.passages, "critical"),
        _uncut("passage_cut_by_reader", bounds.max_cut.passages, "critical"),
    ]


def _of_questions(bounds: ValidateSettings) -> list[Expected]:
    share = {"column": "answer_letter_share", "max_value": bounds.max_answer_letter_share}
    splits = {"column": "split", "value_set": ["train", "test"]}
    unleaked = 1 - bounds.max_leaked_fraction
    return [
        *_common("questions", list(Question.__dataclass_fields__), bounds.min_questions),
        _encoded("options_encoding", "options"),
        _between("option_count", "option_count", bounds.min_options, len(OPTION_LETTERS)),
        _in_set("options_filled", "empty_options", [0]),
        _in_set("options_differ", "duplicated_options", [0]),
        _in_set("answer_among_options", "answer_in_options", ["yes"]),
        _in_set("splits_known", "split", list(SPLITS)),
        Expected("splits_present", "ExpectColumnDistinctValuesToContainSet", splits, whole=True),
        _in_set("splits_disjoint", "splits_of_id", [1]),
        _in_set("gold_passages_exist", "unknown_gold_passages", [""]),
        _in_set("test_not_in_train", "leaked_from_training", [""], mostly=unleaked),
        _in_set("test_not_in_passages", "leaked_from_passages", [""], mostly=unleaked),
        Expected("answer_letter_balance", "ExpectColumnValuesToBeBetween", share, "warning"),
        _uncut("question_cut_by_retriever", bounds.max_cut.questions, "warning"),
        _uncut("question_cut_by_reader", bounds.max_cut.questions, "warning"),
        _uncut("options_cut", bounds.max_cut.options, "warning"),
        _uncut("options_tied", bounds.max_cut.tied_options, "critical"),
        _uncut("rationale_cut", bounds.max_cut.rationales, "warning"),
    ]


def _of_drift(bounds: ValidateSettings) -> list[Expected]:
    return [replace(_between("drift_within_bound", "distance", None, bounds.max_drift), severity="warning")]


_OF_TABLE = {"passages": _of_passages, "questions": _of_questions, "drift": _of_drift}


def expected_of(table: Table, bounds: ValidateSettings) -> list[Expected]:
    """The expectations of a table that are on, within the bounds and with the severities of params.yaml.

    Args:
        table: passages, questions or drift.
        bounds: the block `validate`.
    """
    found = [
        replace(expected, severity=bounds.severities.get(expected.name, expected.severity))
        for expected in _OF_TABLE[table](bounds)
    ]
    return [expected for expected in found if expected.severity != "off"]


def refuse_unknown_severities(bounds: ValidateSettings) -> None:
    """Checks that every name under `validate.severities` is that of an expectation.

    Raises:
        ConfigError: with the unknown keys and the known names.
    """
    known = sorted({expected.name for of_table in _OF_TABLE.values() for expected in of_table(bounds)})
    unknown = sorted(set(bounds.severities) - set(known))
    if unknown:
        raise ConfigError(
            f"no such expectation: {', '.join(f'validate.severities.{name}' for name in unknown)}",
            expected=f"some of {', '.join(known)}",
            where="params.yaml",
            next_step="fix the name in your recipe under validate.severities",
        )
