"""build/refreshed: the models of a version with an index of the current passages, on their way to a new version."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from jmlr.errors import MissingResource
from jmlr.files import read_json, reading, write_json
from jmlr.registry.version.lookup import Version, files, resolve
from jmlr.registry.version.pair import Pair
from jmlr.registry.version.record import REFRESHED_TAG
from jmlr.stages import layout
from jmlr.tracking.store import connect

_REMEDY = "jmlr refresh"


@dataclass(frozen=True)
class Refreshed:
    """What refreshed.json says; it is written last, so that everything beside it is whole.

    Attributes:
        name: of the registered model.
        version: whose models and settings it has.
        pair_hash: of models, new index and new passages.
        changes: passages `added`, `replaced`, `deleted` and `kept` since that version.
    """

    name: str
    version: int
    pair_hash: str
    changes: dict[str, int] = field(default_factory=dict)

    @property
    def is_other(self) -> bool:
        """Whether its passages differ from the version's."""
        return any(count for what, count in self.changes.items() if what != "kept")

    def write(self) -> None:
        """Writes build/refreshed/refreshed.json."""
        write_json(layout.REFRESHED_RECORD, asdict(self))

    @classmethod
    def read(cls) -> Refreshed:
        """What build/refreshed/refreshed.json says.

        Raises:
            MissingResource: if there is none: nothing was refreshed, or it was cut off.
        """
        if not layout.REFRESHED_RECORD.exists():
            raise MissingResource(
                "nothing is refreshed", expected="a whole one", where=str(layout.REFRESHED), next_step=_REMEDY
            )
        with reading(layout.REFRESHED_RECORD, _REMEDY):
            return cls(**read_json(layout.REFRESHED_RECORD, _REMEDY))

    def source(self) -> Version:
        """The version whose models it has.

        Raises:
            RegistryError: if it is gone.
        """
        return resolve(connect(), self.name, str(self.version))

    def source_pair(self) -> Pair:
        """The files of that version.

        Raises:
            RegistryError: if they are gone.
        """
        return files(connect(), self.source()).pair

    def pair(self) -> Pair:
        """The version's models with the new index, passages and settings.

        Raises:
            RegistryError: if the version's files are gone.
        """
        return refreshed_pair(self.source_pair())

    def described_changes(self) -> str:
        """The changes in words."""
        return ", ".join(f"{count} {what}" for what, count in self.changes.items())

    def as_tags(self, source: Version) -> dict[str, str]:
        """What its own version says of its origin.

        `data_dvc_hash` stays that of the training, so that the flow `retrain` still sees data that were not trained on.
        """
        kept = {name: source.tags[name] for name in ("data_dvc_hash",) if name in source.tags}
        return {
            **kept,
            REFRESHED_TAG: str(self.version),
            "trained_in": source.tags.get("trained_in", str(self.version)),
            "passages_changed": self.described_changes(),
        }


def refreshed_pair(its: Pair) -> Pair:
    """A version's models with what lies in build/refreshed."""
    return Pair(its.retriever, its.reader, layout.REFRESHED_INDEX, layout.REFRESHED_PASSAGES, layout.REFRESHED_PARAMS)
