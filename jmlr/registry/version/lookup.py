"""Registered versions: found by number, alias or models:/ address, and their files on this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jmlr.errors import RegistryError
from jmlr.files import making
from jmlr.registry.version.contents import Contents, open_folder
from jmlr.tracking.store import connect

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from jmlr.registry.version.pair_model import PairModel

VERSIONS = Path("build/versions")
"""Where the files of versions are kept that were fetched from a store on another machine."""
CHALLENGER, CHAMPION = "challenger", "champion"

_SPEC = re.compile(r"(?:models:/(?P<model>[^/@]+)(?=[/@]))?/?(?:@(?P<alias>[\w.-]+)|(?P<number>[1-9]\d*))")


@dataclass(frozen=True)
class Version:
    """A registered version, as the store lists it.

    Attributes:
        number: from 1.
        run_id: the MLflow run that trained it; empty if there is none.
        tags: hashes of where it came from, and its measures as `SPLIT.accuracy.ARM`.
        name: the registered model's.
        aliases: of the version.
        source: where the store keeps its files.
        registered: milliseconds since 1970, UTC.
    """

    number: int
    run_id: str
    tags: Mapping[str, str]
    name: str = ""
    aliases: tuple[str, ...] = ()
    source: str = ""
    registered: int = 0

    @classmethod
    def of(cls, entry: ModelVersion) -> Version:
        """The version of MLflow's entry."""
        own = entry.name, tuple(entry.aliases), entry.source or "", entry.creation_timestamp or 0
        return cls(int(entry.version), entry.run_id or "", dict(entry.tags), *own)

    def __str__(self) -> str:
        return f"{self.name} version {self.number}"


def spec_of(version: str) -> str:
    """A version as the command line names it: an alias may come without its @.

    >>> [spec_of(name) for name in ("3", "champion", "@champion", "models:/jmlr/3")]
    ['3', '@champion', '@champion', 'models:/jmlr/3']
    """
    plain = version.isdigit() or version.startswith(("@", "models:"))
    return version if plain else f"@{version}"


def resolve(client: MlflowClient, name: str, spec: str) -> Version:
    """The version of the registered model `name` that `spec` means.

    `name`: the registered model's name; the name in a models:/ address takes precedence. `spec`: `3`, `@champion`,
    `models:/jmlr/3` or `models:/jmlr@champion`.

    Raises:
        RegistryError: if `spec` has another form, or there is no such version.
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
        number = parts["number"] or client.get_model_version_by_alias(model, parts["alias"]).version
        return Version.of(client.get_model_version(model, str(number)))
    except MlflowException as error:
        numbers = [str(version.number) for version in search(client, model)]
        raise RegistryError(
            "no such version",
            expected=f"one of the versions {', '.join(numbers)}" if numbers else "a registered version; there is none",
            where=f"registered model {model}, {spec.strip()}",
            next_step="jmlr register makes one of the evaluated pair; jmlr promote gives @champion to the best",
        ) from error


def search(client: MlflowClient, name: str, condition: str = "") -> list[Version]:
    """The versions of `name`, oldest first, without their aliases, which a search does not tell."""
    found = client.search_model_versions(f"name = '{name}'{condition}")
    return sorted(map(Version.of, found), key=lambda version: version.number)


def all_versions(client: MlflowClient, name: str) -> list[Version]:
    """The versions of the registered model, oldest first."""
    return [Version.of(client.get_model_version(name, str(one.number))) for one in search(client, name)]


def find(client: MlflowClient, name: str, unit_hash: str) -> Version | None:
    """The newest version of `name` with this hash, or None."""
    return next(iter(reversed(search(client, name, f" and tags.unit_hash = '{unit_hash}'"))), None)


def challenger_and_champion(name: str) -> tuple[Version | None, Version | None]:
    """The version of the registered model `name` registered last, and the champion; None where there is none.

    A version whose build is registered again becomes the challenger. Without that alias the newest version is.

    Raises:
        MissingResource: if the tracking store does not answer.
    """
    client = connect()
    versions = {version.number: version for version in search(client, name)}
    if not versions:
        return None, None
    aliases = client.get_registered_model(name).aliases
    last, champion = (versions.get(int(aliases.get(alias, 0))) for alias in (CHALLENGER, CHAMPION))
    return last or versions[max(versions)], champion


def run_page(uri: str, run_id: str) -> str:
    """The address of a run's page; empty unless the store is a server.

    Raises:
        MissingResource: if the tracking store does not answer.
    """
    if not uri.startswith(("http://", "https://")) or not run_id:
        return ""
    experiment = connect(uri).get_run(run_id).info.experiment_id
    return f"{uri.rstrip('/')}/#/experiments/{experiment}/runs/{run_id}"


def files(client: MlflowClient, version: Version, keep_in: Path = VERSIONS) -> Contents:
    """The version's files: those of the store if it lies on this machine, else fetched once into `keep_in`.

    They are read only.

    Raises:
        RegistryError: if the store, or the index store, no longer has them.
        FingerprintMismatch: if an index that is kept outside of the version was changed.
    """
    return open_folder(_fetch(client, version, keep_in) / "artifacts")


def load(client: MlflowClient, version: Version) -> PairModel:
    """The version, ready to predict: its files, read by the code of today, as `jmlr serve` reads them.

    Raises:
        RegistryError: as `files`.
        ConfigError: if it is of a release that this code does not know.
    """
    from jmlr.registry.version.pair_model import PairModel

    return PairModel().open(files(client, version), name=version.name, version=str(version.number))


def _fetch(client: MlflowClient, version: Version, keep_in: Path) -> Path:
    """The folder with the version's MLmodel."""
    import mlflow
    from mlflow.exceptions import MlflowException
    from mlflow.utils.uri import is_local_uri

    uri = client.get_model_version_download_uri(version.name, str(version.number))
    try:
        if is_local_uri(uri):
            return Path(mlflow.artifacts.download_artifacts(uri, tracking_uri=client.tracking_uri))
        kept = keep_in / version.source.rsplit("/", 1)[-1]
        if not kept.exists():
            with making(kept) as unfinished:
                mlflow.artifacts.download_artifacts(uri, dst_path=str(unfinished), tracking_uri=client.tracking_uri)
    except (MlflowException, OSError) as error:
        raise unreadable("its files", error, f"{version}, {uri}") from error
    return kept if (kept / "MLmodel").exists() else next(kept.glob("*/MLmodel")).parent


def unreadable(what: str, error: Exception, where: str) -> RegistryError:
    """The error that tells that `what` of a version cannot be read from the store."""
    return RegistryError(
        f"{what} cannot be read ({error})",
        expected="the store's files as they were when it was registered",
        where=where,
        next_step="restore the store's artifact folder, or register the pair again",
    )
