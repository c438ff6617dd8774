"""Texts as they were meant: wrong decoding undone, control characters taken out, single spaces."""

from __future__ import annotations

import re
from dataclasses import replace

import ftfy

from jmlr.types import Passage, Question

_SUSPICIOUS = re.compile(r"[^\n\r\t -%'-~]")
"""Anything that is not plain ASCII, and `&`, which may open an HTML entity."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u200b\u2060\ufeff\ufff9-\ufffb]")
_RULES = ftfy.TextFixerConfig(uncurl_quotes=False, explain=False)


def repaired(text: str) -> str:
    r"""The text with UTF-8 read as another encoding undone, entities and ligatures resolved, no control character.

    A text that is right already comes back as it is.

    >>> repaired("the patient\u00e2\u20ac\u2122s fever &lt; 38\x07") == "the patient\u2019s fever < 38"
    True
    """
    if not _SUSPICIOUS.search(text):
        return text
    # Again until nothing changes: a character that is taken out may have parted an entity or a wrong decoding.
    while (better := " ".join(_CONTROL.sub("", ftfy.fix_text(text, _RULES)).split())) != text:
        text = better
    return text


def repaired_passage(passage: Passage) -> Passage:
    """The passage with its text, title and section repaired."""
    text, title, section = repaired(passage.text), repaired(passage.title), repaired(passage.section)
    if (text, title, section) == (passage.text, passage.title, passage.section):
        return passage
    return replace(passage, text=text, title=title, section=section)


def repaired_question(question: Question) -> Question:
    """The question with its text, options and rationale repaired."""
    text, rationale = repaired(question.text), repaired(question.rationale)
    options = tuple(map(repaired, question.options))
    if (text, rationale, options) == (question.text, question.rationale, question.options):
        return question
    return replace(question, text=text, rationale=rationale, options=options)
