"""Test questions found again in training questions and in passages, and what is no leak."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import numpy as np
import pytest
from tokenizers import Tokenizer

from jmlr.settings import LeakageSettings
from jmlr.data import leakage
from jmlr.data.chunking import Budget, TokenCounter, chunk_passages
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


@pytest.mark.parametrize(("count", "asked", "found"), [(14, 1, 0), (25, 1, 0), (14, 0, 1), (25, 0, 1), (26, 1, 1), (60, 4, 1)])
def test_a_passage_that_answers_a_short_question_in_its_words_is_no_leak(count, asked, found):
    """Below two runs all must be there: "Which drug was ...?" and "Colchicine was ..." share all but the opening."""
    stem = words(7, count)
    passage = Passage("p", " ".join(["colchicine", *stem[asked:], *words(8, 9)]))
    assert len(in_passages([passage], question("q", "test", " ".join(stem)))) == found


def cut(stem: str, budget: int, counter: TokenCounter, **more) -> list[Passage]:
    page = Passage("p", f"{text(20, 15)}. {stem} {text(21, 15)}.", source="s", **more)
    (chunks,) = chunk_passages([page], Budget(budget, 5), counter)
    return chunks


@pytest.mark.parametrize("budget", [20, 40, 64, 90, 200])
@pytest.mark.parametrize("count", [14, 40, 100, 200])
def test_question_is_found_in_its_page_however_that_was_cut(word_tokenizer, budget, count):
    counter = TokenCounter(Tokenizer.from_str(word_tokenizer))
    asked = question("q", "test", text(22, count), rationale=text(23, count))
    for part in (asked.text, asked.rationale):
        chunks = cut(part, budget, counter)
        (leak,) = PassageScreen([asked], SETTINGS).leaks(chunks)
        assert (leak.part, leak.match, leak.score) == ("question" if part == asked.text else "rationale", "exact", 1.0)
        named = [one for one in chunks if one.passage_id in leak.other_id.split(" | ")]
        assert set(part.split()[12:]) <= set(" ".join(one.text for one in named).split())
        assert all(set(one.text.split()) & set(part.split()) for one in named)


def test_near_copy_is_found_across_cuts(word_tokenizer):
    counter = TokenCounter(Tokenizer.from_str(word_tokenizer))
    asked, near = question("q", "test", text(22, 100)), with_other_words(text(22, 100), 30, 70)
    (leak,) = PassageScreen([asked], SETTINGS).leaks(cut(near, 40, counter))
    assert (leak.match, leak.score) == ("near", 62 / 88)  # 26 of 88 runs of 13 hold one of the two words


def test_paragraphs_of_a_document_are_judged_together_and_those_of_two_are_not():
    parts = [" ".join(words(1, 80)[start : start + 20]) for start in range(0, 80, 20)]
    asked = question("q", "test")
    together = [Passage(f"p{number}", part, document_id="d") for number, part in enumerate(parts)]
    assert PassageScreen([asked], SETTINGS).leaks(together)[0].other_id == "p0 | p1 | p2 | p3"
    assert PassageScreen([asked], SETTINGS).leaks(together)[0].match == "exact"
    for apart in ([replace(one, document_id=one.passage_id) for one in together], [replace(one, document_id="") for one in together]):
        assert PassageScreen([asked], SETTINGS).leaks(apart) == []
    assert PassageScreen([asked], SETTINGS).leaks(replace(one, source=one.passage_id) for one in together) == []


def test_what_is_not_there_closes_no_gap(word_tokenizer):
    counter = TokenCounter(Tokenizer.from_str(word_tokenizer))
    chunks = cut(f"{text(30, 13)} {text(31, 40)} {text(32, 13)}", 20, counter)
    ends = [chunks[0], chunks[-1]]
    across = " ".join([*ends[0].text.split()[-7:], *ends[1].text.split()[:7]])
    assert in_passages(ends, question("q", "test", across)) == []
    assert len(in_passages([replace(one, start=0) for one in ends], question("q", "test", across))) == 1


def test_blocks_change_nothing(word_tokenizer, monkeypatch):
    counter = TokenCounter(Tokenizer.from_str(word_tokenizer))
    chunks, asked = cut(text(22, 200), 20, counter), question("q", "test", text(22, 200))
    whole = PassageScreen([asked], SETTINGS).leaks(chunks)
    monkeypatch.setattr(leakage, "_BLOCK_ROWS", 1)
    assert PassageScreen([asked], SETTINGS).leaks(iter(chunks)) == whole != []


CHINESE = "一名六十一岁男性因右足大趾红肿疼痛就诊查体见关节肿胀明显既往有高尿酸血症病史五年下列哪项治疗最为合适"


@pytest.mark.parametrize(("length", "found"), [(25, 0), (26, 1), (49, 1)])
def test_scripts_without_spaces_are_compared_by_twice_as_many_characters(length, found):
    asked = question("q", "test", CHINESE[:length])
    pages = [Passage("p", f"前言。{CHINESE}。后记。"), Passage("e", "an English page"), Passage("f", CHINESE[: length - 1])]
    assert in_passages(pages, asked) == [("q", "question", "exact", 1.0)] * found


def test_near_copies_of_training_questions_are_found_in_scripts_without_spaces():
    stem = CHINESE + CHINESE[::-1]
    asked = [question("t", "train", stem, "秋水仙碱"), question("q", "test", stem.replace("男", "女", 1), "秋水仙碱")]
    assert from_training(*asked) == [("q", "t", "near")]


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


def test_a_copied_piece_that_is_left_out_hides_no_leak(tmp_path, ingest_settings, ingested):
    """The middle piece of the page says the same as another passage, which stays and stands for it."""
    stem = text(40, 90)
    middle = " ".join(stem.split()[30:60])
    rows = [{"passage_id": "copied", "text": f"{middle}."}]
    rows += [
        {"passage_id": f"page{number}", "text": " ".join(stem.split()[start : start + 30]) + ".", "document_id": "page"}
        for number, start in enumerate((0, 30, 60))
    ]
    rows.append({"question_id": "q", "question": stem, "options": ["rest", "ice"], "answer": "A", "split": "test"})
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = ingested(ingest_settings(tmp_path, {"path": "a.jsonl"}))
    assert [one.passage_id for one in found.passages] == ["copied", "page0", "page2"]
    assert found.leaks == [Leak("q", "question", "passage", "page0 | page2", "exact", 1.0)]
