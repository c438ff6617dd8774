"""The files of a trained pair, wherever they lie: in build/, or in a version of the registry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jmlr import fingerprint
from jmlr.errors import RegistryError


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

    def pair_hash(self) -> str:
        """SHA-256 (hex) over both models, the index's manifest and the passages: equal for equal builds."""
        index = fingerprint.of_folder(self.index, "manifest.json")
        models = fingerprint.of_folder(self.retriever), fingerprint.of_folder(self.reader)
        return fingerprint.of_json([*models, index, fingerprint.of_file(self.passages)])
