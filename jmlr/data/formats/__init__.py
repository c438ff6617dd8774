"""The formats raw data comes in; a new one is a module with `load` and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jmlr.settings import SourceSettings
from jmlr.data.formats import jmlr as released_jmlr
from jmlr.data.formats import jsonl, medmcqa, medqa, medquad, mirage, mmlu, pubmedqa, text
from jmlr.data.splits import by_subject, by_text
from jmlr.settings.data import Format
from jmlr.types import Question, Rejected, Row


@dataclass(frozen=True)
class DataFormat:
    """How one format is read.

    Attributes:
        load: the rows of one file; questions whose split is to be dealt have an empty one.
        patterns: the names of its files in a folder, compressed ones left out.
        finish: what needs the questions of all files of a source, given the seed; None where nothing does.
        group: the questions that stay in one split when splits are dealt.
        companions: names of files beside a file that `load` looks at.
    """

    load: Callable[[Path, SourceSettings], Iterator[Row]]
    patterns: tuple[str, ...]
    finish: Callable[[list[Question], int], tuple[list[Question], list[Rejected]]] | None = None
    group: Callable[[Question], str] = by_text
    companions: tuple[str, ...] = ()


FORMATS: dict[Format, DataFormat] = {
    "jsonl": DataFormat(jsonl.load, ("*.jsonl",), group=by_subject),
    "text": DataFormat(text.load, ("*.txt", "*.md", "*.markdown")),
    "medquad": DataFormat(medquad.load, ("*.xml",), finish=medquad.finish, group=by_subject),
    "pubmedqa": DataFormat(pubmedqa.load, ("ori_*.json",), companions=pubmedqa.TEST_IDS_FILES),
    "medqa": DataFormat(medqa.load, ("*.jsonl",)),
    "medmcqa": DataFormat(medmcqa.load, ("*.json", "*.jsonl")),
    "mmlu": DataFormat(mmlu.load, ("*.csv",)),
    "mirage": DataFormat(mirage.load, ("*.json",)),
    "jmlr": DataFormat(released_jmlr.load, ("*.json",)),
}
