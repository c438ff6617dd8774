"""What is asked is held to its limits, and every refusal says what was found, what was expected and where."""

from __future__ import annotations

import pytest

from jmlr.serving.asked import parse_form, parse_json, read_asked
from jmlr.serving.refusals import Refused, TooLarge

GOOD = {"question": " Which test? ", "options": ["MRI", " ECG "]}


def test_a_question_is_read_without_the_spaces_around_it(limits):
    asked = read_asked({**GOOD, "explain": True, "passages": 0}, limits)
    assert (asked.question.text, asked.question.options) == ("Which test?", ("MRI", "ECG"))
    assert (asked.explain, asked.passages) == (True, 0)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], r"body: a list; expected an object"),
        ({"options": ["a", "b"]}, r"question: nothing; expected a text"),
        ({**GOOD, "question": 5}, r"question: a number; expected a text"),
        ({**GOOD, "question": " \n"}, r"question: an empty text"),
        ({**GOOD, "question": "half \ud83d"}, r"question: half a character at place 5"),
        ({**GOOD, "question": "a\0b"}, r"question: a null character"),
        ({**GOOD, "options": "ab"}, r"options: a text; expected a list of 2 to 10 texts"),
        ({**GOOD, "options": ["a"]}, r"options: 1 option\(s\); expected 2 to 10"),
        ({**GOOD, "options": ["a", None]}, r"options\[1\]: nothing; expected a text"),
        ({**GOOD, "options": ["a", "b", "a "]}, r"options\[2\]: the same text as options\[0\]"),
        ({**GOOD, "options": ["vitamin C", "Vitamin\u00a0 C"]}, r"options\[1\]: the same text as options\[0\]"),
        ({**GOOD, "question": "\u200b"}, r"question: an empty text"),
        ({**GOOD, "explain": 1}, r"explain: a number; expected true or false"),
        ({**GOOD, "passages": -1}, r"passages: -1; expected a whole number from 0"),
        ({**GOOD, "passages": True}, r"passages: true or false; expected a whole number|passages: True"),
        ({**GOOD, "answer": 0}, r"answer: an unknown key; expected one of question, options"),
    ],
)
def test_what_is_wrong_is_named(limits, raw, message):
    with pytest.raises(Refused, match=message) as refused:
        read_asked(raw, limits)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({**GOOD, "question": "x" * 8001}, r"question: 8001 characters; expected at most 8000"),
        ({**GOOD, "options": ["a", "x" * 501]}, r"options\[1\]: 501 characters; expected at most 500"),
        ({**GOOD, "options": [str(n) for n in range(11)]}, r"options: 11 options; expected 2 to 10"),
    ],
)
def test_what_is_too_large_is_named(limits, raw, message):
    with pytest.raises(TooLarge, match=message) as refused:
        read_asked(raw, limits)
    assert refused.value.status == 413


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[" * 100_000, b"9" * 5000, b'{"a": NaN}', b'{"a": 1, "b": {"a": 2, "a": 3}}']
)
def test_what_is_no_json_is_refused(body):
    with pytest.raises(Refused, match="body: "):
        parse_json(body)


def test_a_byte_order_mark_is_no_part_of_the_body():
    assert parse_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize("body", [b"a=1&" * 65, "a=ü".encode(), b"a=%ff"])
def test_what_is_no_form_is_refused(body):
    with pytest.raises(Refused, match="body: not a form"):
        parse_form(body)


def test_a_form_keeps_the_order_of_its_fields():
    assert parse_form(b"option=b&option=&question=x+y%3F") == [("option", "b"), ("option", ""), ("question", "x y?")]
