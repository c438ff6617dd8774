from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from jmlr.errors import DataError
from jmlr.registry.version.rows import questions_of

GOOD = {"question": "Which test?", "options": ["MRI", "ECG"]}


def test_rows_become_questions_whatever_kind_of_list_holds_the_options() -> None:
    table = pd.DataFrame([GOOD, {"question": "?", "options": ("a", "b", "c")}, {"question": "!", "options": None}])
    table.at[2, "options"] = np.array(["x", "y"])
    assert [(one.text, one.options) for one in questions_of(table)] == [
        ("Which test?", ("MRI", "ECG")),
        ("?", ("a", "b", "c")),
        ("!", ("x", "y")),
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"question": ""}, "row 1, column question: empty"),
        ({"question": None}, "row 1, column question: nothing"),
        ({"question": float("nan")}, "row 1, column question: nothing"),
        ({"question": 7}, "row 1, column question: int 7"),
        ({"options": []}, "row 1, column options: 0 options"),
        ({"options": ["MRI"]}, "row 1, column options: 1 options"),
        ({"options": list("abcdefghijk")}, "row 1, column options: 11 options"),
        ({"options": "MRI"}, "row 1, column options: str 'MRI'"),
        ({"options": None}, "row 1, column options: nothing"),
        ({"options": {"a": "MRI", "b": "ECG"}}, "row 1, column options: dict"),
        ({"options": ["MRI", None]}, "row 1, column options, 1: nothing"),
        ({"options": ["MRI", 3]}, "row 1, column options, 1: int 3"),
        ({"options": ["MRI", " "]}, "row 1, column options, 1: empty"),
        ({"options": ["MRI", "half \ud83d"]}, "row 1, column options, 1: half a character at place 5"),
        ({"options": ["vitamin C", "Vitamin\u00a0 C"]}, r"row 1: duplicated options \(vitamin c\)"),
        ({"question": "\u200b"}, "row 1: question text missing"),
    ],
)
def test_a_fault_is_told_by_row_and_column(change: dict, told: str) -> None:
    with pytest.raises(DataError, match=f"^{told}.*expected question a text, options a list of 2 to 10 texts"):
        questions_of(pd.DataFrame([GOOD, {**GOOD, **change}]))


def test_a_missing_column_is_told_with_those_that_are_there() -> None:
    with pytest.raises(DataError, match="columns question, choices: no column options; expected columns question"):
        questions_of(pd.DataFrame([{"question": "?", "choices": ["a", "b"]}]))


def test_many_faults_are_counted_and_the_first_told() -> None:
    with pytest.raises(DataError, match=r"row 0, column question: empty.*\(and 3 more\)"):
        questions_of(pd.DataFrame([{**GOOD, "question": ""}] * 8))
