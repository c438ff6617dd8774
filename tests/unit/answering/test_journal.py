"""The journal: what was answered is not answered again, whatever happened to its last line."""

from __future__ import annotations

import pytest

from jmlr.answering.answered import Answered, Journal
from jmlr.types import Hit

FIRST = Answered("q1", (-0.1, -1 / 3), (0.56, 0.44), (Hit("p1", 31.25), Hit("p2", 1 / 7)), ("p1",))
SECOND = Answered("q2", (-2.0, -1.0), (0.27, 0.73))


def test_what_is_kept_is_read_to_the_last_digit(tmp_path):
    journal = Journal(tmp_path / "deep" / "jmlr.jsonl")
    assert journal.kept == {}
    journal.keep([FIRST])
    journal.keep([SECOND])
    assert Journal(journal.file).kept == {"q1": FIRST, "q2": SECOND}


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_line_that_was_cut_off_is_no_answer_and_does_not_spoil_the_next(tmp_path, cut):
    journal = Journal(tmp_path / "jmlr.jsonl")
    journal.keep([FIRST, SECOND])
    journal.file.write_bytes(journal.file.read_bytes()[:-cut])
    again = Journal(journal.file)
    assert list(again.kept) == ["q1"]
    again.keep([Answered("q3", (0.0,), (1.0,))])
    assert list(Journal(journal.file).kept)[-1] == "q3"
