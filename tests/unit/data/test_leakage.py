"""Test questions found again in training questions and in passages, and what is no leak."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import numpy as np
import pytest

from jmlr.config import LeakageSettings
from jmlr.data import leakage
from jmlr.data.leakage import PassageScreen, leaks_from_training, without_test_questions
from jmlr.data.shingles import BANDS
from jmlr.types import Leak, Passage, Question

SETTINGS = LeakageSettings(similar_questions=0.9, ngram_words=13, covered_share=0.5)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def words(seed: int, count: int) -> list[str]:
    draw = random.Random(seed)
    return ["".join(draw.choices(LETTERS, k=6)) for _ in range(count)]


def text(seed: int, count: int) -> str:
    return " ".join(words(seed, count))


VIGNETTE = text(1, 80)


def question(question_id: str, split: str, stem: str = VIGNETTE, right: str = "colchicine", **more) -> Question:
    return Question(question_id, stem, ("rest", right, "ice"), 1, split, **more)


def with_other_words(stem: str, *places: int) -> str:
    parts = stem.split()
    for place in places:
        parts[place] = f"other{LETTERS[place % 26]}"
    return " ".join(parts)


def from_training(*questions: Question) -> list[tuple[str, str, str]]:
    return [(leak.question_id, leak.other_id, leak.match) for leak in leaks_from_training(questions, SETTINGS)]


def in_passages(passages: list[Passage], *questions: Question) -> list[tuple[str, str, str, float]]:
    found = PassageScreen(questions, SETTINGS).leaks(passages)
    return [(leak.question_id, leak.part, leak.match, leak.score) for leak in found]


def test_question_asked_in_training_leaks_whatever_its_case_and_punctuation():
    leaks = leaks_from_training([question("t", "train", VIGNETTE.upper() + "?!"), question("q", "test")], SETTINGS)
    assert leaks == [Leak("q", "question", "training question", "t", "exact", 1.0)]


def test_first_of_equal_training_questions_is_named():
    stems = [question(name, "train", text(9, 80) if name == "a" else VIGNETTE) for name in "abc"]
    assert from_training(*stems, question("q", "test")) == [("q", "b", "exact")]


def test_nearly_the_same_question_leaks_and_the_likest_is_named():
    near, nearest = with_other_words(VIGNETTE, 10, 79), with_other_words(VIGNETTE, 79)
    questions = [question("a", "train", near), question("b", "train", nearest), question("q", "test")]
    (leak,) = leaks_from_training(questions, SETTINGS)
    assert (leak.question_id, leak.other_id, leak.match) == ("q", "b", "near")
    assert 0.9 <= leak.score < 1


def test_likeness_below_the_bound_is_no_leak():
    other = question("t", "train", with_other_words(VIGNETTE, 10, 30, 50))  # Jaccard 70 / 88 = 0.80
    assert from_training(other, question("q", "test")) == []
    loose = SETTINGS.model_copy(update={"similar_questions": 0.7})
    assert [leak.other_id for leak in leaks_from_training([other, question("q", "test")], loose)] == ["t"]


@pytest.mark.parametrize("split", ["test", "test_seen"])
def test_both_kinds_of_test_questions_are_looked_for(split):
    assert from_training(question("t", "train"), question("q", split)) == [("q", "t", "exact")]


@pytest.mark.parametrize(
    ("first", "second"), [("train", "dev"), ("dev", "test"), ("test", "test_seen"), ("train", "train")]
)
def test_other_splits_do_not_leak_into_one_another(first, second):
    assert from_training(question("t", first), question("q", second)) == []


def test_short_stem_alone_is_no_leak():
    stem = "Which of these is true?"
    assert from_training(question("t", "train", stem, "gout hurts"), question("q", "test", stem, "sleep helps")) == []


def test_other_distractors_hide_no_leak():
    other = replace(question("t", "train"), options=("colchicine", "walks", "milk", "tea"), answer_index=0)
    assert from_training(other, question("q", "test")) == [("q", "t", "exact")]


def test_another_dose_does_not_hide_a_leak():
    stems = [f"{VIGNETTE} given {dose} mg" for dose in (5, 50)]
    assert from_training(question("t", "train", stems[0]), question("q", "test", stems[1])) == [("q", "t", "near")]


def test_each_leaking_question_is_listed_once_in_its_order():
    train = [question(f"t{number}", "train", text(number, 60)) for number in range(30)]
    test = [question(f"q{number}", "test", text(number, 60)) for number in range(29, -1, -3)]
    assert from_training(*train, *test) == [(f"q{n}", f"t{n}", "exact") for n in range(29, -1, -3)]


def test_every_copy_of_a_test_question_is_taken_out_of_training_and_dev():
    near = with_other_words(VIGNETTE, 79)
    learnt = [question("a", "train"), question("b", "train"), question("c", "train", near), question("d", "dev", near)]
    others = [question("e", "train", text(9, 80)), question("f", "dev", text(8, 80))]
    tested = [question("q", "test"), question("r", "test")]
    kept, rejected = without_test_questions([*learnt, *others, *tested], SETTINGS)
    assert kept == [*others, *tested]
    assert sorted((row.row, row.reason) for row in rejected) == [(name, "also a test question") for name in "abcd"]
    assert without_test_questions(kept, SETTINGS) == (kept, [])


def test_only_so_many_training_questions_are_compared(monkeypatch):
    """A bound on work, not on what is exact: a boilerplate stem may be in a million training questions."""
    monkeypatch.setattr(leakage, "_COMPARED", 2)
    same = np.full((5, BANDS), 7, np.uint64)
    assert leakage._meeting(same, same[:1]) == {0: {0, 1}}
    train = [question(f"t{number}", "train", with_other_words(VIGNETTE, number)) for number in range(0, 80, 8)]
    assert from_training(*train, question("t", "train"), question("q", "test")) == [("q", "t", "exact")]


def test_question_in_a_passage_leaks():
    passages = [Passage("a", text(2, 90)), Passage("p", f"{text(3, 40)} {VIGNETTE.title()}. {text(4, 10)}")]
    leaks = PassageScreen([question("q", "test")], SETTINGS).leaks(passages)
    assert leaks == [Leak("q", "question", "passage", "p", "exact", 1.0)]


def test_rationale_in_a_passage_leaks():
    rationale = text(5, 40)
    asked = question("q", "test", rationale=rationale)
    assert in_passages([Passage("p", f"So: {rationale}")], asked) == [("q", "rationale", "exact", 1.0)]


@pytest.mark.parametrize(("shared", "share"), [(80, 1.0), (46, 34 / 68), (45, None), (0, None)])
def test_part_of_a_question_leaks_from_half_of_its_runs_on(shared, share):
    """80 words are 68 runs of 13; the first 46 hold 34 of them."""
    passage = Passage("p", " ".join(words(1, 80)[:shared] + words(6, 30)))
    expected = [] if share is None else [("q", "question", "exact" if share == 1 else "near", share)]
    assert in_passages([passage], question("q", "test")) == expected


def test_text_shorter_than_a_run_is_not_looked_for():
    for count, found in ((12, 0), (13, 1)):
        stem = text(7, count)
        for passage in (f"{stem} and more", stem):
            assert len(in_passages([Passage("p", passage)], question("q", "test", stem))) == found


def test_passage_shorter_than_a_run_holds_nothing():
    assert in_passages([Passage("p", text(1, 12)), Passage("e", "?")], question("q", "test")) == []


def test_passage_with_the_answer_is_no_leak():
    answer = text(8, 20)
    gold = Passage("p", f"Of the drugs, {answer} is given first.")
    assert in_passages([gold], question("q", "test", right=answer, gold_passage_ids=("p",))) == []


@pytest.mark.parametrize("split", ["train", "dev"])
def test_questions_that_are_not_of_test_may_stand_in_passages(split):
    assert in_passages([Passage("p", VIGNETTE)], question("q", split, rationale=VIGNETTE)) == []


def test_several_questions_in_one_passage_and_one_in_several():
    first, second = question("q1", "test", text(10, 20)), question("q2", "test_seen", text(11, 20))
    both = Passage("p1", f"{first.text} {second.text}")
    found = PassageScreen([first, second], SETTINGS).leaks([both, Passage("p2", second.text)])
    assert [(leak.question_id, leak.other_id) for leak in found] == [("q1", "p1"), ("q2", "p1"), ("q2", "p2")]


def test_questions_that_begin_alike_are_told_apart():
    """Runs that two questions share count for both, those of one alone for that one."""
    shared, rests = text(12, 20), [text(13, 20), text(14, 20)]
    first, second = (question(f"q{number}", "test", f"{shared} {rest}") for number, rest in enumerate(rests))
    assert in_passages([Passage("p", first.text)], first, second) == [("q0", "question", "exact", 1.0)]
    assert in_passages([Passage("p", second.text)], first, second) == [("q1", "question", "exact", 1.0)]


def test_run_that_a_passage_repeats_counts_once():
    passage = Passage("p", " ".join(words(1, 80)[:20] * 6))
    assert in_passages([passage], question("q", "test")) == []


def test_nothing_to_look_for_or_in():
    assert in_passages([Passage("p", VIGNETTE)]) == []
    assert in_passages([], question("q", "test")) == []
    assert from_training() == from_training(question("q", "test")) == from_training(question("t", "train")) == []


def test_ingest_lists_and_counts_the_leaks(tmp_path, ingest_settings, ingested):
    rationale = text(15, 20)
    row = {"question": text(16, 30), "options": ["rest", "ice"], "answer": "A"}
    rows = [
        {"passage_id": "p", "text": f"It is known: {row['question']}"},
        {**row, "question_id": "t", "split": "train", "options": ["rest", "milk"], "rationale": rationale},
        {**row, "question_id": "q", "split": "test", "rationale": rationale},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = ingested(ingest_settings(tmp_path, {"path": "a.jsonl"}, rationales_as_passages=True))
    assert [(leak.question_id, leak.part, leak.other_id, leak.match) for leak in found.leaks] == [
        ("q", "question", "t", "exact"),
        ("q", "question", "p", "exact"),
        ("q", "rationale", "rationale:t", "exact"),
    ]
    assert found.counts["leaks"] == {
        "question in passage, exact": 1,
        "question in training question, exact": 1,
        "rationale in passage, exact": 1,
    }
