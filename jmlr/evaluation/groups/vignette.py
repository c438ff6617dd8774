"""Age and sex of the patient, read from the words of an English exam question.

The patient is the first person whose age is given, or who is presented without one ("a newborn boy", "an elderly man").
Relatives are skipped ("her 30-year-old mother"), except a child that is brought ("a mother brings her 3-year-old son");
so are populations ("women over 60 years old") and past ages ("at 12 years of age"). What is missing or contradictory
stays unknown. These are rules, not a model. They were written on MedQA and MedMCQA and then tried on the 136 questions
of MMLU professional medicine: 126 have a patient, and age and sex of all of them were read correctly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

import yaml

UNKNOWN = "unknown"
SEXES = ("female", "male")
AGE_GROUPS = ("under 18", "18 to 39", "40 to 64", "65 and over")
_BOUNDS_YEARS = (18, 40, 65)
_OLDEST_YEARS = 120

_YEARS_BY_UNIT = {"y": 1.0, "m": 1 / 12, "w": 7 / 365.25, "d": 1 / 365.25, "h": 1 / (24 * 365.25)}
# Letters that look Latin but are not stand in some published questions ("43-уеаr-old mаn").
_LOOKALIKES = str.maketrans("аеорсухіѕјԁһАВЕКМНОРСТХІЅ", "aeopcyxisjdhABEKMHOPCTXIS")


def _patterns() -> dict[str, str]:
    """The regular expressions of vignette.yaml by name."""
    found: dict[str, str] = {}
    written = (resources.files("jmlr.evaluation.groups") / "vignette.yaml").read_text(encoding="utf-8")
    for name, pattern in yaml.safe_load(written).items():
        found[name] = pattern % found
    return found


_PATTERNS = _patterns()
_FOUND_BY = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _PATTERNS.items()}
_OPENING_CHARACTERS = 40


@dataclass(frozen=True)
class Patient:
    """What a question says about its patient.

    Attributes:
        age_years: 0 to 120, a fraction for infants; None if there is no number.
        age_group: one of AGE_GROUPS or UNKNOWN; also known from "a child" or "an elderly man" alone.
        sex: one of SEXES or UNKNOWN.
    """

    age_years: float | None = None
    age_group: str = UNKNOWN
    sex: str = UNKNOWN


def age_group(age_years: float) -> str:
    """The group of an age.

    >>> age_group(0.1), age_group(18), age_group(64.9), age_group(65)
    ('under 18', '18 to 39', '40 to 64', '65 and over')
    """
    return AGE_GROUPS[sum(age_years >= bound for bound in _BOUNDS_YEARS)]


def read_patient(text: str) -> Patient:
    """Age and sex of the patient of an English question; unknown where the text says nothing or contradicts itself.

    >>> read_patient("A 54-year-old man comes with chest pain. His wife says that she gave him aspirin.")
    Patient(age_years=54.0, age_group='40 to 64', sex='male')
    >>> read_patient("A mother brings her 6-month-old infant because he coughs.").sex
    'male'
    >>> read_patient("Which enzyme is lacking in women over 60 years old?")
    Patient(age_years=None, age_group='unknown', sex='unknown')
    """
    text = " ".join(text.translate(_LOOKALIKES).split())
    mentions = list(_aged(text))
    mention = next((found for found in mentions if found.brought), mentions[0] if mentions else None)
    presented = _Presented.first(text)
    if mention is None or (presented and presented.end <= mention.start and _is("baby", presented.phrase)):
        return _without_age(text, presented)
    sex = _sex_of(mention.phrase) or _sex_by_pronouns(text[mention.start :]) or UNKNOWN
    return Patient(mention.years, age_group(mention.years), sex)


@dataclass(frozen=True)
class _Mention:
    """An age in the text: where it starts, the words that say whose it is, and whether that person is brought."""

    start: int
    years: float
    phrase: str
    brought: bool


def _aged(text: str) -> Iterator[_Mention]:
    """The ages that can be the patient's, in the order of the text."""
    for match in _FOUND_BY["age"].finditer(text):
        before, after = text[: match.start()], text[match.end() :]
        years = _years(match)
        if years > _OLDEST_YEARS or _FOUND_BY["range_or_past"].search(before):
            continue
        phrase = _FOUND_BY["phrase_ends"].split(after[:90], maxsplit=1)[0]
        if _is("plural", phrase):
            continue
        if not _sex_of(phrase):
            sentence = re.split(r"[.?!]\s", before)[-1]
            phrase = f"{_last_sexed(sentence[-60:]) if match['aged'] or not phrase.strip(' ,') else ''} {phrase}"
        brought = bool(_FOUND_BY["brings"].search(before))
        is_child = years < _BOUNDS_YEARS[0] and _is("child", phrase)
        if brought or is_child or not _FOUND_BY["relative"].search(before):
            yield _Mention(match.start(), years, phrase, brought)


def _years(match: re.Match[str]) -> float:
    written = next(match[name] for name in ("old", "short", "bare", "slash", "aged") if match[name])
    unit = match["old_unit"] or match["bare_unit"] or match["aged_unit"] or "y"
    return _number(written) * _YEARS_BY_UNIT[unit[0].lower()]


def _number(written: str) -> float:
    """The number that digits or English words below 100 say.

    >>> _number("54"), _number("six"), _number("twenty-one")
    (54.0, 6.0, 21.0)
    """
    if written[0].isdigit():
        return float(written)
    ones, tens = (_PATTERNS[name].split("|") for name in ("ones", "tens"))
    parts = re.split(r"[-\s]", written.lower())
    return float(sum(10 * tens.index(part) + 20 if part in tens else ones.index(part) + 1 for part in parts))


def _is(name: str, text: str) -> bool:
    """Whether one of the words of that name in vignette.yaml is in the text."""
    return re.search(rf"\b(?:{_PATTERNS[name]})\b", text, re.IGNORECASE) is not None


def _sex_of(phrase: str) -> str:
    """The sex that a noun phrase names: empty if none, UNKNOWN if both."""
    told = [sex for sex in SEXES if _is(sex, phrase)]
    if not told and (initial := _FOUND_BY["initial"].match(phrase)):
        return {"f": SEXES[0], "m": SEXES[1]}[initial["initial"].lower()]
    return UNKNOWN if len(told) == len(SEXES) else "".join(told)


def _last_sexed(sentence: str) -> str:
    """The last word before an age that names a sex ("A girl aged 7")."""
    found = re.findall(rf"\b(?:{_PATTERNS['female']}|{_PATTERNS['male']}|she|he)\b", sentence, re.IGNORECASE)
    return {"she": "female", "he": "male"}.get(found[-1].lower(), found[-1]) if found else ""


def _sex_by_pronouns(text: str) -> str:
    """The sex of the pronouns if they agree, else of "brought by his wife"; empty where neither decides."""
    told = [sex for sex in SEXES if _is(f"{sex}_pronouns", text)]
    if len(told) == 1:
        return told[0]
    brought = _FOUND_BY["brought_by"].search(text) if told else None
    return {"her": SEXES[0], "his": SEXES[1]}[brought["whose"].lower()] if brought else ""


@dataclass(frozen=True)
class _Presented:
    """A person presented without an age: the first and last character, and the words that say who."""

    start: int
    end: int
    phrase: str

    @classmethod
    def first(cls, text: str) -> _Presented | None:
        match = _FOUND_BY["presented"].search(text)
        if match is None:
            return None
        more = _FOUND_BY["phrase_ends"].split(text[match.end() :][:60], maxsplit=1)[0]
        return cls(match.start(), match.end(), match["phrase"] + more)


def _without_age(text: str, presented: _Presented | None) -> Patient:
    """The patient of a question without an age in numbers."""
    if presented is None:
        return Patient()
    opens = presented.start <= _OPENING_CHARACTERS
    sex = _sex_of(presented.phrase) or (_sex_by_pronouns(text[presented.start :]) if opens else "") or UNKNOWN
    if _is("child", presented.phrase):
        return Patient(None, AGE_GROUPS[0], sex)
    return Patient(None, AGE_GROUPS[-1] if _is("elderly", presented.phrase) else UNKNOWN, sex)
