"""What MLflow is told of each stage: its settings, the tables it reads, and the files worth keeping."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jmlr.settings import Settings
from jmlr.stages import layout
from jmlr.tracking.store import answering
from jmlr.training import processes

if TYPE_CHECKING:
    from jmlr.tracking.pipeline import Stage

_TABLES = (layout.QUESTIONS, layout.PASSAGES)
_READ: dict[str, tuple[Path, ...]] = {
    "ingest": (Path("data.dvc"),),
    "validate": _TABLES,
    "base": (layout.PASSAGES,),
    "index": _TABLES,
    "refresh": _TABLES,
    "train": (),
    "evaluate": _TABLES,
}
_KEPT: dict[str, tuple[Path, ...]] = {
    "ingest": (layout.COUNTS,),
    "validate": (layout.VALIDATION_REPORT, layout.DATA_DOCS),
    "evaluate": (layout.METRICS, layout.CLAIM_CARD, layout.REPORT, layout.PLOTS),
}


@contextmanager
def stage(name: str, settings: Settings) -> Iterator[None]:
    """Gives a stage of the pipeline its run; `register` ends the pipeline's run. Others leave no trace here.

    Started by a launcher, only the first process tells MLflow.

    Raises:
        MissingResource: if MLflow fails a command that needs it.
    """
    with answering():
        if not settings.track.stages or not processes.is_first() or name not in (*_READ, "register"):
            yield
            return
        from jmlr.tracking.pipeline import Pipeline

        params = settings.model_dump(by_alias=True, mode="json")
        pipeline = Pipeline(layout.PIPELINE_RUN, settings.track.experiment, params)
        if name == "register":
            yield
            pipeline.close()
            return
        with pipeline.stage(_told(name, params)):
            yield


def _told(name: str, params: dict[str, object]) -> Stage:
    from jmlr.tracking.pipeline import Stage

    block = {key: params[key] for key in ("recipe", "seed", name) if key in params}
    return Stage(name, block, _READ[name], _KEPT.get(name, ()), has_own_run=name == "train")
