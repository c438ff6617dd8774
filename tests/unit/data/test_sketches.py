"""Which passages may be taken for copies of each other."""

from __future__ import annotations

import pytest

from jmlr.data.shards import sketch
from jmlr.data.shingles import likeness
from jmlr.types import Passage


@pytest.mark.parametrize(
    ("first", "second", "do_meet"),
    [
        ("take 5 mg of it a day", "take 5 mg of it a day", True),
        ("take 5 mg of it a day", "take 50 mg of it a day", False),
        ("take 0.5 mg of it a day", "take 5.0 mg of it a day", False),
        ("take 5 mg and then 10 ml of it", "take 10 mg and then 5 ml of it", False),
        ("on b12 now", "on b6 now", False),
        ("no figure here", "no figure here", True),
        ("it is given in this case", "it is not given in this case", False),
        ("for HER2+ tumours", "for HER2- tumours", False),
        ("where potassium is < 3 mmol", "where potassium is > 3 mmol", False),
        ("Take it daily", "take it, daily.", True),
    ],
)
def test_passages_that_differ_in_what_tells_them_apart_never_meet(first, second, do_meet):
    around = " ".join(f"word{'x' * (number % 9)}{chr(97 + number % 26)}" for number in range(100))
    made = sketch([Passage(f"p{n}", f"{around} {text} {around}", "Gout") for n, text in enumerate((first, second))], "x")
    assert likeness(made["signature"][:1], made["signature"][1:])[0] > 0.85
    assert bool((made["bands"][0] == made["bands"][1]).any()) == do_meet


def test_passages_of_other_titles_never_meet():
    text = "It is treated with rest, ice and a good deal of patience by all who have it"
    made = sketch([Passage(f"p{n}", text, title) for n, title in enumerate(("Gout", "Asthma", "GOUT"))], "x")
    meet = [bool((made["bands"][0] == made["bands"][n]).any()) for n in (1, 2)]
    assert meet == [False, True]
