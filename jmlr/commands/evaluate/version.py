"""A version of the registry on the current test questions: its pair, its passages and its prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jmlr.commands.evaluate.alone import Contender, evaluate_alone, folder_of, show
from jmlr.console import CONSOLE
from jmlr.registry.version.lookup import files, resolve, spec_of
from jmlr.registry.version.pair import hash_rule
from jmlr.settings import Settings
from jmlr.tracking.provenance import UNKNOWN, provenance
from jmlr.tracking.store import connect


def run(settings: Settings, version: str, name: str = "") -> None:
    """Evaluates a version into build/evaluations/NAME and prints the result.

    `version`: a number, an alias (with or without @), or models:/NAME/NUMBER. `name`: of the folder; empty: version-
    NUMBER.

    Raises:
        RegistryError: if there is no such version, or its files are gone.
        FingerprintMismatch: if its index is not its retriever's.
    """
    spec = spec_of(version)
    number = resolve(connect(), settings.track.registered_model, spec).number
    folder = folder_of(name or f"version-{number}")
    show(evaluate_version(settings, spec, folder), folder)


def evaluate_version(settings: Settings, version: str, folder: Path) -> dict[str, Any]:
    """Answers the current questions of the evaluated splits with a version, as the arm jmlr.

    The pair, the passages, the prompt and how many passages are read are the version's; questions, splits, controls,
    intervals and their seed are the current ones, so that two versions with one prompt have one protocol.

    `version`: `3`, `@champion` or `models:/jmlr/3`. `folder`: gets the files of build/evaluate, and evaluated.json,
    which names version, pair and protocol.

    Returns:
        The content of metrics.json.

    Raises:
        RegistryError: if there is no such version, or its files are gone.
        FingerprintMismatch: if its index is not its retriever's.
        ConfigError: if its params.yaml cannot be read by this code.
    """
    client = connect()
    found = resolve(client, settings.track.registered_model, version)
    pair = files(client, found).pair
    its_data, data = found.tags.get("data_dvc_hash", UNKNOWN), provenance()["data_dvc_hash"]
    if its_data != data:
        CONSOLE.print(
            f"{found} was trained on other data (data.dvc {its_data[:12]}, now "
            f"{data[:12]}): whether it was trained on questions that are test questions now is not known."
        )
    name = f"models:/{found.name}/{found.number}"
    told = {
        "model": name,
        "pair_hash": pair.pair_hash(hash_rule(found.tags)),
        "run_id": found.run_id,
        "trained_with_git_commit": found.tags.get("git_commit", UNKNOWN),
        "trained_with_data_dvc_hash": its_data,
    }
    contender = Contender("jmlr", pair.reader, pair.retriever, pair.index, pair.passages, told=told, name=name)
    return evaluate_alone(pair.settings(settings), contender, folder)
