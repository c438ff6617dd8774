"""Which registered versions contain withdrawn passages, which answers depend on them, and the tag that says so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jmlr.data.tables import batches_of
from jmlr.data.withdrawal import WITHDRAWN_FILE, Entry, Withdrawn, read, standing
from jmlr.errors import RegistryError
from jmlr.evaluation.reliance.answers import Leaning, leanings
from jmlr.registry.version.lookup import Version, files
from jmlr.tracking.store import connect

if TYPE_CHECKING:
    from mlflow import MlflowClient

TAG = "withdrawn"
"""JSON {passages, entries, by}: how many withdrawn passages the version contains, and which entries name them."""

_MOST_NAMED = 20  # a tag is short
_TABLES = ("evidence.parquet", "predictions.parquet")


@dataclass(frozen=True)
class Holder:
    """A registered version.

    Attributes:
        passages: how many of the passages it contains; None: its files cannot be read.
    """

    version: int
    aliases: tuple[str, ...]
    passages: int | None


@dataclass(frozen=True)
class Impact:
    """What an entry concerns.

    Attributes:
        entry: of the log.
        passages: ids, sorted; those of this checkout and of all versions.
        holders: all registered versions, oldest first.
        leanings: of the arms of the evaluation; empty if there is no evaluation with evidence.
    """

    entry: Entry
    passages: tuple[str, ...]
    holders: tuple[Holder, ...]
    leanings: tuple[Leaning, ...]

    def as_json(self) -> dict[str, Any]:
        """As build/withdrawal.json has it."""
        return {**asdict(self), "entry": self.entry.model_dump(mode="json", exclude_none=True)}


def assess(entry: Entry, client: MlflowClient, versions: Sequence[Version], table: Path, evaluation: Path) -> Impact:
    """What `entry` concerns.

    `table`: passages.parquet of this checkout. `evaluation`: folder of its evaluation; one without evidence.parquet
    says nothing.

    Raises:
        DataError: if a table of the evaluation is broken.
    """
    alone = Withdrawn((entry,))
    found: set[str] = set(named_in(table, alone)) if table.exists() else set()
    holders = []
    for version, own in _held(client, versions, alone):
        found.update(own or ())
        holders.append(Holder(version.number, version.aliases, None if own is None else len(own)))
    is_evaluated = all((evaluation / name).exists() for name in _TABLES)
    leaning = leanings(evaluation, found) if is_evaluated else []
    return Impact(entry, tuple(sorted(found)), tuple(holders), tuple(leaning))


def withdrawn_passages(version: Version, root: Path = Path()) -> list[str]:
    """Ids of the version's passages that are withdrawn, in their order; empty if it may be used.

    Raises:
        DataError: if withdrawn.yaml is broken.
        RegistryError: if the version's files cannot be read.
    """
    withdrawn = standing(read(root / WITHDRAWN_FILE))
    return list(named_in(files(connect(), version).pair.passages, withdrawn)) if withdrawn.entries else []


def _held(
    client: MlflowClient, versions: Sequence[Version], withdrawn: Withdrawn
) -> Iterator[tuple[Version, dict[str, str] | None]]:
    """Each version with its passages that `withdrawn` names, as `named_in` gives them; None: it cannot be read."""
    for version in versions:
        try:
            yield version, named_in(files(client, version).pair.passages, withdrawn)
        except RegistryError:
            yield version, None


def named_in(table: Path, withdrawn: Withdrawn) -> dict[str, str]:
    """The passages of passages.parquet that `withdrawn` names: by id, the entry in words."""
    columns, found = ["passage_id", "document_id", "source"], dict[str, str]()
    for batch in batches_of(table, columns) if withdrawn.entries else ():
        for row in zip(*(batch[name].to_pylist() for name in columns), strict=True):
            if entries := withdrawn.entries_of(*row):
                found[row[0]] = str(entries[0])
    return found


def tables(client: MlflowClient, versions: Sequence[Version]) -> Iterator[Path]:
    """The passages.parquet of each version whose files can be read."""
    for version in versions:
        try:
            yield files(client, version).pair.passages
        except RegistryError:
            continue


def mark(client: MlflowClient, versions: Sequence[Version], withdrawn: Withdrawn) -> None:
    """Updates the tag `withdrawn` of the versions; one whose files cannot be read keeps the tag that it has."""
    for version, found in _held(client, versions, withdrawn):
        if found:
            by = sorted(set(found.values()))
            value = json.dumps({"passages": len(found), "entries": len(by), "by": by[:_MOST_NAMED]})
            client.set_model_version_tag(version.name, str(version.number), TAG, value)
        elif found is not None and TAG in version.tags:
            client.delete_model_version_tag(version.name, str(version.number), TAG)


def marked(version: Version) -> dict[str, Any] | None:
    """What the tag says, for those who serve a version without the repository; None: it contains nothing withdrawn."""
    return json.loads(version.tags[TAG]) if TAG in version.tags else None
