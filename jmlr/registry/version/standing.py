"""What the registry holds now: the version registered last and the champion, with what their tags say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jmlr.tracking.store import connect

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

CHALLENGER, CHAMPION = "challenger", "champion"


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


def challenger_and_champion(name: str) -> tuple[Standing | None, Standing | None]:
    """The version of the registered model `name` registered last, and the champion; None where there is none.

    Registering the build of an old version again makes that one the challenger. Without the alias it is the newest.

    Raises:
        MissingResource: if the tracking store does not answer.
    """
    client = connect()
    versions = {int(version.version): version for version in client.search_model_versions(f"name = '{name}'")}
    if not versions:
        return None, None
    aliases = client.get_registered_model(name).aliases
    last, champion = (versions.get(int(aliases.get(alias, 0))) for alias in (CHALLENGER, CHAMPION))
    return _standing(last or versions[max(versions)]), _standing(champion) if champion is not None else None


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
