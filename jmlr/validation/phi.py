"""A screen for protected health information: what in a text points to one patient.

It looks for those identifiers of the US HIPAA "safe harbor" list that have a form of their own (45 CFR
164.514(b)(2)). It is a screen, not a proof: a name without a title, a label or a date beside it is not found.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator

from phonenumbers import Leniency, PhoneNumberMatcher

KINDS = ("ssn", "phone", "email", "mrn", "dated_name")
"""Social security number, telephone number, e-mail address, medical record number, a person's name by a full date."""

_PHONE_REGION = "US"
_LONGEST_GAP_CHARACTERS = 100
_SHOWN_CHARACTERS = 2

# Most texts hold no such digits; this one look then ends the screen for all kinds but e-mail addresses. [0-9] and not
# \d: Python's re looks for a set of characters in a table, and so needs half the time.
_DIGITS = re.compile("[0-9][^a-z]{0,2}[0-9][^a-z]?[0-9][^a-z]?[0-9]")

_DASH = "[-\u2010-\u2014]"
_SSN_LIKE = re.compile(f"[0-9]{_DASH}[0-9][0-9]{_DASH}[0-9]")
_RANGES = r"(?!000|666|9)\d{3}SEP(?!00)\d\dSEP(?!0000)\d{4}"
_SSN = re.compile(
    rf"(?<![\w.+/\u2010-\u2014-]){_RANGES.replace('SEP', _DASH)}"
    r"(?![\w/\u2010-\u2014-]|\.\d| ?(?:mg|mcg|ml|IU|units?)\b)"
)
_SSN_LABELLED = re.compile(
    rf"\b(?:SSN|social security)\b[^\d\n]{{0,20}}({_RANGES.replace('SEP', '[- .]?')})(?![\w-])", re.IGNORECASE
)
_OTHER_NUMBER = re.compile(
    r"\b(?:ISBN|ISSN|doi|PMID|CAS|NDC|lot|batch|serial|catalog(?:ue)?|part|fax|tel|phone|grant)\W{0,3}(?:no|numbers?)?\W{0,3}$",
    re.IGNORECASE,
)

_PHONE_LIKE = re.compile(
    r"[0-9]{3}\)?[-. \u2010-\u2014/]{0,3}[0-9]{3}[-. \u2010-\u2014]?[0-9]{4}(?![0-9])|\+[0-9][0-9 ().-]{6,}[0-9]"
)
_EMAIL = re.compile(r"[A-Za-z0-9][\w.+%-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b")

_RECORD_WORDS = ("mrn", "m.r.n", "medical rec", "patient i", "patient n", "patient r", "chart n", "hospital n")
_RECORD = re.compile(
    r"(?<!\w)(?:MRN|M\.R\.N\.?|(?:medical|patient) record\s*(?:numbers?|num|no|ID|[#:])"
    r"|patient (?:identifier|identification|ID)\b(?:\s*(?:number|no\b))?"
    # "patient number 1200" is one of a trial; a record has five digits or a colon before it
    r"|(?:patient|chart|hospital) (?:number|no\b)(?=\.?\s*[:#=]|\W*(?:is\b|was\b)?\W*[A-Z]{0,3}-?(?:\d-?){5}))"
    r"[\s:#=.()]*(?:(?:is|was)\b)?[\s:#]*([A-Z]{0,3}-?\d[\d-]{2,14}\d)(?![\d%]|\.\d|\s*(?:to|through)\s+\d)",
    re.IGNORECASE,
)

_MONTH = r"(?i:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)[a-z]{0,6}\.?"
_YEAR = r"(?:19|20)\d\d"
_DAY_OF_MONTH = r"(?:0?[1-9]|[12]\d|3[01])"
_MAY_BE_DATED = re.compile(
    r"[0-9](?:[/.-][0-9][0-9]?[/.-][0-9]|(?:st|nd|rd|th)?(?: of)?,?[\s-]+(?:[A-Za-z]{3,9}\.?[,\s-]+)?(?:19|20)[0-9]{2})"
)
_DATE = re.compile(
    rf"(?<![\d/.-])(?:{_YEAR}[-/.]{_DAY_OF_MONTH}[-/.]{_DAY_OF_MONTH}"
    rf"|{_DAY_OF_MONTH}[-/.]{_DAY_OF_MONTH}[-/.](?:{_YEAR}|\d\d)"
    rf"|\b{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+{_YEAR}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?(?:\s+of)?[\s-]+{_MONTH}[,\s-]+{_YEAR})(?![\d/-])"
)
_WORD = r"[A-Z\u00c0-\u00d6\u00d8-\u00de][A-Za-z\u00c0-\u024f'\u2019-]+"
_PAIR = rf"(?:{_WORD},\s+{_WORD}|{_WORD}(?:\s+[A-Z]\.)?\s+{_WORD})"
_BIRTH = r"(?i:born|d\.?o\.?b\b\.?|date of birth|birth ?date)"
_STAY = r"(?i:admitted|admission|discharged|hospitali[sz]ed|seen)"
_NAMED = re.compile(
    rf"\b(?:Mr|Mrs|Ms|Miss|Mx)\b\.?\s+{_WORD}(?:\s+(?:[A-Z]\.\s+)?{_WORD}){{0,2}}"
    rf"|\b(?i:patient(?:['\u2019]s)?(?: name)?|pt|name of patient)\s*[:=]\s*{_PAIR}"
)
_PAIR_BEFORE = re.compile(rf"\b({_PAIR})[\s,;:(\[-]*(?:(?:was|is|and)\s+)*\b(?:{_BIRTH}|{_STAY})[^\d\n.;]{{0,12}}$")
_PAIR_AFTER = re.compile(rf"[\s,;:)\]]*(?:(?i:name|patient)\s*:?\s*)?({_PAIR})")
_BIRTH_LABEL = re.compile(rf"\b{_BIRTH}[^\w\n]{{0,6}}(?:on |is )?$")
_DOCUMENT_DATE = re.compile(
    r"\b(?:adopted|approved|published|issued|updated|revised|registered|convened|met|held|signed)\W+(?:(?:in|on|the)\W+){0,2}$"
)
_DOCUMENT = re.compile(
    r"\b(?i:guidelines?|committees?|minist(?:er|ry)|chaired|ClinicalTrials|EudraCT)\b|\b(?:NCT|ISRCTN)\d{8}"
)
_PATIENT = re.compile(
    rf"\b(?:{_BIRTH}|{_STAY}|(?i:patients?|her|his|aged?|years?.old|diagnos\w+|treat(?:ed|ment)|surgery|operat\w+))\b"
)
_NO_NAMES = frozenset(
    "a an at by center centre clinic department emergency every hospital in infants intensive care medical no of on "
    "patient patients she he the these they this those unit university ward was we".split()
)


def _ssns(text: str) -> Iterator[str]:
    for found in _SSN.finditer(text) if _SSN_LIKE.search(text) else ():
        if not _OTHER_NUMBER.search(text, max(found.start() - 20, 0), found.start()):
            yield found.group()
    folded = text.casefold()
    if "ssn" in folded or "social security" in folded:
        yield from (found.group(1) for found in _SSN_LABELLED.finditer(text))


def _phones(text: str) -> Iterator[str]:
    if _PHONE_LIKE.search(text):  # the library needs a thousand times as long
        for found in PhoneNumberMatcher(text, _PHONE_REGION, leniency=Leniency.VALID):
            yield found.raw_string


def _records(text: str) -> Iterator[str]:
    folded = text.casefold()
    if any(word in folded for word in _RECORD_WORDS):
        yield from (found.group(1) for found in _RECORD.finditer(text))


def _pair_span(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Where a name without a title is told by a word of birth or stay between it and the date at start:end."""
    before = _PAIR_BEFORE.search(text, max(start - _LONGEST_GAP_CHARACTERS, 0), start)
    after = _PAIR_AFTER.match(text, end) if _BIRTH_LABEL.search(text, max(start - 30, 0), start) else None
    for found in (before, after):
        if found and _NO_NAMES.isdisjoint(re.findall(r"\w+", found.group(1).casefold())):
            return found.span(1)
    return None


def _dates_a_document(text: str, date: tuple[int, int], name: tuple[int, int]) -> bool:
    """Whether a date is that of a guideline, a meeting or a trial's entry, and nothing beside it tells of a patient."""
    beside = text[max(min(date[0], name[0]) - _LONGEST_GAP_CHARACTERS, 0) : max(date[1], name[1]) + 50]
    is_documents = _DOCUMENT_DATE.search(text, max(date[0] - 25, 0), date[0])
    return bool(is_documents and _DOCUMENT.search(beside) and not _PATIENT.search(beside))


def _dated_names(text: str) -> Iterator[str]:
    if not _MAY_BE_DATED.search(text):
        return
    named = [found.span() for found in _NAMED.finditer(text)]
    starts = [span[0] for span in named]
    for date in _DATE.finditer(text):
        start, end = date.span()
        place = bisect(starts, start)
        beside = {span: max(start - span[1], span[0] - end) for span in named[max(place - 1, 0) : place + 1]}
        name = min(beside, key=beside.__getitem__, default=None)
        if name is None or beside[name] > _LONGEST_GAP_CHARACTERS:
            name = _pair_span(text, start, end)
        if name is not None and not _dates_a_document(text, (start, end), name):
            yield text[min(start, name[0]) : max(end, name[1])]


_WITH_DIGITS = {"ssn": _ssns, "phone": _phones, "mrn": _records, "dated_name": _dated_names}


def screen(text: str) -> dict[str, tuple[str, ...]]:
    """What looks like protected health information, by kind (one of KINDS), in the order of the text.

    >>> screen("Mr. John Smith, born 03/04/1962, MRN 0048213, came with chest pain.")
    {'mrn': ('0048213',), 'dated_name': ('Mr. John Smith, born 03/04/1962',)}
    >>> screen("In 2019, 1,200 patients took 40 mg daily.")
    {}
    """
    found: dict[str, tuple[str, ...]] = {}
    if _DIGITS.search(text):
        found = {kind: tuple(dict.fromkeys(look(text))) for kind, look in _WITH_DIGITS.items()}
    if "@" in text:
        found["email"] = tuple(_EMAIL.findall(text))
    return {kind: found[kind] for kind in KINDS if found.get(kind)}


def masked(found: str) -> str:
    """The finding without what would identify someone: its first and last two characters, if it has more than six.

    >>> masked("219-09-4321"), masked("Jo Doe")
    ('21***21', '***')
    """
    if len(found) <= 3 * _SHOWN_CHARACTERS:
        return "***"
    return f"{found[:_SHOWN_CHARACTERS]}***{found[-_SHOWN_CHARACTERS:]}"


def redacted(text: str, found: dict[str, tuple[str, ...]]) -> str:
    """The text with every finding masked, the longest first, since one may hold another.

    >>> redacted("MRN 0048213, chest pain", {"mrn": ("0048213",)})
    'MRN 00***13, chest pain'
    """
    for value in sorted({value for values in found.values() for value in values}, key=len, reverse=True):
        text = text.replace(value, masked(value))
    return text
