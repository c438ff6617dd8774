from __future__ import annotations

from string import ascii_lowercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmlr.types import Passage, Question
from jmlr.validation import profile
from jmlr.validation.profile import FEATURES, OTHER_WORDS, Profile, length_bin

PASSAGES = [
    Passage("p1", "Gout hurts. Gout (acute) swells!", source="a"),
    Passage("p2", "  Fever\n - ", source="b"),
    Passage("p3", "", source="b"),
]
QUESTIONS = [
    Question("q1", "Which one?", ("x", "y"), 1, "train", source="exam"),
    Question("q2", "Which?", ("x", "y"), 1, "test", source="exam"),
    Question("q3", "Which?", ("x", "y"), 12, "test", source="other"),
]


def test_every_feature_is_counted():
    counted = Profile()
    counted.add_passages(PASSAGES)
    counted.add_questions(QUESTIONS)
    found = counted.as_json("mine")
    assert found["recipe"] == "mine"
    assert found["counts"] == {"passages": 3, "questions": 3, "questions_by_split": {"test": 2, "train": 1}}
    assert found["features"] == {
        "passage_words": {"0": 1, "2": 1, "4-5": 1},
        "question_words": {"1": 2, "2": 1},
        "passage_sources": {"a": 1, "b": 2},
        "question_sources": {"exam": 2, "other": 1},
        "vocabulary": {"gout": 2, "acute": 1, "fever": 1, "hurts": 1, "swells": 1},
        "answer_letters": {"?": 1, "B": 2},
    }
    assert set(found["features"]) == set(FEATURES)


def test_characters_of_scripts_without_spaces_are_words():
    counted = Profile()
    counted.add_passages([Passage("p1", "痛风用 Allopurinol。"), Passage("p2", "痛")])
    features = counted.as_json("x")["features"]
    assert features["passage_words"] == {"1": 1, "4-5": 1}
    assert features["vocabulary"] == {"痛": 2, "风": 1, "用": 1, "allopurinol": 1}


def test_batches_add_up_to_the_whole():
    whole, batched = Profile(), Profile()
    whole.add_passages(PASSAGES)
    for passage in PASSAGES:
        batched.add_passages([passage])
    assert batched.as_json("x") == whole.as_json("x")


def test_rare_words_are_counted_together(monkeypatch):
    monkeypatch.setattr(profile, "_WORDS_KEPT", 2)
    counted = Profile()
    counted.add_passages([Passage("p1", "b a c b a b d")])
    assert counted.as_json("x")["features"]["vocabulary"] == {"b": 3, "a": 2, OTHER_WORDS: 2}


def test_numbers_and_addresses_are_counted_but_not_named():
    counted = Profile()
    counted.add_passages([Passage("p1", "MRN 0048213, beta-blocker (5mg) ann@clinic.org -- Crohn's")])
    assert counted.as_json("x")["features"]["vocabulary"] == {"beta-blocker": 1, "crohn's": 1, "mrn": 1, OTHER_WORDS: 3}


def test_the_vocabulary_in_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(profile, "_WORDS_COUNTED", 4)
    counted = Profile()
    for letter in ascii_lowercase[:20]:
        counted.add_passages([Passage("p", f"gout gout rare{letter} rarer{letter} rarest{letter}")])
        assert len(counted._features["vocabulary"]) <= 4
    vocabulary = counted.as_json("x")["features"]["vocabulary"]
    assert vocabulary["gout"] == 40
    assert sum(vocabulary.values()) == 100


@given(st.integers(0, 10**7))
def test_a_length_lies_in_its_bin(words):
    least, _, most = length_bin(words).rstrip("+").partition("-")
    assert int(least) <= words
    assert words <= int(most or (least if "+" not in length_bin(words) else 10**7))


@pytest.mark.parametrize(
    ("words", "expected"), [(0, "0"), (3, "3"), (90, "64-90"), (91, "91-127"), (2**20, "1048576+")]
)
def test_bins_stay_where_accepted_profiles_have_them(words, expected):
    assert length_bin(words) == expected
