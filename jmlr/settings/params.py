"""params.yaml as frozen, typed settings; every fault is reported at once with its full key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError, create_model

from jmlr.errors import ConfigError
from jmlr.settings.blocks import Settings
from jmlr.settings.migrations import migrated
from jmlr.settings.rules import broken_rules
from jmlr.settings.values import Block

PARAMS_FILE = Path("params.yaml")
OWN = ("recipe", "seed", "ingest", "base", "prompt", "index", "train")
"""Keys and blocks that say how a pair is made, and so how it answers."""
_fields: dict[str, Any] = {name: (Settings.model_fields[name].annotation, ...) for name in OWN}
_Own = create_model("_Own", __base__=Block, **_fields)


def parse(raw: object, where: str = "params") -> Settings:
    """Typed settings of a parsed params.yaml, of this release or an earlier one.

    Args:
        raw: the YAML document.
        where: the file's name for messages.

    Raises:
        ConfigError: naming every unknown, missing or wrong key, or every broken rule between keys.
    """
    try:
        settings = Settings.model_validate(migrated(raw, where))
    except ValidationError as error:
        faults = _faults_of(error)
    else:
        faults = broken_rules(settings)
        if not faults:
            return settings
    raise ConfigError(
        _listed(faults),
        expected="the keys described in docs/settings.md",
        where=where,
        next_step=f"edit {where}, or `dvc exp run -S recipe=starter` for a recipe that works",
    )


def _listed(faults: list[str]) -> str:
    return f"{len(faults)} broken setting(s):\n  " + "\n  ".join(faults)


def _faults_of(error: ValidationError) -> list[str]:
    """One line a fault: the key's full name, and what is wrong with its value."""
    return [
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}"
        + ("; in YAML a text like this needs quotes" if fault["type"] == "string_type" else "")
        for fault in error.errors()
    ]


def load(path: Path = PARAMS_FILE) -> Settings:
    """Typed settings of the file `path`.

    Raises:
        ConfigError: if the file is missing or cannot be read, is not YAML, or breaks a rule.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            "no such file", expected="a params.yaml", where=str(path), next_step="run jmlr in the repository's root"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", expected="UTF-8 text", where=str(path)) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"not YAML: {error}", where=str(path), next_step=f"fix {path}") from error
    return parse(raw, str(path))


def parse_own(raw: object, where: str) -> dict[str, Any]:
    """What a params.yaml says on how its pair was made: typed values of OWN, whatever else the file says.

    Rules between keys are not looked at: some came after the pair was trained and registered.

    Raises:
        ConfigError: naming every unknown, missing or wrong key of them.
    """
    found = migrated(raw, where)
    own = {name: found[name] for name in OWN if name in found} if isinstance(found, dict) else found
    try:
        return dict(_Own.model_validate(own))
    except ValidationError as error:
        faults = _listed(_faults_of(error))
    raise ConfigError(
        faults,
        expected="settings as this release, or one before it, wrote them",
        where=where,
        next_step="use the code that the pair was registered with: the version's tag git_commit",
    )
