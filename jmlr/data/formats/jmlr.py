"""The released JMLR data: a JSON list of {"input", "output", "doc"}.

Source: github.com/believewhat/JMLR-Joint-Medical-LLM-and-Retrieval-Training, whose script joins a question's lines by
spaces; so the options are found in the running text. `doc` are retrieved texts, not gold passages.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from jmlr.settings import SourceSettings
from jmlr.data.raw_files import field, json_document
from jmlr.data.rows import answer_index, clean, content_id, letter_index, texts_of, unread, usable
from jmlr.data.splits import split_from_name
from jmlr.types import OPTION_LETTERS, Passage, Question, Rejected, Row

_MARK = re.compile(r"(?:(?<=\s)|^)(\(?)([A-J])([.):])\s*(?=\S)")
_LEAD = re.compile(r"^(?:the )?(?:correct )?(?:answer|option|choice)(?: is)?\s*:?\s*", re.IGNORECASE)
_LEADING_LETTER = re.compile(r"^\(?([A-J])(?:[.):]+\s*|$)")
_OPTIONS_WORD = re.compile(r"\s*(?:options|choices)\s*:?\s*$", re.IGNORECASE)
_ANSWER_WORD = re.compile(r"\s*(?:###\s*)?(?:the )?(?:correct )?(?:answer|response)\s*(?:is)?\s*:?\s*$", re.IGNORECASE)


def _options_at(text: str, marks: list[re.Match[str]]) -> tuple[str, ...]:
    """The texts behind the marks A, B, ...; none if one of them is empty."""
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    options = [text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)]
    options[-1] = _ANSWER_WORD.sub("", options[-1])
    return tuple(options) if all(options) else ()


def _runs(text: str) -> Iterator[list[re.Match[str]]]:
    """Runs of marks A, B, ... of one form ("A." or "(A)" or "A:"), in the order of their beginnings."""
    marks = list(_MARK.finditer(text))
    for number, first in enumerate(marks):
        run = [first] if first[2] == "A" else []
        for mark in marks[number + 1 :] if run else ():
            if mark.group(1, 3) == first.group(1, 3) and mark[2] == OPTION_LETTERS[len(run) : len(run) + 1]:
                run.append(mark)
        if len(run) > 1 and _options_at(text, run):
            yield run


def parse_input(text: str) -> tuple[str, tuple[str, ...]]:
    """Question and options of a running text; no options if there are not two in the order A, B, ...

    Options may mention hepatitis A: and B:, and a vignette a type A. dissection. So the longest run of marks counts, and
    among equal runs that overlap the last. A run after a question mark is preferred to the runs before it.

    >>> parse_input("Which test is best? Options: A. MRI B. ECG Answer:")
    ('Which test is best?', ('MRI', 'ECG'))
    """
    best: list[re.Match[str]] = []
    for run in _runs(text):
        between = text[best[-1].end() : run[0].start()] if best else ""  # empty where the two overlap
        if len(run) > len(best) or (len(run) == len(best) and not between) or "?" in between:
            best = run
    if not best:
        return text, ()
    return _OPTIONS_WORD.sub("", text[: best[0].start()]).strip(), _options_at(text, best)


def parse_output(output: str, options: tuple[str, ...]) -> int:
    """Which option an output such as "B", "B. ECG, because ..." or "The answer is ECG" names; -1 if none.

    A letter that is followed by another option's text names none.

    >>> parse_output("The answer is B. ECG shows it.", ("MRI", "ECG")), parse_output("B. MRI", ("MRI", "ECG"))
    (1, -1)
    """
    rest = _LEAD.sub("", output)
    whole = answer_index(rest.removesuffix("."), options)
    lead = _LEADING_LETTER.match(rest)
    if not lead or lead.group() == lead[1] or (whole >= 0 and lead.end() < len(rest)):
        return whole
    said, index = rest[lead.end() :].casefold(), letter_index(lead[1], options)
    opened = {n for n, one in enumerate(options) if re.match(re.escape(one.casefold()) + r"(?:[.,;]|\s*$)", said)}
    return index if index in opened or not opened else -1


def load(path: Path, source: SourceSettings) -> Iterator[Row]:
    """Questions and retrieved passages of one file; ids are made from their content.

    Raises:
        DataError: naming the row that has another form.
    """
    seen, split = set(), split_from_name(path)
    keys = Counter[str]()
    for number, row in enumerate(json_document(path, list), start=1):
        where = f"{path}, row {number}"
        row = field({"row": row}, "row", dict, where)
        keys.update(row.keys())
        for text in texts_of(row, "doc", where) if row.get("doc") is not None else ():
            passage_id = f"jmlr:{content_id(text)}"
            if text and passage_id not in seen:
                seen.add(passage_id)
                yield Passage(passage_id, text, source="jmlr", licence=source.licence)
        raw, output = clean(field(row, "input", str, where)), clean(field(row, "output", str, where))
        text, options = parse_input(raw)
        if not options:
            yield Rejected(path.as_posix(), str(number), "no options found in input", raw[:80])
            continue
        question = Question(
            question_id=f"jmlr:{content_id(raw)}",
            text=text,
            options=options,
            answer_index=parse_output(output, options),
            split=split,
            source="jmlr",
            licence=source.licence,
            origin_id=f"row {number}",
        )
        yield usable(question, path, number)
    yield from unread(keys, {"input", "output", "doc"}, path)
