"""What the registry holds now: the newest version and the champion, with what their tags say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jmlr.tracking.store import connect

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"


@dataclass(frozen=True)
class Standing:
    """One version as it stands.

    Attributes:
        number: the version's, from 1.
        run_id: the MLflow run that trained it; empty where there is none.
        tags: hashes of where it came from, and its measures as `SPLIT.accuracy.ARM`.
    """

    number: int
    run_id: str
    tags: Mapping[str, str]


def newest_and_champion(name: str) -> tuple[Standing | None, Standing | None]:
    """The newest version of the registered model `name` and the one with the alias champion, None where there is none.

    Raises:
        MissingResource: if the tracking store does not answer.
    """
    client = connect()
    versions = list(client.search_model_versions(f"name = '{name}'"))
    newest = max(versions, key=lambda version: int(version.version), default=None)
    if newest is None:
        return None, None
    alias = client.get_registered_model(name).aliases.get(CHAMPION)
    champion = next((version for version in versions if str(version.version) == str(alias)), None)
    return _standing(newest), _standing(champion) if champion is not None else None


def run_page(uri: str, run_id: str) -> str:
    """The address of a run's page; empty where the store is no server, which alone has pages.

    Raises:
        MissingResource: if the tracking store does not answer.
    """
    if not uri.startswith(("http://", "https://")) or not run_id:
        return ""
    experiment = connect(uri).get_run(run_id).info.experiment_id
    return f"{uri.rstrip('/')}/#/experiments/{experiment}/runs/{run_id}"


def _standing(version: ModelVersion) -> Standing:
    return Standing(int(version.version), version.run_id or "", dict(version.tags))
