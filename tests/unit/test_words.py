"""Words, sentence ends and texts that say the same, in scripts with and without spaces."""

from __future__ import annotations

import pytest

from jmlr.data.chunking import sentence_starts
from jmlr.words import atoms, is_unspaced, saying, words_of

AROUND = " ".join(f"word{'x' * (number % 9)}{chr(97 + number % 26)}" for number in range(100))


def test_words_have_neither_case_nor_punctuation():
    assert words_of("The Straße, 0.5 mg/kg (IV)!") == ["the", "strasse", "0", "5", "mg", "kg", "iv"]
    assert words_of("?! ...") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("痛风用秋水仙碱。", [*"痛风用秋水仙碱"]),
        ("インスリンを5 mg", [*"インスリンを", "5", "mg"]),
        ("ที่นี่", ["ที่", "นี่"]),  # vowels and tones are marks, and belong to their letter
        ("मात्रा बढ़ाएँ", ["मात्रा", "बढ़ाएँ"]),
        ("통풍의 치료", ["통풍의", "치료"]),
    ],
)
def test_words_of_other_scripts(text, words):
    assert words_of(text) == words
    assert is_unspaced(words) == (len(words) > 2 or text == "ที่นี่")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("take 5 mg of it", "take 5 g of it"),
        ("take 5 mg of it", "take 50 mg of it"),
        ("take .5 mg of it", "take 5 mg of it"),
        ("take 0.5 mg of it", "take 0,5 mg of it"),
        ("5 mg, then 10 ml", "10 mg, then 5 ml"),
        ("in the left ear", "in the right ear"),
        ("before the meal", "after the meal"),
        ("in stage II", "in stage III"),
        ("an insulinoma", "a glucagonoma"),
        ("is given", "is not given"),
        ("HER2+ tumours", "HER2- tumours"),
        ("where K < 3", "where K > 3"),
        ("lower by 5%", "lower by 5"),
        ("hepatitis A", "hepatitis"),
        ("not (this or that)", "not this or that"),
        ("मात्रा बढ़ाएँ", "मात्रा घटाएँ"),
        ("餐前服用", "餐后服用"),
    ],
)
def test_one_telling_difference_in_two_hundred_words_is_another_text(first, second):
    made = [saying("Gout", f"{AROUND} {text} {AROUND}") for text in (first, second)]
    assert made[0] != made[1]


@pytest.mark.parametrize("other", ["take it daily", "Take  It, daily.", "TAKE IT DAILY!"])
def test_case_spaces_and_stops_say_nothing(other):
    assert saying("Gout", "Take it daily") == saying("GOUT", other)


def test_another_title_or_another_border_between_title_and_text_is_another_text():
    assert len({saying("Gout", "rest it"), saying("Asthma", "rest it"), saying("", "gout rest it")}) == 3


@pytest.mark.parametrize(
    "sentence",
    ["शांत रहें।", "استرح الآن؟", "آرام کرو۔", "ህክምና።", "Rest.", "Rest.”", "Հանգստացիր։"],
)
def test_sentence_ends_of_every_script(sentence):
    words = f"{sentence} {sentence}".split()
    assert sentence_starts(words) == [len(words) // 2]


def test_a_figure_is_not_cut_and_a_mark_stays_with_what_it_ends():
    word = "体温38.5度。（HbA1c）。然后"
    places = [*atoms(word), len(word)]
    assert [word[start:stop] for start, stop in zip(places, places[1:], strict=False)] == [
        *("体", "温", "38.5", "度。", "（HbA1c）。", "然", "后")
    ]
