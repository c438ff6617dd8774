"""Brings the indexes in line with the passages of today, without training: added, replaced and deleted ones."""

from __future__ import annotations

from jmlr.config import Settings
from jmlr.data.tables import read_passages
from jmlr.errors import MissingResource
from jmlr.index.refresh import refresh
from jmlr.stages import layout
from jmlr.stages.index import mine_candidates


def run(settings: Settings) -> None:
    """Makes the next generation of build/train/index and build/index for the passages of build/ingest.

    Both models stay as they are; only texts that an index does not hold are encoded. The training questions' candidates
    are searched anew. DVC then sees changed outputs: `dvc repro` would train on the new passages.

    Raises:
        MissingResource: if nothing is trained yet.
        FingerprintMismatch: if an index is not its retriever's.
    """
    if not layout.TRAINED_RETRIEVER.exists():
        raise MissingResource(
            "no trained pair",
            expected="a trained retriever",
            where=str(layout.TRAINED_RETRIEVER),
            next_step="dvc repro",
        )
    passages = read_passages(layout.PASSAGES)
    for retriever, index in (
        (layout.BASE_RETRIEVER, layout.INDEX),
        (layout.TRAINED_RETRIEVER, layout.TRAINED_INDEX),
    ):
        refresh(retriever, passages, settings.index, index, settings.seed)
    mine_candidates(passages, settings)
