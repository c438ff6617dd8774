from __future__ import annotations

from dataclasses import replace

import pytest

from jmlr.errors import ValidationFailed
from jmlr.settings import ValidateSettings
from jmlr.validation.data_docs import make_self_contained
from jmlr.validation.drift import Comparison, Drift
from jmlr.validation.outcome import Outcome, merged
from jmlr.validation.report import lines, refuse_broken, report

BOUNDS = ValidateSettings(
    min_passages=1,
    min_questions=1,
    min_options=2,
    max_passage_tokens=50,
    max_answer_letter_share=0.6,
    max_leaked_fraction=0,
    max_cut={"questions": 0.2, "passages": 0.25, "options": 0.2, "tied_options": 0, "rationales": 0.2},
    max_drift=0.2,
    severities={},
)
HOLDS = Outcome("passages", "id_unique", "critical", True, "Unique()", 0, "", ())
FAILS = Outcome(
    "questions", "splits_known", "critical", False, "InSet()", 7, "", ({"split": "tset", "question_id": "<q1>"},)
)
DRIFT = Comparison(
    "compared with <mine>", (Drift("passage_sources", 10, 20, 0.4, 0.2, new_sources="<b>"), Drift("x", 1, 1, 0.1, 0.2))
)
WARNS = replace(FAILS, name="balance", severity="warning")


def test_only_critical_failures_stop():
    refuse_broken([HOLDS, WARNS], "index.html")
    with pytest.raises(ValidationFailed, match="1 critical expectation") as caught:
        refuse_broken([HOLDS, WARNS, FAILS], "docs/index.html")
    assert "questions, splits_known: 7 row(s)\n    question_id: <q1>; split: tset\n    and 6 more" in str(caught.value)
    assert "open docs/index.html" in str(caught.value)


def test_a_failure_about_the_whole_table_tells_what_was_found():
    outcome = replace(FAILS, rows=(), unexpected_count=0, observed="3", expectation="RowCount(min_value=50)")
    assert lines(outcome) == ["questions, splits_known: found 3; RowCount(min_value=50)"]


def test_report_counts_by_severity():
    found = report([HOLDS, WARNS, FAILS], BOUNDS, DRIFT)
    assert (found["success"], found["critical_failures"], found["warnings"], found["expectations"]) == (False, 1, 1, 3)
    assert found["outcomes"][2]["rows"] == ({"split": "tset", "question_id": "<q1>"},)
    assert report([HOLDS, WARNS], BOUNDS, DRIFT)["success"] is True


def test_report_holds_the_drift_of_every_feature():
    found = report([HOLDS], BOUNDS, DRIFT)["drift"]
    assert found["note"] == "compared with <mine>"
    assert [(row["feature"], row["distance"], row["new_sources"]) for row in found["features"]] == [
        ("passage_sources", 0.4, "<b>"),
        ("x", 0.1, ""),
    ]


def test_outcomes_of_batches_become_one():
    first = replace(FAILS, unexpected_count=2, rows=({"id": "a"}, {"id": "b"}))
    second = replace(FAILS, unexpected_count=3, observed="found", rows=({"id": "c"}, {"id": "d"}))
    held = replace(FAILS, success=True, unexpected_count=0, rows=())
    (found,) = merged(iter([[first], [held], [second]]), 3)
    assert found == replace(first, unexpected_count=5, rows=({"id": "a"}, {"id": "b"}, {"id": "c"}))
    (found,) = merged([[held], [second]], 3)
    assert found == second
    assert merged([[held, HOLDS], [held, HOLDS]], 3) == [held, HOLDS]
    assert merged([], 3) == []


def test_a_share_of_the_rows_is_judged_over_all_batches():
    some = replace(FAILS, unexpected_count=2, checked=4, mostly=0.75, success=False)
    none = replace(some, unexpected_count=0, success=True, rows=())
    (found,) = merged([[some], [none]], 3)
    assert (found.success, found.unexpected_count, found.checked) == (True, 2, 8)
    (found,) = merged([[none], [replace(some, unexpected_count=3)]], 3)
    assert not found.success
    assert lines(found)[0] == "questions, splits_known: 3 row(s), 37.5% of 8; at most 25.0%"


def test_the_index_shows_drift_and_marks_what_is_over_the_bound(tmp_path):
    make_self_contained(tmp_path, [FAILS], DRIFT)
    index = (tmp_path / "index.html").read_text()
    assert "compared with &lt;mine&gt;" in index
    assert "<span class=warned>0.400</span>" in index
    assert "<span class=warned>0.100" not in index
    assert "<td>&lt;b&gt;</td>" in index
    make_self_contained(tmp_path, [FAILS], Comparison("nothing accepted"))
    assert "nothing accepted" in (tmp_path / "index.html").read_text()
    assert "Jensen" not in (tmp_path / "index.html").read_text()


def test_the_index_links_a_page_for_every_batch_of_its_own_table(tmp_path):
    for name in ("passages/1/a", "passages/2/a", "passages_whole/1/a", "questions/1/a"):
        page = tmp_path / "validations" / f"{name}.html"
        page.parent.mkdir(parents=True)
        page.write_text("<head></head>")
    make_self_contained(tmp_path, [HOLDS, FAILS], DRIFT)
    passages, questions = (tmp_path / "index.html").read_text().split("<h2>questions</h2>")
    assert passages.count("<a href=") == 3
    assert '<a href="validations/passages/2/a.html">2</a>' in passages
    assert questions.count("<a href=") == 1


def test_pages_load_nothing_from_other_hosts(tmp_path):
    page = tmp_path / "validations" / "questions" / "page.html"
    page.parent.mkdir(parents=True)
    page.write_text(
        '<head><link rel="x" href="https://cdn.org/a.css"><link href="../a.css"><script src="https://cdn.org/a.js">\n'
        '</script></head><img class="NO-CACHE"\n src="https://s3.org/logo.png?d=1"\n/><a href="https://docs.org">docs</a>'
    )
    make_self_contained(tmp_path, [FAILS], DRIFT)
    text = page.read_text()
    assert "cdn.org" not in text
    assert "s3.org" not in text
    assert '<link href="../a.css">' in text
    index = (tmp_path / "index.html").read_text()
    assert 'href="validations/questions/page.html"' in index
    assert "&lt;q1&gt;" in index
    assert "<q1>" not in index
