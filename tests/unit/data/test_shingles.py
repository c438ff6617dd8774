"""Runs of words, signatures and their likeness, against slow and exact ways."""

from __future__ import annotations

import random

import numpy as np
import pytest

from jmlr.data import shingles
from jmlr.data.shingles import BANDS, PERMUTATIONS, likeness, runs, signatures

WORDS = [f"word{letter}{other}" for letter in "abcdefghij" for other in "abcdefghijklmnopqrst"]


def text_of(draw: random.Random, count: int) -> list[str]:
    return [draw.choice(WORDS) for _ in range(count)]


def changed(draw: random.Random, words: list[str], count: int) -> list[str]:
    """The words with a few others, far from one another, in place of some."""
    words = list(words)
    for place in draw.sample(range(0, len(words), 4), count):
        words[place] = f"other{draw.randrange(10**6)}x".translate(str.maketrans("0123456789", "klmnopqrst"))
    return words


def triples(words: list[str]) -> set[tuple[str, ...]]:
    return {tuple(words[at : at + 3]) for at in range(len(words) - 2)}


def jaccard(first: list[str], second: list[str]) -> float:
    return len(triples(first) & triples(second)) / len(triples(first) | triples(second))


def meet(bands: np.ndarray, first: int, second: int) -> bool:
    return bool((bands[first] == bands[second]).any())


@pytest.mark.parametrize("length", [1, 3, 13])
def test_runs_are_equal_where_the_words_are(length):
    draw = random.Random(length)
    texts = [[draw.choice("ab") for _ in range(draw.randint(0, 20))] for _ in range(30)]
    number_of: dict[tuple[str, ...], int] = {}
    for words, found in zip(texts, runs(texts, length), strict=True):
        slow = [tuple(words[at : at + length]) for at in range(len(words) - length + 1)]
        slow = slow or ([tuple(words)] if words else [])
        assert len(found) == len(slow)
        for run, number in zip(slow, found.tolist(), strict=True):
            assert number_of.setdefault(run, number) == number
    assert len(set(number_of.values())) == len(number_of)


def test_order_of_words_counts():
    first, second = runs([["rest", "not", "ice"], ["not", "rest", "ice"]], 3)
    assert first[0] != second[0]


def test_numbers_of_words_outlive_the_memory_of_them(monkeypatch):
    words = [f"w{number}" for number in range(20)]
    before = runs([words], 3)[0]
    monkeypatch.setattr(shingles, "_KNOWN_WORDS", 5)
    shingles._NUMBERS.clear()
    assert (runs([words], 3)[0] == before).all()
    assert len(shingles._NUMBERS) <= 5


def test_signatures_depend_on_the_text_alone():
    draw = random.Random(3)
    texts = [text_of(draw, 40) for _ in range(5)]
    bands, kept = signatures(texts)
    assert (bands.shape, bands.dtype) == ((5, BANDS), np.uint64)
    assert (kept.shape, kept.dtype) == ((5, PERMUTATIONS), np.uint8)
    alone = [signatures([text]) for text in texts]
    assert (bands == np.concatenate([one[0] for one in alone])).all()
    assert (kept == np.concatenate([one[1] for one in alone])).all()


def test_no_text_has_no_signature():
    bands, kept = signatures([])
    assert (bands.shape, kept.shape) == ((0, BANDS), (0, PERMUTATIONS))


def test_likeness_by_hand():
    first = np.zeros((3, 128), np.uint8)
    second = np.zeros((3, 128), np.uint8)
    second[1, :64], second[2] = 1, 1
    # 64 of 128 bytes are equal; one in 256 of those that differ would be by chance
    assert likeness(first, second).tolist() == [1.0, pytest.approx((0.5 - 1 / 256) / (255 / 256)), 0.0]


def test_likeness_estimates_the_jaccard_of_triples():
    draw = random.Random(4)
    base = [text_of(draw, 120) for _ in range(60)]
    other = [changed(draw, words, draw.choice([0, 1, 5, 15, 29])) for words in base]
    exact = np.array([jaccard(first, second) for first, second in zip(base, other, strict=True)])
    error = likeness(signatures(base)[1], signatures(other)[1]) - exact
    assert (exact.min() < 0.3, exact.max()) == (True, 1.0)
    assert np.sqrt((error**2).mean()) < 0.05
    assert abs(error.mean()) < 0.02


def test_texts_that_share_nine_tenths_meet_and_strangers_do_not():
    draw = random.Random(5)
    base = [text_of(draw, 120) for _ in range(80)]
    alike = [changed(draw, words, 2) for words in base]
    assert min(jaccard(first, second) for first, second in zip(base, alike, strict=True)) > 0.85
    bands, _ = signatures([*base, *alike])
    assert all(meet(bands, number, number + 80) for number in range(80))
    assert not any(meet(bands, number, other) for number in range(80) for other in range(80) if number != other)
