"""Raw rows to passages and questions: one place decides what can be used."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from jmlr.data.raw_files import LONGEST_LINE_BYTES, field, json_lines
from jmlr.data.repair import repaired
from jmlr.errors import DataError
from jmlr.types import OPTION_LETTERS, Passage, Question, Rejected, Row

_LETTER = re.compile(r"\(?([A-Ja-j])\)?[.:]?")
_ID_CHARACTERS = 16
AMBIGUOUS = -2
"""Index of an answer that is the letter of one option and the text of another."""


def clean(text: object) -> str:
    r"""Text in Unicode's composed form, with single spaces; nothing for None.

    >>> clean("  two\n words ")
    'two words'
    """
    return "" if text is None else " ".join(unicodedata.normalize("NFC", str(text)).split())


def as_ingested(text: object) -> str:
    r"""Text as ingest leaves it, whichever door it comes in by: `clean`, wrong characters put right.

    >>> as_ingested("K &lt; 3,\u00a0Me\u0301nie\u0300re\x07") == "K < 3, M\u00e9ni\u00e8re"
    True
    """
    return repaired(clean(text))


def asked_question(name: str, text: object, options: Iterable[object]) -> Question:
    """A question as ingest would make it, of which nobody knows the answer; `fault` says whether it can be asked."""
    return Question(name, as_ingested(text), tuple(map(as_ingested, options)), 0, "test")


def broken_character(text: str) -> str:
    r"""What cannot be written as UTF-8, in words; empty if all can.

    >>> broken_character("half \ud83d"), broken_character("whole")
    ('half a character at place 5', '')
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"half a character at place {error.start}"
    return ""


def content_id(*parts: object) -> str:
    """16 hexadecimal digits of SHA-256 over the parts: the id of a row that brings none.

    >>> content_id("a", "b") == content_id("a", "b") != content_id("ab")
    True
    """
    return hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()[:_ID_CHARACTERS]


def letter_index(letter: object, options: Sequence[str]) -> int:
    """Which option a letter names, from 0; -1 if it names none.

    >>> letter_index("B", ("MRI", "ECG")), letter_index("(b)", ("MRI", "ECG")), letter_index("C", ("MRI", "ECG"))
    (1, 1, -1)
    """
    match = _LETTER.fullmatch(clean(letter))
    index = OPTION_LETTERS.index(match[1].upper()) if match else -1
    return index if index < len(options) else -1


def text_of(row: dict[str, Any], name: str, where: str) -> str:
    """The text of a field that may be missing, null or NaN; then it is empty.

    Raises:
        DataError: if it is something else than text.

    >>> text_of({"subject": None}, "subject", "q.jsonl, line 1"), text_of({"subject": " Gout "}, "subject", "")
    ('', 'Gout')
    """
    return "" if row.get(name) is None else clean(field(row, name, str, where))


def texts_of(row: dict[str, Any], name: str, where: str) -> tuple[str, ...]:
    """The texts of a list; null and NaN in it are empty.

    Raises:
        DataError: if the list is missing, or one of them is no text.
    """
    parts = {f"{name}[{number}]": part for number, part in enumerate(field(row, name, list, where))}
    return tuple(text_of(parts, part, where) for part in parts)


def lettered_options(row: dict[str, Any], where: str) -> tuple[str, ...]:
    """Options given as {"A": text, ...}, or as BigBio's list of {"key": "A", "value": text}; last ones may be null.

    Raises:
        DataError: if the letters are not A, B, ... without a gap.

    >>> lettered_options({"options": {"B": "ECG", "A": "MRI", "C": None}}, "")
    ('MRI', 'ECG')
    """
    given = row.get("options")
    if isinstance(given, list) and all(isinstance(one, dict) and {"key", "value"} == set(one) for one in given):
        row = {"options": {one["key"]: one["value"] for one in given}}
        given = [one["key"] for one in given]
    letters = sorted(field(row, "options", dict, where), key=str)
    if letters != list(ascii_uppercase[: len(given or ())]):
        raise DataError(f"options {', '.join(map(str, letters))}", expected="options A, B, C, ...", where=where)
    while letters and row["options"][letters[-1]] is None:
        letters.pop()
    return tuple(text_of(row["options"], letter, where) for letter in letters)


def named(answer: object, options: Sequence[str]) -> set[int]:
    """The options, from 0, that an answer names by letter or text: none, one or two."""
    wanted = clean(answer).casefold()
    by_text = {number for number, option in enumerate(options) if option.casefold() == wanted}
    return by_text | ({letter_index(answer, options)} - {-1})


def answer_index(answer: object, options: Sequence[str]) -> int:
    """Which option an answer given as letter or text names, from 0; -1 if it names none, AMBIGUOUS if two.

    >>> answer_index("ecg", ("MRI", "ECG")), answer_index("A", ("MRI", "ECG"))
    (1, 0)
    >>> answer_index("D", ("A", "D", "E", "K")) == AMBIGUOUS
    True
    """
    found = named(answer, options)
    return AMBIGUOUS if len(found) > 1 else found.pop() if found else -1


def agreed(index: int, answer: str, options: Sequence[str], where: str) -> int:
    """`index`, if the answer, where there is one, names that option too.

    Raises:
        DataError: if it names another or none.
    """
    if answer and index >= 0 and index not in named(answer, options):
        own = f"option {ascii_uppercase[index]} {options[index]!r}" if index < len(options) else f"option {index}"
        raise DataError(
            f"the index or letter names {own}, the answer is {answer!r}",
            expected="the same option",
            where=where,
            next_step="correct the one that is wrong, or take the row out",
        )
    return index


def fault(question: Question) -> tuple[str, str]:
    """Why a question cannot be used (reason, detail); empty strings if it can.

    >>> fault(Question("q", "Which?", ("MRI", "mri"), 0, "test"))
    ('duplicated options', 'mri')
    """
    options = question.options
    folded = [option.casefold() for option in options]
    if not question.text:
        return "question text missing", ""
    if len(options) < 2:
        return "fewer than 2 options", f"{len(options)}"
    if len(options) > len(OPTION_LETTERS):
        return f"more than {len(OPTION_LETTERS)} options", f"{len(options)}"
    if not all(options):
        return "empty option", OPTION_LETTERS[options.index("")]
    if len(set(folded)) < len(folded):
        return "duplicated options", next(text for text in folded if folded.count(text) > 1)
    if question.answer_index == AMBIGUOUS:
        return "answer is one option's letter and another's text", "write answer_index, counted from 0; in the released form letter and text"
    if not 0 <= question.answer_index < len(options):
        return "answer missing or not one of the options", ""
    return "", ""


def usable(row: Passage | Question, file: Path, place: object) -> Row:
    """The row itself, or its rejection with the reason; `place` is its line, key or id in `file`.

    >>> usable(Passage("p", ""), Path("a.jsonl"), 3).reason
    'passage text missing'
    """
    if isinstance(row, Passage):
        return row if row.text else Rejected(file.as_posix(), str(place), "passage text missing")
    reason, detail = fault(row)
    return Rejected(file.as_posix(), str(place), reason, detail) if reason else row


def line_rows(
    path: Path, made: Callable[[dict[str, Any], int], Passage | Question], known: set[str] | None = None
) -> Iterator[Row]:
    """What the lines of a JSON-lines file become: rows, or rejections of what cannot be used.

    Args:
        path: the file, read as a stream.
        made: the row of a line's object, given the line's number from 1.
        known: keys of the published form; others are told of. None: `made` looks itself.

    Raises:
        DataError: naming the line that is not a JSON object, and whatever `made` raises.
    """
    keys = Counter[str]()
    for number, raw in json_lines(path):
        if raw is None:
            yield Rejected(path.as_posix(), str(number), f"line longer than {LONGEST_LINE_BYTES >> 20} MiB")
        else:
            keys.update(raw.keys())
            yield usable(made(raw, number), path, number)
    if known is not None:
        yield from unread(keys, known, path)


def unread(keys: Counter[str], known: set[str], path: Path) -> Iterator[Rejected]:
    """What tells of each key that is in rows of a file and is not read; `keys` counts the rows."""
    for key in sorted(keys.keys() - known):
        yield Rejected(path.as_posix(), f"{keys[key]} rows", "key that is not read", key)
