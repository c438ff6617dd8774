"""What `jmlr register` gives a version besides its model, so that it can be judged and brought back."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from jmlr.registry.version import record
from jmlr.stages import layout
from jmlr.tracking.snapshot import write_snapshot
from jmlr.tracking.store import connect

if TYPE_CHECKING:
    from jmlr.registry.version.lookup import ModelVersion

_EVALUATION = (layout.PROTOCOL.name, layout.METRICS.name, layout.PREDICTIONS.name)
_VALIDATION = (layout.VALIDATION_REPORT, layout.COUNTS)


def keep(version: ModelVersion, evaluation: Path = layout.EVALUATE) -> None:
    """Puts evaluation, validation report and the state of code, data and settings beside the version's run.

    Args:
        version: that was just registered.
        evaluation: folder of its own evaluation.

    Raises:
        MissingResource: if the tracking store does not answer.
    """
    with tempfile.TemporaryDirectory() as place:
        state = Path(place)
        write_snapshot(state)
        answers = [evaluation / name for name in _EVALUATION]
        papers = {"evaluation": answers, "validation": _VALIDATION, "state": sorted(state.iterdir())}
        record.keep(connect(), version, papers)
