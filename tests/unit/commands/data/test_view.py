"""What `jmlr data` prints of a small set of tables."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from jmlr.data.tables import write_leaks, write_passages, write_questions
from jmlr.errors import DataError, MissingResource
from jmlr.commands.data import view
from jmlr.stages import layout
from jmlr.types import Leak, Passage, Question

PASSAGES = [
    Passage(f"p{n}", f"Text {n} of [some] words.", title="Gout", source="mine", licence="MIT", start=3, end=9)
    for n in range(30)
]
QUESTIONS = [
    Question("q1", "Which [one]?", ("MRI", "ECG"), 1, "test", "exam", gold_passage_ids=("p3",), rationale="It shows."),
    Question("q2", "Which two?", ("MRI", "ECG", "CT"), 0, "train", "exam"),
]
COUNTS = {
    "rejected_by_reason": {"duplicated options": 3, "line longer than 16 MiB": 12},
    "leaks": {"question in passage, near": 1},
    "repaired": {"passages": 2, "questions": 0},
}


@pytest.fixture(autouse=True)
def tables(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_passages(layout.PASSAGES, PASSAGES)
    write_questions(layout.QUESTIONS, QUESTIONS)
    write_leaks(layout.LEAKS, [Leak("q1", "question", "passage", "p7", "near", 0.6)])
    layout.COUNTS.write_text(json.dumps(COUNTS))


def test_question_is_shown_with_answer_reason_gold_passage_and_leak(capsys):
    view.show("q1")
    shown = capsys.readouterr().out
    for part in (
        "Which [one]?",
        "* B. ECG",
        "  A. MRI",
        "because: It shows.",
        "Text 3 of [some] words.",
        "in passage p7",
    ):
        assert part in shown
    assert "Text 4" not in shown


def test_passage_is_shown_with_its_origin(capsys):
    view.show("p5")
    shown = capsys.readouterr().out
    assert "Text 5 of [some] words." in shown
    assert "source mine; licence MIT; characters 3 to 9" in shown


def test_unknown_id_is_an_error():
    with pytest.raises(DataError, match="no passage or question has the id 'p99'"):
        view.show("p99")


def test_sample_is_drawn_under_the_seed_in_table_order(capsys):
    def drawn(seed: int | None) -> list[str]:
        view.sample(SimpleNamespace(seed=1), "passages", 4, seed)
        return [line.split()[0] for line in capsys.readouterr().out.splitlines() if "  Gout" in line]

    first = drawn(None)
    assert first == drawn(1) != drawn(2)
    assert len(first) == 4
    assert sorted(first, key=lambda name: int(name[1:])) == first
    assert {name for seed in range(40) for name in drawn(seed)} == {passage.passage_id for passage in PASSAGES}


def test_stats_count_sources_and_what_was_left_out(capsys):
    view.stats()
    shown = " ".join(capsys.readouterr().out.split())
    for part in ("mine MIT 30", "exam test 1 2 1 1 B100", "exam train 1 3 0 0 A100", "line longer than 16 MiB 12"):
        assert part in shown
    assert "repaired: 2 passages, 0 questions" in shown


def test_stats_before_ingest_are_an_error():
    layout.COUNTS.unlink()
    with pytest.raises(MissingResource, match="expected ingested data"):
        view.stats()
