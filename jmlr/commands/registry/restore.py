"""`jmlr restore`: code, data and settings of a version as they were when it was registered."""

from __future__ import annotations

from pathlib import Path

from jmlr.commands.trained import trained_pair
from jmlr.console import CONSOLE
from jmlr.errors import RegistryError
from jmlr.registry.version import record
from jmlr.registry.version.lookup import resolve
from jmlr.registry.version.pair import Pair, is_registered_pair
from jmlr.settings import Settings
from jmlr.tracking.provenance import UNKNOWN
from jmlr.tracking.snapshot import restore_snapshot
from jmlr.tracking.store import connect


def run(settings: Settings, spec: str, folder: Path | None) -> None:
    """Restores a version's state, and says whether its pair came back bit by bit.

    `spec`: `3`, `@champion` or `models:/jmlr/3`. `folder`: a new one; None: this checkout, if nothing in it would be
    lost.

    Raises:
        RegistryError: if there is no such version, or it does not carry its state.
        RestoreError: if the checkout has changes, or commit or data are not at hand.
    """
    client = connect()
    version = resolve(client, settings.track.registered_model, spec)
    commit = version.tags.get("git_commit", UNKNOWN)
    state = record.fetch(client, version).state
    if state is None or commit == UNKNOWN:
        raise RegistryError(
            "it does not carry its state",
            expected="a git commit, dvc.lock, data.dvc and params.yaml",
            where=str(version),
            next_step="jmlr register, in a git repository and while its build is there, adds them",
        )
    place = restore_snapshot(state, commit, folder)
    pair = Pair(*(place / path for path in vars(trained_pair()).values()))
    pair.require()
    same = is_registered_pair(pair, version.tags)
    told = "the pair is the registered one, bit by bit" if same else "but the pair in it is NOT the registered one"
    CONSOLE.print(f"{version} is restored in {place.resolve()} (git commit {commit[:12]}); {told}")
