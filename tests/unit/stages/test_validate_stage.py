"""Stage validate over small own data: what holds, and what each fault leads to."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from jmlr.commands.data import accept
from jmlr.data.tables import write_leaks, write_passages, write_questions
from jmlr.errors import ConfigError, DataError, ValidationFailed
from jmlr.settings import Settings, ValidateSettings, recipes
from jmlr.stages import layout, validate
from jmlr.types import Leak, Passage, Question

BOUNDS = ValidateSettings(
    min_passages=2,
    min_questions=4,
    min_options=2,
    max_passage_tokens=7,
    max_answer_letter_share=0.6,
    max_leaked_fraction=0,
    max_cut={"questions": 0.2, "passages": 0.25, "options": 0.2, "tied_options": 0, "rationales": 0.2},
    max_drift=0.2,
    severities={},
)
PASSAGES = [Passage(f"p{n}", f"Passage number {n}.", licence="MIT", source="mine") for n in range(4)]
QUESTIONS = [
    Question(
        f"q{n}",
        f"Which {n}?",
        ("MRI", "ECG"),
        n % 2,
        "test" if n > 3 else "train",
        gold_passage_ids=("p1",),
        licence="MIT",
    )
    for n in range(6)
]


def bounds(**changes) -> ValidateSettings:
    return BOUNDS.model_copy(update=changes)


STARTER = recipes.load("starter", Path(__file__).parents[3] / "conf")


def settings(recipe: str = "mine", validate_: ValidateSettings = BOUNDS, **prompt) -> Settings:
    """The starter's, with other bounds and, where they are given, other lengths or form of a prompt."""
    changed = {"prompt": STARTER.prompt.model_copy(update=prompt), "recipe": recipe, "validate_": validate_}
    return STARTER.model_copy(update=changed)


@pytest.fixture(autouse=True)
def few_invented_texts(monkeypatch):
    monkeypatch.setattr("jmlr.starter.tokenizer.SAMPLE_CONTEXTS", 2)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Writes tables in an empty folder and runs the stage there."""
    monkeypatch.chdir(tmp_path)

    def run_stage(passages, questions, bounds=BOUNDS, leaks=(), **prompt):
        write_passages(layout.PASSAGES, passages)
        write_questions(layout.QUESTIONS, questions)
        write_leaks(layout.LEAKS, leaks)
        validate.run(settings(validate_=bounds, **prompt))

    return run_stage


def report() -> dict:
    return json.loads(layout.VALIDATION_REPORT.read_text())


def failed() -> dict[str, int]:
    return {f"{o['table']}.{o['name']}": o["unexpected_count"] for o in report()["outcomes"] if not o["success"]}


def rows_of(name: str) -> list[dict[str, str]]:
    return next(outcome["rows"] for outcome in report()["outcomes"] if outcome["name"] == name)


def test_good_tables_pass_with_report_and_data_docs(run):
    run(PASSAGES, QUESTIONS)
    assert failed() == {}
    assert not list(layout.VALIDATE.rglob("*.unfinished"))
    pages = [layout.DATA_DOCS / "index.html", *layout.DATA_DOCS.rglob("*.html")]
    assert len(pages) > 4
    for page in pages:
        for link in re.findall(r'(?:href|src)="([^"#]+)"', page.read_text()):
            if not link.startswith(("http", "data:")):
                assert (page.parent / link).exists(), f"{page}: {link}"
        assert not re.search(r'<(?:script|img|link)\b[^>]*"https?:', page.read_text())


class Markup(HTMLParser):
    """What a page has of elements and attributes that could run or load something, and its text."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.live, self.text = [], ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        handlers = [name for name, _ in attrs if name.startswith("on")] if tag != "label" else []  # its own buttons
        if tag in {"script", "img", "iframe", "svg", "x"} or handlers:
            self.live.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_markup_in_any_field_is_text_on_every_page(run):
    def evil(place: str) -> str:
        return f"</td></script><script>{place}</script><img src=x onerror={place}>\"'><x onclick={place}>${{{place}}}"

    passages = [
        *PASSAGES,
        *(Passage(evil("pid"), f"{evil('text')} \ufffd", evil("title"), evil("source")) for _ in "ab"),
    ]
    hostile = replace(
        QUESTIONS[0],
        question_id=evil("qid"),
        text=f"\ufffd {evil('question')} MRN 0048213",
        options=(evil("option"), f"M\u00c3\u00bcller {evil('option')}"),
        split=evil("split"),
        subject=evil("subject"),
        gold_passage_ids=(evil("gold"),),
        rationale=evil("rationale"),
    )
    with pytest.raises(ValidationFailed, match="critical"):
        run(
            passages,
            [*QUESTIONS, hostile, replace(hostile, split="test")],
            leaks=[Leak(evil("qid"), "question", "training question", evil("other"), "exact", 1.0)],
        )
    pages = {page: Markup(page) for page in layout.DATA_DOCS.rglob("*.html")}
    assert {page: found.live for page, found in pages.items() if found.live} == {}
    shown = "".join(found.text for found in pages.values())
    for place in ("pid", "text", "qid", "question", "option", "split", "gold", "other"):
        assert f"<img src=x onerror={place}>" in shown, place


def test_every_critical_fault_is_found_and_shown(run):
    passages = [*PASSAGES, Passage("p1", f"\ufffd {'pain ' * 9}"), Passage("p9", " ", licence="MIT")]
    questions = [
        *QUESTIONS,
        replace(QUESTIONS[0], question_id="q10", split="tset", licence=""),
        replace(QUESTIONS[0], question_id="q11", split="test", options=("MRI", "CT")),
        replace(QUESTIONS[0], question_id="q12", text="", answer_index=5),
        replace(QUESTIONS[0], question_id="q13", options=("ECG", "ecg", "")),
        replace(QUESTIONS[0], question_id="q14", options=("ECG",), gold_passage_ids=("p77",)),
        replace(QUESTIONS[4], split="dev", options=("M\u00c3\u00bcller", "ECG")),
    ]
    leaks = [
        Leak("q11", "question", "training question", "q0", "exact", 1.0),
        Leak("q5", "rationale", "passage", "p3", "near", 0.7),
    ]
    with pytest.raises(ValidationFailed, match="18 critical expectation") as caught:
        run(passages, questions, leaks=leaks)
    assert failed() == {
        "passages.id_unique": 2,
        "passages.text_filled": 1,
        "passages.text_encoding": 1,
        "passages.licence_known": 1,
        "passages.text_length": 1,
        "questions.id_unique": 2,
        "questions.text_filled": 1,
        "questions.licence_known": 1,
        "questions.options_encoding": 1,
        "questions.option_count": 1,
        "questions.options_filled": 1,
        "questions.options_differ": 1,
        "questions.answer_among_options": 1,
        "questions.splits_known": 1,
        "questions.splits_disjoint": 2,
        "questions.gold_passages_exist": 1,
        "questions.test_not_in_train": 1,
        "questions.test_not_in_passages": 1,
        "questions.answer_letter_balance": 8,
    }
    message = str(caught.value)
    assert "questions, gold_passages_exist: 1 row(s)\n    question_id: q14; unknown_gold_passages: p77" in message
    assert "questions, test_not_in_train: 1 row(s)\n    question_id: q11; leaked_from_training: q0" in message
    assert "questions, test_not_in_passages: 1 row(s)\n    question_id: q5; leaked_from_passages: p3" in message
    assert "answer_letter_balance" not in message
    assert "question_id: q11" in (layout.DATA_DOCS / "index.html").read_text()


def test_options_that_the_cut_makes_equal_stop_the_pipeline(run):
    begin = "start intravenous fluids and broad antibiotics at once and then give the patient"
    alike = replace(QUESTIONS[0], options=(f"{begin} noradrenaline", "ECG", f"{begin} furosemide"))
    with pytest.raises(ValidationFailed, match="questions, options_tied: 1 row") as caught:
        run(PASSAGES, [alike, *QUESTIONS[1:]], answer_tokens=8)
    assert "question_id: q0; options_tied: A, C" in str(caught.value)
    assert failed() == {"questions.options_tied": 1}
    run(PASSAGES, [alike, *QUESTIONS[1:]], bounds(max_cut=BOUNDS.max_cut.model_copy(update={"tied_options": 0.5})))


def test_cut_questions_warn_with_their_share_and_cut_passages_stop(run, capsys):
    long = "A man of 40 has had a cough and a fever for six days and is short of breath. " * 12
    run(PASSAGES, [replace(one, text=long) for one in QUESTIONS[:2]] + QUESTIONS[2:])
    assert failed() == {"questions.question_cut_by_retriever": 2, "questions.question_cut_by_reader": 2}
    told = " ".join(capsys.readouterr().out.split())
    assert "warning: questions, question_cut_by_retriever: 2 row(s), 33.3% of 6; at most 20.0%" in told
    assert "<td>2 of 6</td>" in (layout.DATA_DOCS / "index.html").read_text()
    (row, _) = rows_of("question_cut_by_retriever")
    assert re.fullmatch(r"\d+ tokens, 77 kept", row["question_cut_by_retriever"])

    passages = [replace(one, text=long) for one in PASSAGES[:2]] + PASSAGES[2:]
    with pytest.raises(ValidationFailed, match=r"passages, passage_cut_by_reader: 2 row\(s\), 50.0% of 4"):
        run(passages, QUESTIONS, bounds(max_passage_tokens=500))
    assert failed() == {"passages.passage_cut_by_retriever": 2, "passages.passage_cut_by_reader": 2}


def test_unbalanced_letters_are_a_warning(run, capsys):
    run(PASSAGES, [replace(question, answer_index=0) for question in QUESTIONS])
    assert failed() == {"questions.answer_letter_balance": 6}
    assert "warning: questions, answer_letter_balance" in capsys.readouterr().out


def test_too_few_rows_and_a_missing_split_are_critical(run):
    with pytest.raises(ValidationFailed, match=r"passages, row_count: found 1; .*min_value=2"):
        run(PASSAGES[:1], [replace(question, split="train", gold_passage_ids=()) for question in QUESTIONS])
    assert set(failed()) == {"passages.row_count", "questions.splits_present"}


def test_leaks_within_the_bound_are_allowed(run):
    leaks = [Leak("q4", "question", "training question", "q0", "near", 0.9)]
    run(PASSAGES, QUESTIONS, bounds(max_leaked_fraction=0.5), leaks)
    assert failed() == {}
    with pytest.raises(ValidationFailed, match="question_id: q4; leaked_from_training: q0"):
        run(PASSAGES, QUESTIONS, bounds(max_leaked_fraction=0.4), leaks)


def test_severities_of_the_settings_hold(run):
    unlicensed = [replace(PASSAGES[0], licence="", text="\ufffd"), *PASSAGES[1:]]
    run(unlicensed, QUESTIONS, bounds(severities={"licence_known": "warning", "text_encoding": "off"}))
    assert failed() == {"passages.licence_known": 1}
    assert "text_encoding" not in {outcome["name"] for outcome in report()["outcomes"]}


def test_an_unknown_severity_stops_before_anything_is_checked(run):
    with pytest.raises(ConfigError, match=r"validate\.severities\.licence"):
        run(PASSAGES, QUESTIONS, bounds(severities={"licence": "off"}))
    assert not layout.VALIDATE.exists()


def test_health_information_is_critical_and_nowhere_written_out(run, capsys):
    passages = [
        replace(PASSAGES[0], text="MRN 0048213 of Mr. John Smith, born 03/04/1962"),
        replace(PASSAGES[1], text="\ufffd SSN 219-09-4321"),
        replace(PASSAGES[2], text="Call 301-496-5248"),
        PASSAGES[3],
    ]
    questions = [replace(QUESTIONS[0], rationale="ask ann@clinic.org"), *QUESTIONS[1:]]
    with pytest.raises(ValidationFailed, match="passages, phi_ssn: 1 row") as caught:
        run(passages, questions, bounds(max_passage_tokens=50))
    assert failed() == {
        "passages.text_encoding": 1,
        "passages.phi_ssn": 1,
        "passages.phi_phone": 1,
        "passages.phi_mrn": 1,
        "passages.phi_dated_name": 1,
        "questions.phi_email": 1,
    }
    assert rows_of("phi_mrn") == [{"phi_mrn": "00***13", "passage_id": "p0"}]
    told = "".join(path.read_text(errors="replace") for path in layout.VALIDATE.rglob("*") if path.is_file())
    told += str(caught.value) + capsys.readouterr().out
    for found in ("0048213", "John", "Smith", "219-09-4321", "496-5248", "ann@clinic"):
        assert found not in told


def test_a_table_in_batches_is_judged_as_one(run, monkeypatch):
    passages = [replace(PASSAGES[0], passage_id=f"p{n}", licence="" if n > 4 else "MIT") for n in range(11)]
    passages[9] = replace(passages[9], passage_id="p1")
    with pytest.raises(ValidationFailed, match="2 critical"):
        run(passages, QUESTIONS, bounds(min_passages=11))
    whole = report()
    monkeypatch.setattr(validate, "ROWS_AT_ONCE", 4)
    with pytest.raises(ValidationFailed, match="2 critical"):
        run(passages, QUESTIONS, bounds(min_passages=11))
    assert report() == whole
    assert failed() == {"passages.id_unique": 2, "passages.licence_known": 6}
    assert [row["passage_id"] for row in rows_of("licence_known")] == ["p5", "p6", "p7", "p8", "p1"]
    links = re.findall(r'href="(validations/passages[^"]*)"', (layout.DATA_DOCS / "index.html").read_text())
    assert [link.split("/")[2] for link in links] == ["batch_00001", "batch_00002", "batch_00003", "whole_table"]
    with pytest.raises(ValidationFailed, match="passages, row_count: found 11; "):
        run(passages, QUESTIONS, bounds(min_passages=12))


def test_drift_is_measured_from_the_accepted_data(run, capsys):
    run(PASSAGES, QUESTIONS)
    assert report()["drift"]["features"] == []
    assert "no data were accepted yet" in capsys.readouterr().out
    assert "no data were accepted yet" in (layout.DATA_DOCS / "index.html").read_text()

    accept.run(settings())
    run(PASSAGES, QUESTIONS)
    assert {row["distance"] for row in report()["drift"]["features"]} == {0}
    assert failed() == {}

    run([replace(passage, source="<new>") for passage in PASSAGES], QUESTIONS)
    assert failed() == {"drift.drift_within_bound": 1}
    (row,) = rows_of("drift_within_bound")
    expected = {"feature": "passage_sources", "distance": "1.0", "new_sources": "<new>", "vanished_sources": "mine"}
    assert row == expected
    told = "  feature: passage_sources; distance: 1.0; vanished_sources: mine; new_sources: <new>\n"
    assert told in capsys.readouterr().out
    assert "<td>&lt;new&gt;</td><td>mine</td>" in (layout.DATA_DOCS / "index.html").read_text()

    with pytest.raises(ValidationFailed, match="drift, drift_within_bound: 1 row"):
        run(
            [replace(passage, source="other") for passage in PASSAGES],
            QUESTIONS,
            bounds(severities={"drift_within_bound": "critical"}),
        )


def test_data_of_another_recipe_are_not_compared(run):
    run(PASSAGES, QUESTIONS)
    accept.run(settings())
    validate.run(settings(recipe="other"))
    assert report()["drift"]["features"] == []
    assert "recipe mine, these are of other" in report()["drift"]["note"]


def test_only_validated_data_can_be_accepted(run):
    with pytest.raises(DataError, match=r"profile\.json: no such file.*\n.*dvc repro validate"):
        accept.run(settings())
    run(PASSAGES, QUESTIONS)
    with pytest.raises(DataError, match="the last validation is of recipe mine; expected starter"):
        accept.run(settings(recipe="starter"))
    with pytest.raises(ValidationFailed, match="passages, row_count"):
        run(PASSAGES, QUESTIONS, bounds(min_passages=9))
    with pytest.raises(ValidationFailed, match="1 critical expectation.*failed in the last validation"):
        accept.run(settings())
    assert not layout.ACCEPTED_PROFILE.exists()
    run(PASSAGES, QUESTIONS)
    accept.run(settings())
    assert layout.ACCEPTED_PROFILE.read_text() == layout.PROFILE.read_text()


def test_a_validation_that_breaks_off_leaves_nothing_to_accept(run, monkeypatch):
    run(PASSAGES, QUESTIONS)

    def break_off(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(validate, "run_checkpoint", break_off)
    with pytest.raises(KeyboardInterrupt):
        run(PASSAGES[:2], QUESTIONS)
    with pytest.raises(DataError, match=r"report\.json: no such file"):
        accept.run(settings())


def test_a_broken_accepted_profile_is_told(run):
    layout.ACCEPTED_PROFILE.write_text("{}")
    with pytest.raises(DataError, match=r"accepted_data\.json: not a profile"):
        run(PASSAGES, QUESTIONS)


def test_empty_tables_fail_without_a_traceback(run):
    with pytest.raises(ValidationFailed, match="passages, row_count: found 0"):
        run([], [])


def test_missing_tables_name_the_stage_before(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="dvc repro ingest"):
        validate.run(settings())
    assert not Path("build").exists()
