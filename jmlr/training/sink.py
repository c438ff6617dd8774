"""Where step metrics go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from jmlr.files import append_json, read_json_lines, write_text


class MetricSink(Protocol):
    """Takes the metrics of a step; a stage fills it from jmlr.tracking."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Takes `values` of the step numbered `step`."""


class History:
    """Remembers every metric but seconds, so that a training done again gives the same; hands on all to another sink.

    With a file it remembers across processes: a training that goes on from a checkpoint keeps the rows before it, and
    those of steps that are done again are replaced. A last line that a killed process left unfinished is dropped.

    >>> history = History("rag", None)
    >>> history.log(1, {"reader_loss": 2.0})
    >>> history.rows
    [{'arm': 'rag', 'step': 1, 'name': 'reader_loss', 'value': 2.0}]
    """

    def __init__(self, arm: str, onward: MetricSink | None, file: Path | None = None) -> None:
        self._arm, self._onward, self._file = arm, onward, file
        self.rows: list[dict[str, Any]] = []
        if file is not None:
            self.rows = read_json_lines(file, f"rm {file}, then the curves begin where the training goes on")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Takes `values` of the step numbered `step`."""
        if self.rows and self.rows[-1]["step"] >= step:
            self.rows = [row for row in self.rows if row["step"] < step]
            if self._file is not None:
                write_text(self._file, "".join(f"{json.dumps(row)}\n" for row in self.rows))
        new = [
            {"arm": self._arm, "step": step, "name": name, "value": value}
            for name, value in values.items()
            if not name.endswith("_seconds")
        ]
        self.rows += new
        if self._file is not None:
            append_json(self._file, new)
        if self._onward is not None:
            self._onward.log(step, values)
