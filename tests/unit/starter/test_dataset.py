"""The starter's questions: the same bytes everywhere, one right option, fair splits, and no shortcut by words."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from jmlr.errors import DataError
from jmlr.starter import dataset
from jmlr.starter.wording import ASPECTS

FILES = ("passages.jsonl", "questions.jsonl")


@pytest.fixture(scope="module")
def conditions_by_name(conditions):
    return {condition.name: condition for condition in conditions}


def content_words(text: str) -> set[str]:
    return {word for word in re.findall(r"[a-z0-9]+", text.lower()) if len(word) > 3}


def told(question: dict, condition) -> list[str]:
    """The lay phrases that a vignette tells, in the condition's order."""
    return [phrase for finding in condition.findings for phrase in finding.lay if phrase in question["question"]]


def test_the_same_bytes_in_every_process(tmp_path, repository):
    dataset.write(tmp_path / "here")
    script = "import sys, pathlib; from jmlr.starter.dataset import write; write(pathlib.Path(sys.argv[1]))"
    for hash_seed in ("0", "4242"):
        folder = tmp_path / hash_seed
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        subprocess.run([sys.executable, "-c", script, str(folder)], check=True, cwd=repository, env=environment)
        for name in FILES:
            assert (folder / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == sorted(FILES)


def test_writing_twice_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        dataset.write(tmp_path / name)
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_nobodys_own_data_are_overwritten(tmp_path):
    (tmp_path / FILES[1]).write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match=f"(?s){FILES[1]}: it is not the starter's.*--folder ANOTHER"):
        dataset.write(tmp_path)
    assert [(file.name, file.read_text(encoding="utf-8")) for file in tmp_path.iterdir()] == [(FILES[1], "mine")]


def test_conditions_of_test_and_dev_are_never_trained_on(question_rows):
    subjects = {
        split: {row["subject"] for row in question_rows if row["split"] == split} for split in ("train", "dev", "test")
    }
    assert not subjects["train"] & (subjects["test"] | subjects["dev"])
    assert not subjects["test"] & subjects["dev"]
    assert all(subjects.values())


def test_seen_test_questions_are_new_ones_on_conditions_of_training(question_rows):
    trained = {row["subject"] for row in question_rows if row["split"] == "train"}
    seen = [row for row in question_rows if row["split"] == "test_seen"]
    assert {row["subject"] for row in seen} <= trained
    texts = Counter(row["question"] for row in question_rows)
    assert all(texts[row["question"]] == 1 for row in seen)


def test_every_specialty_is_tested_and_a_quarter_of_the_conditions(conditions, question_rows):
    splits = dataset.assign_splits(conditions)
    assert {c.specialty for c in conditions if splits[c.name] == "test"} == {c.specialty for c in conditions}
    assert 0.2 < sum(split == "test" for split in splits.values()) / len(conditions) < 0.3
    assert {row["subject"] for row in question_rows} == set(splits)


def test_every_condition_is_asked_about_every_aspect(question_rows, conditions):
    asked = {(row["subject"], row["question_type"]) for row in question_rows if row["split"] != "test_seen"}
    assert asked == {(condition.name, aspect.name) for condition in conditions for aspect in ASPECTS}
    ids = [row["question_id"] for row in question_rows]
    assert len(set(ids)) == len(ids)


def test_four_options_with_exactly_one_right(question_rows, conditions_by_name):
    for row in question_rows:
        condition, aspect = conditions_by_name[row["subject"]], row["question_type"]
        wrong = [option for number, option in enumerate(row["options"]) if number != row["answer_index"]]
        assert len({option.lower() for option in row["options"]}) == 4
        assert row["options"][row["answer_index"]] == condition.answers[aspect]
        assert not set(wrong) & {condition.answers[aspect], *condition.also_true.get(aspect, ())}, row["question_id"]


def test_wrong_options_answer_the_same_aspect_of_other_conditions(question_rows, conditions):
    answers = {aspect.name: {condition.answers[aspect.name] for condition in conditions} for aspect in ASPECTS}
    for row in question_rows:
        assert set(row["options"]) <= answers[row["question_type"]], row["question_id"]


def test_the_answer_stands_at_every_place_about_equally_often(question_rows):
    counts = Counter(row["answer_index"] for row in question_rows)
    assert set(counts) == {0, 1, 2, 3}
    assert max(counts.values()) / len(question_rows) < 0.3


def test_the_gold_passage_states_the_answer_and_findings_of_its_condition(
    question_rows, passage_rows, conditions_by_name
):
    for row in question_rows:
        (gold,) = row["gold_passage_ids"]
        passage, condition = passage_rows[gold], conditions_by_name[row["subject"]]
        assert passage["section"] == row["question_type"]
        assert condition.name in passage["text"]
        assert condition.answers[row["question_type"]] in passage["text"]
        stated = [finding.term for finding in condition.findings if finding.term in passage["text"]]
        assert len(stated) >= dataset.FINDINGS_PER_VIGNETTE, gold


def test_a_passage_states_one_aspect_only(conditions, passage_rows):
    for condition in conditions:
        for aspect in ASPECTS:
            statement = passage_rows[f"{dataset.identifier(condition.name)}/{aspect.name}"]["text"]
            openings = [other.name for other in ASPECTS for s in other.statements if s.split("{}")[0] in statement]
            assert openings == [aspect.name]


def test_vignettes_tell_one_finding_as_a_chart_would_and_the_others_in_words_that_no_passage_uses(
    question_rows, passage_rows, conditions_by_name
):
    every_passage = "\n".join(row["text"] for row in passage_rows.values())
    for row in question_rows:
        condition = conditions_by_name[row["subject"]]
        phrases = told(row, condition)
        assert len(phrases) == dataset.FINDINGS_PER_VIGNETTE - 1, row["question_id"]
        assert sum(finding.term in row["question"] for finding in condition.findings) >= 1
        assert not any(phrase in every_passage for phrase in phrases)
        assert condition.name not in row["question"]


def test_age_and_sex_fit_the_condition(question_rows, conditions_by_name):
    for row in question_rows:
        condition = conditions_by_name[row["subject"]]
        article, years, person = re.match(r"(An?) (\d+)-year-old (\w+) ", row["question"]).groups()
        youngest, oldest = condition.age_years
        assert youngest <= int(years) <= oldest
        assert (article == "An") == (years in ("8", "11", "18") or 80 <= int(years) <= 89)
        assert person in {"female": ("girl", "woman"), "male": ("boy", "man")}.get(
            condition.sex, ("girl", "woman", "boy", "man")
        )
        assert (person in ("woman", "man")) == (int(years) >= 18)


def test_word_overlap_alone_does_not_find_the_passage(question_rows, passage_rows):
    words = {name: content_words(row["text"]) for name, row in passage_rows.items()}
    frequency = Counter(word for each in words.values() for word in each)
    found = 0.0
    tests = [row for row in question_rows if row["split"] == "test"]
    for row in tests:
        asked = content_words(row["question"])
        scores = {
            name: sum(math.log(len(words) / frequency[word]) for word in asked & each) for name, each in words.items()
        }
        (gold,) = row["gold_passage_ids"]
        best = [name for name, score in scores.items() if score == max(scores.values())]
        found += (gold in best) / len(best)
    assert found / len(tests) < 0.3
