"""Versions of the registered model: found by number, alias or models:/ address, and their files on this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from jmlr.errors import RegistryError
from jmlr.files import making
from jmlr.registry.version.unit import Opened, open_folder

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from jmlr.registry.version.pair_model import PairModel

VERSIONS = Path("build/versions")
"""Where versions of a store on another machine are kept once they were fetched."""

_SPEC = re.compile(r"(?:models:/(?P<model>[^/@]+)(?=[/@]))?/?(?:@(?P<alias>[\w.-]+)|(?P<number>[1-9]\d*))")


def resolve(client: MlflowClient, name: str, spec: str) -> ModelVersion:
    """The version of the registered model `name` that `spec` means.

    Args:
        client: of the store.
        name: the registered model's name; one in a models:/ address goes before it.
        spec: `3`, `@champion`, `models:/jmlr/3` or `models:/jmlr@champion`.

    Raises:
        RegistryError: if it is written otherwise, or there is no such version.
    """
    from mlflow.exceptions import MlflowException

    parts = _SPEC.fullmatch(spec.strip())
    if not parts:
        raise RegistryError(
            f"{spec!r} names no version",
            expected="a number, @ALIAS, models:/NAME/NUMBER or models:/NAME@ALIAS",
            next_step=f"for example @champion, or models:/{name}/1",
        )
    model = parts["model"] or name
    try:
        if parts["alias"]:
            return client.get_model_version_by_alias(model, parts["alias"])
        return client.get_model_version(model, parts["number"])
    except MlflowException as error:
        raise RegistryError(
            "no such version",
            expected=_describe(client, model),
            where=f"registered model {model}, {spec.strip()}",
            next_step="jmlr register makes one of the evaluated pair; jmlr promote gives @champion to the best",
        ) from error


def _describe(client: MlflowClient, model: str) -> str:
    """Which versions there are, in words."""
    numbers = sorted(int(version.version) for version in client.search_model_versions(f"name = '{model}'"))
    return f"one of the versions {', '.join(map(str, numbers))}" if numbers else "a registered version; there is none"


def files(client: MlflowClient, version: ModelVersion, keep_in: Path = VERSIONS) -> Opened:
    """The version's files: in the store itself where it lies on this machine, else fetched once into `keep_in`.

    Nobody may write into them.

    Raises:
        RegistryError: if the store, or the index store, does not have them any more.
        FingerprintMismatch: if an index that is kept outside of the version was changed.
    """
    return open_folder(_root(client, version, keep_in) / "artifacts")


def load(client: MlflowClient, version: ModelVersion) -> PairModel:
    """The version, ready to predict: its files read by the code of today, as `jmlr serve` reads them.

    Raises:
        RegistryError: as `files`.
        ConfigError: if it is of a release that this code does not know.
    """
    from jmlr.registry.version.pair_model import PairModel

    return PairModel().open(files(client, version), name=version.name, version=str(version.version))


def _root(client: MlflowClient, version: ModelVersion, keep_in: Path) -> Path:
    """The folder with the version's MLmodel."""
    import mlflow
    from mlflow.exceptions import MlflowException
    from mlflow.utils.uri import is_local_uri

    uri = client.get_model_version_download_uri(version.name, version.version)
    where = f"{version.name} version {version.version}, {uri}"
    try:
        if is_local_uri(uri):
            return Path(mlflow.artifacts.download_artifacts(uri, tracking_uri=client.tracking_uri))
        kept = keep_in / version.source.rsplit("/", 1)[-1]
        if not kept.exists():
            with making(kept) as unfinished:
                mlflow.artifacts.download_artifacts(uri, dst_path=str(unfinished), tracking_uri=client.tracking_uri)
    except (MlflowException, OSError) as error:
        raise RegistryError(
            f"its files cannot be read ({error})",
            expected="the store's files as they were when it was registered",
            where=where,
            next_step="bring the store's artifact folder back, or register the pair again",
        ) from error
    return kept if (kept / "MLmodel").exists() else next(kept.glob("*/MLmodel")).parent
