"""The released JMLR data: a JSON list of {"input", "output", "doc"}.

Source: github.com/believewhat/JMLR-Joint-Medical-LLM-and-Retrieval-Training, whose script joins a question's lines by
spaces; so the options are found in the running text. `doc` are retrieved texts, not gold passages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from jmlr.config import SourceSettings
from jmlr.data.raw_files import field, json_document
from jmlr.data.rows import answer_index, clean, content_id, letter_index, usable
from jmlr.data.splits import split_from_name
from jmlr.types import OPTION_LETTERS, Passage, Question, Rejected, Row

_MARK = re.compile(r"(?:(?<=\s)|^)\(?([A-J])[.):]\s*(?=\S)")
_LEAD = re.compile(r"^(?:the )?(?:correct )?(?:answer|option|choice)(?: is)?\s*:?\s*", re.IGNORECASE)
_LEADING_LETTER = re.compile(r"^\(?([A-J])(?:[.):]|$)")
_OPTIONS_WORD = re.compile(r"\s*(?:options|choices)\s*:?\s*$", re.IGNORECASE)
_ANSWER_WORD = re.compile(r"\s*(?:###\s*)?(?:the )?(?:correct )?(?:answer|response)\s*(?:is)?\s*:?\s*$", re.IGNORECASE)


def parse_input(text: str) -> tuple[str, tuple[str, ...]]:
    """Question and options of a running text; no options if there are not two in the order A, B, ...

    >>> parse_input("Which test is best? Options: A. MRI B. ECG Answer:")
    ('Which test is best?', ('MRI', 'ECG'))
    """
    marks = list(_MARK.finditer(text))
    # the last "A" that is followed by "B": a vignette may speak of hepatitis A. before its options
    for first in reversed([number for number, mark in enumerate(marks) if mark[1] == "A"]):
        run = [marks[first]]
        for mark in marks[first + 1 :]:
            if mark[1] == OPTION_LETTERS[len(run) : len(run) + 1]:
                run.append(mark)
        if len(run) > 1:
            ends = [mark.start() for mark in run[1:]] + [len(text)]
            options = [text[mark.end() : end].strip() for mark, end in zip(run, ends, strict=True)]
            options[-1] = _ANSWER_WORD.sub("", options[-1])
            return _OPTIONS_WORD.sub("", text[: run[0].start()]).strip(), tuple(options)
    return text, ()


def parse_output(output: str, options: tuple[str, ...]) -> int:
    """Which option an output such as "B", "B. ECG, because ..." or "The answer is ECG" names; -1 if none.

    >>> parse_output("The answer is B. ECG shows it.", ("MRI", "ECG")), parse_output("ecg", ("MRI", "ECG"))
    (1, 1)
    """
    rest = _LEAD.sub("", output)
    whole = answer_index(rest.removesuffix("."), options)
    lead = _LEADING_LETTER.match(rest)
    return whole if whole >= 0 or not lead else letter_index(lead[1], options)


def load(path: Path, source: SourceSettings) -> Iterator[Row]:
    """Questions and retrieved passages of one file; ids are made from their content.

    Raises:
        DataError: naming the row that has another form.
    """
    seen, split = set(), split_from_name(path)
    for number, row in enumerate(json_document(path, list), start=1):
        where = f"{path}, row {number}"
        row = field({"row": row}, "row", dict, where)
        for document in field({"doc": [], **row}, "doc", list, where):
            text = clean(document)
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
