"""What a version carries besides its contents: its evaluation, the report on its data, and the state it was made from.

It is read without fetching the model. It lies with the artifacts of the version's run, in a folder of the version's
own: one run may make several versions (`jmlr refresh`). A version registered again gets the record of that moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jmlr import fingerprint
from jmlr.files import read_json
from jmlr.registry.version.lookup import Version, unreadable

if TYPE_CHECKING:
    from mlflow import MlflowClient

PROTOCOL_TAG = "protocol_hash"
REFRESHED_TAG = "refreshed_from"
"""Of a version made by `jmlr refresh`: the version whose models it has."""

_EVALUATION_OF_RUN = "evaluation"


@dataclass(frozen=True)
class Record:
    """Folders on this machine; None for what the version does not carry."""

    evaluation: Path | None
    validation: Path | None
    state: Path | None

    def validation_report(self) -> dict[str, Any]:
        """build/validate/report.json of the version's data; empty if it does not carry it."""
        return _read(self.validation, "report.json")

    def counts(self) -> dict[str, Any]:
        """build/ingest/counts.json of the version's data; empty if it does not carry it."""
        return _read(self.validation, "counts.json")

    def metrics(self) -> dict[str, Any]:
        """build/evaluate/metrics.json of the version; empty if it does not carry it."""
        return _read(self.evaluation, "metrics.json")


def keep(client: MlflowClient, version: Version, record: Mapping[str, Sequence[Path]]) -> None:
    """Puts files beside the version's run; a file of the same name is replaced.

    `record`: files by the folder they go to, `evaluation`, `validation` or `state`; missing ones are left out.
    """
    for place, files in record.items():
        for path in files:
            if path.is_file():
                client.log_artifact(version.run_id, str(path), f"{_folder(version)}/{place}")


def fetch(client: MlflowClient, version: Version) -> Record:
    """The record of a version; from before records were kept, the evaluation of its run if it has its protocol.

    A refreshed version shares its run with the one it was made from, whose answers are not its own.

    Raises:
        RegistryError: if the run's artifacts cannot be read.
    """
    own = _download(client, version, _folder(version))
    found = {name: own / name for name in ("evaluation", "validation", "state") if own and (own / name).is_dir()}
    evaluation = found.get("evaluation")
    if evaluation is None and REFRESHED_TAG not in version.tags:
        evaluation = _download(client, version, _EVALUATION_OF_RUN)
    protocol = _read(evaluation, "protocol.json")
    if not protocol or fingerprint.of_json(protocol) != version.tags.get(PROTOCOL_TAG):
        evaluation = None
    return Record(evaluation, found.get("validation"), found.get("state"))


def _folder(version: Version) -> str:
    return f"versions/{version.name}-{version.number}"


def _download(client: MlflowClient, version: Version, path: str) -> Path | None:
    """A folder of the run's artifacts, or None if there is none."""
    from mlflow.exceptions import MlflowException

    try:
        if not client.list_artifacts(version.run_id, path):
            return None
        return Path(client.download_artifacts(version.run_id, path))
    except (MlflowException, OSError) as error:
        raise unreadable("the artifacts of its run", error, f"{version}, run {version.run_id}") from error


def _read(folder: Path | None, name: str) -> dict[str, Any]:
    remedy = "restore the version's artifact, or register the pair again"
    return read_json(folder / name, remedy) if folder is not None else {}
