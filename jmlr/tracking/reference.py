"""Where an MLflow run is found again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from jmlr.errors import DataError
from jmlr.files import write_json


@dataclass(frozen=True)
class RunReference:
    """Where a run is found again; build/train/run.json holds it."""

    run_id: str
    tracking_uri: str
    experiment: str

    def write(self, path: Path) -> None:
        """Write the reference as JSON to `path`."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> RunReference:
        """The reference in the file `path`.

        Raises:
            DataError: if the file is missing or is not a reference.
        """
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise DataError(
                f"no run reference: {error}",
                expected="run_id, tracking_uri, experiment",
                where=str(path),
                next_step="dvc repro train",
            ) from error
