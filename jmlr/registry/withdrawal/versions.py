"""Which registered versions hold passages that were withdrawn, and the tag that says so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jmlr.data.tables import batches_of
from jmlr.data.withdrawal import WITHDRAWN_FILE, Withdrawn, read, standing
from jmlr.errors import RegistryError
from jmlr.registry.version.lookup import files
from jmlr.tracking.store import connect

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

TAG = "withdrawn"
"""JSON {passages, entries, by}: how many withdrawn passages the version holds, and which entries name them."""

_MOST_NAMED = 20  # a tag is short


def withdrawn_passages(version: ModelVersion, root: Path = Path()) -> list[str]:
    """Ids of the version's passages that are withdrawn, in their order; empty where it may be used.

    Args:
        version: of the registry.
        root: the repository's, with withdrawn.yaml.

    Raises:
        DataError: if withdrawn.yaml is broken.
        RegistryError: if the version's files cannot be read.
    """
    return list(held(connect(), version, standing(read(root / WITHDRAWN_FILE))))


def held(client: MlflowClient, version: ModelVersion, withdrawn: Withdrawn) -> dict[str, str]:
    """The version's passages that `withdrawn` names: by id, the entry in words.

    Raises:
        RegistryError: if the version's files cannot be read.
    """
    return named_in(files(client, version).pair.passages, withdrawn) if withdrawn.entries else {}


def named_in(table: Path, withdrawn: Withdrawn) -> dict[str, str]:
    """The passages of passages.parquet that `withdrawn` names: by id, the entry in words."""
    columns, found = ["passage_id", "document_id", "source"], dict[str, str]()
    for batch in batches_of(table, columns) if withdrawn.entries else ():
        for row in zip(*(batch[name].to_pylist() for name in columns), strict=True):
            if entries := withdrawn.entries_of(*row):
                found[row[0]] = str(entries[0])
    return found


def tables(client: MlflowClient, versions: Sequence[ModelVersion]) -> Iterator[Path]:
    """The passages.parquet of each version whose files can be read."""
    for version in versions:
        try:
            yield files(client, version).pair.passages
        except RegistryError:
            continue


def mark(client: MlflowClient, versions: Sequence[ModelVersion], withdrawn: Withdrawn) -> None:
    """Brings the tag `withdrawn` of the versions in line; one whose files are gone keeps the tag that it has."""
    for version in versions:
        try:
            found = held(client, version, withdrawn)
        except RegistryError:
            continue
        if found:
            by = sorted(set(found.values()))
            value = json.dumps({"passages": len(found), "entries": len(by), "by": by[:_MOST_NAMED]})
            client.set_model_version_tag(version.name, version.version, TAG, value)
        elif TAG in version.tags:
            client.delete_model_version_tag(version.name, version.version, TAG)


def marked(version: ModelVersion) -> dict[str, Any] | None:
    """What the tag says, for those who serve a version without the repository; None: nothing it holds is withdrawn."""
    return json.loads(version.tags[TAG]) if TAG in version.tags else None


def all_versions(client: MlflowClient, name: str) -> Sequence[ModelVersion]:
    """The versions of the registered model, the oldest first, each with its aliases."""
    found = client.search_model_versions(f"name = '{name}'")
    return sorted((client.get_model_version(name, one.version) for one in found), key=lambda one: int(one.version))
