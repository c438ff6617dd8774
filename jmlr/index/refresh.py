"""Bringing an index in line with another table of passages, without encoding again what it holds already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jmlr import fingerprint
from jmlr.index import generation, manifest
from jmlr.index.build import check_passages, load_retriever, make
from jmlr.index.embeddings import StoredEmbeddings
from jmlr.index.encoding import Known, Source
from jmlr.settings import IndexSettings
from jmlr.types import Passage


@dataclass(frozen=True)
class Changes:
    """How two tables of passages differ, in passages; a replaced one has its id and another text."""

    added: int
    replaced: int
    deleted: int
    kept: int

    def __str__(self) -> str:
        """In words.

        >>> str(Changes(2, 1, 0, 40))
        '2 added, 1 replaced, 0 deleted, 40 kept'
        """
        return f"{self.added:,} added, {self.replaced:,} replaced, {self.deleted:,} deleted, {self.kept:,} kept"


def refresh(
    retriever_folder: Path, passages: Sequence[Passage], settings: IndexSettings, folder: Path, seed: int
) -> Changes:
    """Makes an index of `passages` the next generation in `folder`; only texts that it does not hold are encoded.

    All else is made anew, PLAID's centroids too, so that it answers as an index built from nothing does but for the
    last bits of float16s of texts that were encoded in other batches.

    Args:
        retriever_folder: the checkpoint that made the index.
        passages: all passages from now on, in their order.
        settings: as of the index.
        folder: of the index; swapped by one rename, as by `build`.
        seed: of PLAID's clustering.

    Raises:
        FingerprintMismatch: if the index is another retriever's or of other lengths: then only a new one is right.
        MissingResource: if there is no index.
        DataError: if there are no passages or an id comes twice.
    """
    check_passages(passages)
    current = generation.current(folder)
    before = manifest.read(current)
    manifest.check_retriever(before, retriever_folder, current)
    retriever = load_retriever(retriever_folder, settings)
    manifest.check_lengths(before, retriever, current)
    stored = StoredEmbeddings.open(current)
    changes = compare(stored, passages)
    wanted = manifest.describe(retriever_folder, passages, settings, seed, before.generation + 1)
    if wanted.passages == before.passages and wanted.backend == before.backend:
        print(f"index: nothing to refresh, {changes} in {folder}")
        return changes
    print(f"index: {changes}")
    same_code = wanted.libraries == before.libraries and wanted.index_format == before.index_format
    known = Known.find(stored, passages) if same_code else None
    make(Source(retriever, retriever_folder, settings), passages, wanted, folder, known)
    return changes


def compare(stored: StoredEmbeddings, passages: Sequence[Passage]) -> Changes:
    """How `passages` differ from those that are indexed."""
    before = dict(zip(stored.passage_ids, stored.text_hashes, strict=True))
    now = {passage.passage_id: fingerprint.of_text(passage.indexed_text) for passage in passages}
    both = before.keys() & now.keys()
    replaced = sum(before[passage_id] != now[passage_id] for passage_id in both)
    return Changes(len(now) - len(both), replaced, len(before) - len(both), len(both) - replaced)
