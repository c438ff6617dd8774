"""withdrawn.yaml: what must no longer be read, by whom, when and why; a list that only grows."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, StringConstraints, ValidationError, model_validator

from jmlr.settings import Block
from jmlr.errors import DataError
from jmlr.files import alone, write_text

WITHDRAWN_FILE = Path("withdrawn.yaml")
KINDS = ("passage_id", "document_id", "source")
"""What an entry may name, the narrowest first."""

_PIECE = re.compile(r"(?P<whole>.+)#\d+")
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Entry(Block):
    """One line of the log: what was withdrawn, or (`restored`) allowed again."""

    passage_id: _Text | None = None
    document_id: _Text | None = None
    source: _Text | None = None
    reason: _Text
    date: datetime.date
    who: _Text
    restored: bool = Field(default=False)

    @model_validator(mode="after")
    def _names_one_thing(self) -> Entry:
        named = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(named) != 1:
            raise ValueError(f"names {' and '.join(named) or 'nothing'}: one of {', '.join(KINDS)} is wanted")
        return self

    @property
    def names(self) -> tuple[str, str]:
        """Kind and name of what it is about."""
        kind = next(kind for kind in KINDS if getattr(self, kind) is not None)
        return kind, str(getattr(self, kind))

    def __str__(self) -> str:
        """What it names, in words.

        >>> str(Entry(source="old", reason="superseded", date=datetime.date(2026, 11, 21), who="ann"))
        'source old'
        """
        kind, name = self.names
        return f"{kind.removesuffix('_id')} {name}"


@dataclass(frozen=True)
class Withdrawn:
    """The entries in force: the last one for each thing they name."""

    entries: tuple[Entry, ...] = ()

    def entries_of(self, passage_id: str, document_id: str, source: str) -> list[Entry]:
        """The entries that withdraw a passage, the narrowest first; an id withdraws the pieces it was cut into too.

        >>> entry = Entry(passage_id="p", reason="superseded", date=datetime.date(2026, 11, 21), who="ann")
        >>> [len(Withdrawn((entry,)).entries_of(name, "", "")) for name in ("p", "p#2", "p2", "p#x")]
        [1, 1, 0, 0]
        """
        names = [("passage_id", passage_id), ("document_id", document_id), ("source", source)]
        if piece := _PIECE.fullmatch(passage_id):
            names.insert(1, ("passage_id", piece["whole"]))
        return [self._by_name[name] for name in names if name in self._by_name]

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], Entry]:
        return {entry.names: entry for entry in self.entries}


def standing(log: Sequence[Entry]) -> Withdrawn:
    """What a log withdraws in the end; later entries take earlier ones back.

    >>> entry = Entry(source="old", reason="superseded", date=datetime.date(2026, 11, 21), who="ann")
    >>> standing([entry, entry.model_copy(update={"restored": True})])
    Withdrawn(entries=())
    """
    last = {entry.names: entry for entry in log}
    return Withdrawn(tuple(entry for entry in last.values() if not entry.restored))


def read(path: Path = WITHDRAWN_FILE) -> list[Entry]:
    """All entries of the log, in order; empty without a file.

    Raises:
        DataError: if it is not a list of entries, or restores what was not withdrawn; names the entry's number.
    """
    return _parsed(path.read_text(encoding="utf-8"), path) if path.exists() else []


def append(entry: Entry, path: Path = WITHDRAWN_FILE) -> None:
    """Appends the entry; what people wrote into the file by hand stays as it is.

    Raises:
        DataError: if the file is broken, or already says the same.
    """
    with alone(path.with_name(f".{path.name}.lock"), "writes it", wait=True):
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        log = _parsed(text, path)
        now = {one.names for one in standing(log).entries}
        if (entry.names in now) != entry.restored:
            found = "is not withdrawn" if entry.restored else "is withdrawn already"
            raise DataError(f"{entry} {found}", where=str(path), next_step=f"look into {path}")
        kept = text if log else re.sub(r"(?m)^\[\]\s*\n?", "", text)
        row = entry.model_dump(exclude_none=True, exclude_defaults=True)
        added = yaml.safe_dump([row], sort_keys=False, allow_unicode=True, width=118)
        new = (kept.rstrip("\n") + "\n" if kept.strip() else "") + added
        if _parsed(new, path) != [*log, entry]:
            raise DataError(
                "an entry cannot be put behind the others", expected="a YAML list, one `- ` an entry", where=str(path)
            )
        write_text(path, new)


def _parsed(text: str, path: Path) -> list[Entry]:
    try:
        rows = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _broken(f"not YAML ({' '.join(str(error).split())})", str(path)) from error
    if rows is None:
        return []
    if not isinstance(rows, list):
        raise _broken(f"a {type(rows).__name__} at the top", str(path))
    log: list[Entry] = []
    for number, row in enumerate(rows, start=1):
        where = f"{path}, entry {number}"
        try:
            entry = Entry.model_validate(row)
        except ValidationError as error:
            raise _broken("; ".join(_fault(one) for one in error.errors()), where) from error
        if entry.restored and entry.names not in {one.names for one in standing(log).entries}:
            raise _broken(f"{entry} is restored, but was not withdrawn", where)
        log.append(entry)
    return log


def _fault(error: object) -> str:
    place = ".".join(map(str, error["loc"]))  # type: ignore[index]
    return f"{place}: {error['msg']}" if place else str(error["msg"])  # type: ignore[index]


def _broken(found: str, where: str) -> DataError:
    return DataError(
        found,
        expected="a list of entries with passage_id, document_id or source, and reason, date, who",
        where=where,
        next_step="fix it by hand, or git checkout withdrawn.yaml; jmlr withdraw writes entries that fit",
    )
