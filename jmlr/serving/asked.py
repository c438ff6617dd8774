"""What is asked over HTTP: read from JSON or a form, held to the limits of `serve`, never trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from jmlr.data.rows import as_ingested, broken_character
from jmlr.serving.refusals import Refused, TooLarge
from jmlr.settings import ServeSettings
from jmlr.types import Question

SHOWN_PASSAGES = 5
_MOST_PASSAGES = 1000
_KEYS = ("question", "options", "explain", "passages")
_FORM_FIELDS = 64


@dataclass(frozen=True)
class Asked:
    """One question to answer.

    Attributes:
        question: its text and options; its id and right answer mean nothing.
        explain: also say what each read passage did for the answer, and which of its words match.
        passages: how many of the retrieved passages to return; those that were read are always returned.
    """

    question: Question
    explain: bool = False
    passages: int = SHOWN_PASSAGES


def parse_json(body: bytes) -> object:
    """The JSON document in `body`.

    Raises:
        Refused: if it is none.
    """
    try:
        return json.loads(body.decode("utf-8-sig"), object_pairs_hook=_unlike_pairs, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:  # not Unicode, not JSON, a number of thousands of digits; too deep
        raise Refused(
            f"not JSON ({type(error).__name__}: {error})" if isinstance(error, ValueError) else "JSON that is too deep",
            expected='{"question": "...", "options": ["...", "..."]} in UTF-8',
            where="body",
        ) from error


def _unlike_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if twice := [key for place, (key, _) in enumerate(pairs) if key in dict(pairs[:place])]:
        raise ValueError(f"the key {twice[0][:40]!a} comes twice")
    return dict(pairs)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def parse_form(body: bytes) -> list[tuple[str, str]]:
    """The fields of a URL-encoded form, in order.

    Raises:
        Refused: if there are too many of them, or the body is not such a form.
    """
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_FORM_FIELDS, errors="strict")
    except ValueError as error:  # UnicodeDecodeError is one
        raise Refused(
            f"not a form ({error})", expected=f"at most {_FORM_FIELDS} URL-encoded fields in UTF-8", where="body"
        ) from error


def read_asked(raw: object, limits: ServeSettings) -> Asked:
    """The question in a parsed body.

    `raw`: {"question", "options"} and, if wanted, {"explain", "passages"}.

    Raises:
        Refused: naming the key that is missing, unknown or of another type; TooLarge: that is over a limit.
    """
    if not isinstance(raw, Mapping):
        _refuse("body", _kind(raw), "an object with question and options")
    for key in raw:
        if key not in _KEYS:
            _refuse(str(key)[:40], "an unknown key", f"one of {', '.join(_KEYS)}")
    explain, passages = raw.get("explain", False), raw.get("passages", SHOWN_PASSAGES)
    if not isinstance(explain, bool):
        _refuse("explain", _kind(explain), "true or false")
    if isinstance(passages, bool) or not isinstance(passages, int) or not 0 <= passages <= _MOST_PASSAGES:
        found = str(passages)[:20] if isinstance(passages, int) else _kind(passages)
        _refuse("passages", found, f"a whole number from 0 to {_MOST_PASSAGES}")
    text = _text(raw.get("question"), "question", limits.question_characters)
    return Asked(Question("asked", text, _options(raw.get("options"), limits), 0, "test"), explain, passages)


def _options(raw: Any, limits: ServeSettings) -> tuple[str, ...]:
    expected = f"a list of 2 to {limits.options} texts"
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        _refuse("options", _kind(raw), expected)
    if len(raw) > limits.options:
        raise TooLarge(f"{len(raw)} options", expected=f"2 to {limits.options}", where="options")
    if len(raw) < 2:
        _refuse("options", f"{len(raw)} option(s)", f"2 to {limits.options}")
    options = tuple(_text(text, f"options[{place}]", limits.option_characters) for place, text in enumerate(raw))
    folded = [option.casefold() for option in options]
    for place, text in enumerate(folded):
        if text in folded[:place]:
            _refuse(f"options[{place}]", f"the same text as options[{folded.index(text)}]", "options that differ")
    return options


def _text(raw: Any, where: str, most_characters: int) -> str:
    if not isinstance(raw, str):
        _refuse(where, _kind(raw), "a text")
    if len(raw) > most_characters:
        raise TooLarge(f"{len(raw)} characters", expected=f"at most {most_characters}", where=where)
    if broken := broken_character(raw):  # JSON may contain half of a surrogate pair; tokenizers cannot
        _refuse(where, broken, "Unicode text")
    if "\0" in raw:
        _refuse(where, "a null character", "text")
    text = as_ingested(raw)
    if not text:
        _refuse(where, "an empty text", "at least one character that is no space")
    return text


def _kind(value: object) -> str:
    names = {type(None): "nothing", bool: "true or false", int: "a number", float: "a number", str: "a text"}
    return names.get(type(value), "a list" if isinstance(value, list) else "an object")


def _refuse(where: str, found: str, expected: str) -> NoReturn:
    raise Refused(found, expected=expected, where=where)
