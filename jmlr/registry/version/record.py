"""What a version carries besides its model: its evaluation, the report on its data, and the state it was made from.

They are read without fetching the model. They lie with the artifacts of the version's run, in a folder of the version's
own: one run may make several versions (`jmlr refresh`), and one registered again gets the papers of that moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jmlr import fingerprint
from jmlr.errors import RegistryError
from jmlr.files import read_json

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PROTOCOL_TAG = "protocol_hash"
REFRESHED_TAG = "refreshed_from"
"""Of a version made by `jmlr refresh`: the version whose models it has."""

_FOLDER = "versions"
_EVALUATION_OF_RUN = "evaluation"


@dataclass(frozen=True)
class Record:
    """Where the papers of a version lie on this machine; None for what it does not carry."""

    evaluation: Path | None
    validation: Path | None
    state: Path | None

    def validation_report(self) -> dict[str, Any] | None:
        """build/validate/report.json of the version's data."""
        return _read(self.validation, "report.json")

    def counts(self) -> dict[str, Any] | None:
        """build/ingest/counts.json of the version's data."""
        return _read(self.validation, "counts.json")

    def metrics(self) -> dict[str, Any] | None:
        """build/evaluate/metrics.json of the version."""
        return _read(self.evaluation, "metrics.json")


def keep(client: MlflowClient, version: ModelVersion, papers: Mapping[str, Sequence[Path]]) -> None:
    """Puts files beside the version's run; what is there under the same name is replaced.

    Args:
        client: of the store.
        version: whose papers they are.
        papers: files by the folder they go to, `evaluation`, `validation` or `state`; missing ones are left out.
    """
    for place, files in papers.items():
        for path in files:
            if path.is_file():
                client.log_artifact(version.run_id, str(path), f"{_folder(version)}/{place}")


def fetch(client: MlflowClient, version: ModelVersion) -> Record:
    """The papers of a version; from before they were kept, the evaluation of its run, if it is of its protocol.

    A refreshed version shares its run with the one it was made from, whose answers are not its own.

    Raises:
        RegistryError: if the run's artifacts cannot be read.
    """
    own = _download(client, version, _folder(version))
    found = {name: own / name for name in ("evaluation", "validation", "state") if own and (own / name).is_dir()}
    evaluation = found.get("evaluation")
    if evaluation is None and REFRESHED_TAG not in version.tags:
        evaluation = _download(client, version, _EVALUATION_OF_RUN)
    if evaluation is not None and not _is_of(evaluation, version):
        evaluation = None
    return Record(evaluation, found.get("validation"), found.get("state"))


def _folder(version: ModelVersion) -> str:
    return f"{_FOLDER}/{version.name}-{version.version}"


def _is_of(evaluation: Path, version: ModelVersion) -> bool:
    """Whether an evaluation was made under the protocol that the version names."""
    protocol = _read(evaluation, "protocol.json")
    return protocol is not None and fingerprint.of_json(protocol) == version.tags.get(PROTOCOL_TAG)


def _download(client: MlflowClient, version: ModelVersion, path: str) -> Path | None:
    """A folder of the run's artifacts, or None if there is none."""
    from mlflow.exceptions import MlflowException

    try:
        if not client.list_artifacts(version.run_id, path):
            return None
        return Path(client.download_artifacts(version.run_id, path))
    except (MlflowException, OSError) as error:
        raise RegistryError(
            f"the artifacts of its run cannot be read ({error})",
            expected="the store's files as they were when it was registered",
            where=f"{version.name} version {version.version}, run {version.run_id}",
            next_step="bring the store's artifact folder back, or register the pair again",
        ) from error


def _read(folder: Path | None, name: str) -> dict[str, Any] | None:
    if folder is None or not (folder / name).exists():
        return None
    return read_json(folder / name, "bring the version's artifact back, or register the pair again")
