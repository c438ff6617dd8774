"""Raw rows to passages and questions: one place decides what can be used."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jmlr.data.raw_files import LONGEST_LINE_BYTES, json_lines
from jmlr.types import OPTION_LETTERS, Passage, Question, Rejected, Row

_LETTER = re.compile(r"\(?([A-Ja-j])\)?[.:]?")
_ID_CHARACTERS = 16


def clean(text: object) -> str:
    r"""Text in Unicode's composed form, with single spaces; nothing for None.

    >>> clean("  two\n words ")
    'two words'
    """
    return "" if text is None else " ".join(unicodedata.normalize("NFC", str(text)).split())


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


def answer_index(answer: object, options: Sequence[str]) -> int:
    """Which option an answer given as letter or text names, from 0; -1 if it names none or two different ones.

    >>> answer_index("ecg", ("MRI", "ECG")), answer_index("A", ("MRI", "ECG"))
    (1, 0)
    >>> answer_index("D", ("A", "D", "E", "K"))  # a letter and a text: ambiguous
    -1
    """
    wanted = clean(answer).casefold()
    by_text = [number for number, option in enumerate(options) if option.casefold() == wanted]
    by_letter = letter_index(answer, options)
    named = set(by_text) | ({by_letter} if by_letter >= 0 else set())
    return named.pop() if len(named) == 1 else -1


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


def line_rows(path: Path, made: Callable[[dict[str, Any], int], Passage | Question]) -> Iterator[Row]:
    """What the lines of a JSON-lines file become: rows, or rejections of what cannot be used.

    Args:
        path: the file, read as a stream.
        made: the row of a line's object, given the line's number from 1.

    Raises:
        DataError: naming the line that is not a JSON object, and whatever `made` raises.
    """
    for number, raw in json_lines(path):
        if raw is None:
            yield Rejected(path.as_posix(), str(number), f"line longer than {LONGEST_LINE_BYTES >> 20} MiB")
        else:
            yield usable(made(raw, number), path, number)
