"""What a withdrawal concerns: the passages, the versions that hold them, the evaluated answers that lean on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jmlr.data.withdrawal import Entry, Withdrawn
from jmlr.errors import RegistryError
from jmlr.evaluation.reliance.answers import Leaning, leanings
from jmlr.registry.withdrawal.versions import held, named_in

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

_TABLES = ("evidence.parquet", "predictions.parquet")


@dataclass(frozen=True)
class Holder:
    """A registered version.

    Attributes:
        version: its number.
        aliases: it goes by.
        passages: how many of the passages it holds; None: its files cannot be read.
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
        holders: all registered versions, the oldest first.
        leanings: of the arms of the evaluation; none where there is no evaluation with evidence.
    """

    entry: Entry
    passages: tuple[str, ...]
    holders: tuple[Holder, ...]
    leanings: tuple[Leaning, ...]

    def as_json(self) -> dict[str, Any]:
        """As build/withdrawal.json holds it."""
        found = asdict(self)
        return {**found, "entry": self.entry.model_dump(mode="json", exclude_none=True)}


def assess(
    entry: Entry, client: MlflowClient, versions: Sequence[ModelVersion], table: Path, evaluation: Path
) -> Impact:
    """What `entry` concerns.

    Args:
        entry: what is withdrawn, or allowed again.
        client: of the registry's store.
        versions: all of the registered model.
        table: passages.parquet of this checkout.
        evaluation: folder of its evaluation; one without evidence.parquet says nothing.

    Raises:
        DataError: if a table of the evaluation is broken.
    """
    alone = Withdrawn((entry,))
    found: set[str] = set(named_in(table, alone)) if table.exists() else set()
    holders = []
    for version in versions:
        try:
            own = held(client, version, alone)
        except RegistryError:
            own = None
        found.update(own or ())
        holders.append(Holder(int(version.version), tuple(version.aliases), None if own is None else len(own)))
    is_evaluated = all((evaluation / name).exists() for name in _TABLES)
    leaning = leanings(evaluation, found) if is_evaluated else []
    return Impact(entry, tuple(sorted(found)), tuple(holders), tuple(leaning))
