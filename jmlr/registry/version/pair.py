"""The files of a trained pair, wherever they lie: in build/, or in a version of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from jmlr import fingerprint
from jmlr.errors import ConfigError, RegistryError
from jmlr.index import generation
from jmlr.settings import EvaluateSettings, Settings
from jmlr.settings.params import parse_own

PAIR_HASH_TAG, PAIR_HASH_RULE_TAG = "pair_hash", "pair_hash_rule"
HASH_RULE = 2
"""How pairs are hashed now. 1, of a version without the tag: both models, the index's manifests and the passages."""


@dataclass(frozen=True)
class Pair:
    """The files of a trained pair: three folders, the passages table, and the params.yaml they were made with."""

    retriever: Path
    reader: Path
    index: Path
    passages: Path
    params: Path

    def require(self) -> None:
        """Raise unless all files are there.

        Raises:
            RegistryError: naming the first that is missing.
        """
        for path in vars(self).values():
            if not path.exists():
                raise RegistryError("missing", expected="a trained pair", where=str(path), next_step="dvc repro")

    def settings(self, current: Settings | None = None) -> Settings:
        """The settings that the pair answers with: its own where they decide answers, the current ones otherwise.

        Args:
            current: the settings of this checkout; None: there are none, and answering needs only its own.

        Raises:
            ConfigError: if its params.yaml is not one, or of a release that this code does not know.
        """
        raw = self._raw()
        own = parse_own(raw, str(self.params))
        if current is not None:
            return current.model_copy(update=own)
        # How many questions are read at once changes no answer, so that block is taken as it is written.
        written = raw.get("evaluate", {}) if isinstance(raw, Mapping) else {}
        return Settings.model_construct(**own, evaluate=EvaluateSettings.model_construct(**written))

    def pair_hash(self, rule: int = HASH_RULE) -> str:
        """SHA-256 (hex) over every file that answers depend on: the same wherever the files lie.

        Both models with their tokenizers, the index's current generation, the passages, and of params.yaml what decides
        answers. Bytes are read each time: a file's size and time do not prove that it is the same.

        Args:
            rule: HASH_RULE, or the earlier one of an older version.

        Raises:
            RegistryError: if this code does not know the rule.
        """
        models = fingerprint.of_folder(self.retriever), fingerprint.of_folder(self.reader)
        if rule == 1:
            index = fingerprint.of_folder(self.index, "manifest.json")
            return fingerprint.of_json([*models, index, fingerprint.of_file(self.passages)])
        if rule != HASH_RULE:
            raise RegistryError(
                f"hashed by rule {rule}",
                expected=f"a rule from 1 to {HASH_RULE}, which this code knows",
                where=str(self.index.parent),
                next_step="a later release registered it: use that one",
            )
        index = fingerprint.of_folder(self._generation())
        return fingerprint.of_json([rule, *models, index, fingerprint.of_file(self.passages), self._answering()])

    def _generation(self) -> Path:
        """The folder with the index's files: older generations beside the current one are no part of the pair."""
        return generation.current(self.index) if (self.index / generation.POINTER).exists() else self.index

    def _answering(self) -> dict[str, Any]:
        """What params.yaml says of prompt, index and reading, as it is written."""
        raw = self._raw()
        its: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
        train = its.get("train") or {}
        return {name: its.get(name) for name in ("prompt", "index")} | {
            name: train.get(name) for name in ("read_passages", "reader")
        }

    def _raw(self) -> object:
        try:
            return yaml.safe_load(self.params.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
            raise ConfigError(f"cannot be read: {error}", expected="a params.yaml", where=str(self.params)) from error


def hash_rule(tags: Mapping[str, str]) -> int:
    """The rule by which a version's `pair_hash` was made; 1 without the tag.

    >>> hash_rule({}), hash_rule({"pair_hash_rule": "2"})
    (1, 2)
    """
    told = tags.get(PAIR_HASH_RULE_TAG, "1")
    return int(told) if told.isdecimal() else 0


def is_registered_pair(pair: Pair, tags: Mapping[str, str]) -> bool:
    """Whether the files are those that the version with these tags was registered with, by its own rule."""
    return pair.pair_hash(hash_rule(tags)) == tags.get(PAIR_HASH_TAG)
