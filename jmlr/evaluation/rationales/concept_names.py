"""Where names of medical concepts come from: MedQuAD, a table of one's own, the project's titles, or a linker."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from jmlr.data.raw_files import plain_path, read_text, text_lines
from jmlr.data.rows import clean
from jmlr.errors import ConfigError, DataError, MissingResource
from jmlr.evaluation.rationales.concepts import ConceptExtractor, DictionaryExtractor, folded_words
from jmlr.evaluation.rationales.linkers import QuickUmlsExtractor, ScispacyExtractor

_WIDE = frozenset({"C0012634", "C0039082", "C0006826", "C0027651"})
"""Disease, Syndrome, Malignant neoplasms, Neoplasms: the CUIs MedQuAD gives where it has no better one."""

_ALSO = re.compile(r"\(also known as ([^()]+)\)", re.IGNORECASE)
_ACRONYM = re.compile(r"\(([A-Z][A-Za-z]?[A-Z]+)\)\s*$")
_PARENTHESIS = re.compile(r"\s*\([^()]*\)")
_FRAME = re.compile(r"^(what i need to know about|overview of|parasites -)\s+", re.IGNORECASE)


def names_of_focus(focus: str) -> list[str]:
    """The names a MedQuAD focus gives: itself without frame and parentheses, and the other name or acronym in them.

    >>> names_of_focus("Parasites - Enterobiasis (also known as Pinworm Infection)")
    ['Enterobiasis', 'Pinworm Infection']
    >>> names_of_focus("Rocky Mountain Spotted Fever (RMSF)"), names_of_focus("Gum (Periodontal) Disease")
    (['Rocky Mountain Spotted Fever', 'RMSF'], ['Gum Disease'])
    """
    others = _ALSO.findall(focus) + _ACRONYM.findall(focus)
    return [clean(name) for name in [_FRAME.sub("", _PARENTHESIS.sub("", focus)), *others]]


def _focus(path: Path) -> tuple[str, list[str]]:
    """Focus and UMLS concept ids of one MedQuAD file; four NINDS files spell the tags otherwise."""
    try:
        root = ElementTree.fromstring(read_text(path))
    except ElementTree.ParseError as error:
        raise DataError(f"broken XML: {error.msg}", where=f"{path}, line {error.position[0]}") from error
    elements = {tag: [clean(element.text) for element in root.iter(tag)] for tag in ("Focus", "doctitle-focus")}
    focus = [text for texts in elements.values() for text in texts if text]
    concepts = [clean(element.text) for tag in ("CUI", "cui") for element in root.iter(tag)]
    return focus[0] if focus else "", [concept for concept in concepts if concept]


def medquad_names(folder: Path) -> list[tuple[str, str]]:
    """Names and UMLS concept ids (CUI) of what MedQuAD's files are about; sorted by name.

    Many foci carry several CUIs, among them ones as wide as Disease or Syndrome, which would make any two diseases
    overlap: those are skipped (`_WIDE`). A name gets the CUI that the fewest names have, the first in order if several
        do. A name
    without a CUI (drugs, most CDC files) gets `name:` and its words as its id.

    Raises:
        MissingResource: if there is no XML file below the folder.
        DataError: naming the file and line that is broken.
    """
    files = sorted(path for path in folder.rglob("*") if plain_path(path).suffix == ".xml" and path.is_file())
    if not files:
        raise MissingResource(
            "no MedQuAD file",
            expected="*.xml files of MedQuAD below it",
            where=str(folder),
            next_step="put MedQuAD there, or take the names from a table (tsv) or the passages' titles (titles)",
        )
    concepts: dict[str, set[str]] = defaultdict(set)
    for focus, found in map(_focus, files):
        for name in names_of_focus(focus) if focus else ():
            concepts[name] |= set(found) - _WIDE
    carried = Counter(concept for found in concepts.values() for concept in found)
    return [
        (name, min(found, key=lambda concept: (carried[concept], concept), default=_named(name)))
        for name, found in sorted(concepts.items())
    ]


def _named(name: str) -> str:
    """The id of a concept that has none.

    >>> _named("Aortic Stenosis")
    'name:aortic stenos'
    """
    return "name:" + " ".join(folded_words(name))


def table_names(path: Path) -> Iterator[tuple[str, str]]:
    """Names and concept ids of a UTF-8 table: a line a name, a tab, its id; blank lines are skipped.

    Raises:
        DataError: naming the line that has not two fields.
    """
    for number, line in text_lines(path):
        if line is None or line.strip():
            fields = [clean(field) for field in (line or "").rstrip("\r\n").split("\t")]
            if len(fields) != 2 or not all(fields):
                raise DataError(
                    f"{len(fields)} fields" if len(fields) != 2 else "an empty field",
                    expected="a name, a tab and the id of its concept, for example a CUI",
                    where=f"{path}, line {number}",
                )
            yield fields[0], fields[1]


def title_names(titles: Iterable[str]) -> list[tuple[str, str]]:
    """Titles as names, each its own concept, sorted: no synonyms meet.

    >>> title_names(["Gout", "", "What I need to know about Gout (Comprehensive Report)"])
    [('Gout', 'name:gout')]
    """
    names = {names_of_focus(title)[0] for title in titles if title}
    return [(name, _named(name)) for name in sorted(names)]


def load_extractor(kind: str, place: str, titles: Iterable[str] = ()) -> ConceptExtractor:
    """The finder of concepts that the settings name.

    Args:
        kind: medquad, tsv, titles, scispacy or quickumls.
        place: MedQuAD's folder, the table's file, nothing, the name or folder of the spaCy model, or the folder of
            QuickUMLS's own database.
        titles: for `titles`: of the project's own passages, or the subjects of its questions where those are diseases.

    Raises:
        ConfigError: if the kind is unknown.
        MissingResource: if files, packages or models are missing.
        DataError: if a file is broken, or no name is left.
    """
    finders: dict[str, Callable[[], ConceptExtractor]] = {
        "medquad": lambda: DictionaryExtractor(medquad_names(Path(place)), "medquad"),
        "tsv": lambda: DictionaryExtractor(table_names(Path(place)), f"tsv {Path(place).name}"),
        "titles": lambda: DictionaryExtractor(title_names(titles), "titles"),
        "scispacy": lambda: ScispacyExtractor(place),
        "quickumls": lambda: QuickUmlsExtractor(place),
    }
    if kind not in finders:
        raise ConfigError(f"no finder of concepts called {kind!r}", expected=f"one of {', '.join(finders)}")
    return finders[kind]()
