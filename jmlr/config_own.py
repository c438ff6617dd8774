"""The part of a params.yaml that a trained pair takes along, read for itself."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError, create_model

from jmlr.config import Settings, faults_of
from jmlr.config_data import Block
from jmlr.config_versions import migrated
from jmlr.errors import ConfigError

OWN = ("recipe", "seed", "ingest", "base", "prompt", "index", "train")
"""Keys and blocks that say how a pair is made, and so how it answers."""
_fields: dict[str, Any] = {name: (Settings.model_fields[name].annotation, ...) for name in OWN}
_Own = create_model("_Own", __base__=Block, **_fields)


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
        faults = faults_of(error)
    raise ConfigError(
        f"{len(faults)} broken setting(s):\n  " + "\n  ".join(faults),
        expected="settings as this release, or one before it, wrote them",
        where=where,
        next_step="use the code that the pair was registered with: the version's tag git_commit",
    )
