"""The index manifest: which retriever weights and which passages an index was made of."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jmlr import fingerprint
from jmlr.config import IndexSettings
from jmlr.errors import DataError, FingerprintMismatch, MissingResource
from jmlr.files import write_json
from jmlr.models.retriever import Retriever
from jmlr.types import Passage

FILE = "manifest.json"
REMEDY = "dvc repro index (dvc repro train for the index beside trained weights)"

_LIBRARIES = ("colbert-ai", "faiss-cpu", "torch", "transformers")


@dataclass(frozen=True)
class Manifest:
    """What an index folder holds.

    Attributes:
        retriever: SHA-256 (hex) of the retriever's weights.
        passages: SHA-256 (hex) of the passages' ids and indexed texts, in their order.
        settings: the index settings, as in params.yaml.
        libraries: versions of the libraries that wrote it.
        passage_count: number of passages.
        embedding_count: number of token embeddings.
        generation: 1 for the first index of a retriever and its passages.
    """

    retriever: str
    passages: str
    settings: dict[str, Any]
    libraries: dict[str, str]
    passage_count: int
    embedding_count: int
    generation: int = 1


def describe(
    retriever_folder: Path, passages: list[Passage], settings: IndexSettings, embedding_count: int
) -> Manifest:
    """The manifest of an index of `passages` under the retriever saved in `retriever_folder`."""
    return Manifest(
        retriever=Retriever.fingerprint(retriever_folder),
        passages=fingerprint.of_passages(passages),
        settings=settings.model_dump(),
        libraries={name: version(name) for name in _LIBRARIES},
        passage_count=len(passages),
        embedding_count=embedding_count,
    )


def write(manifest: Manifest, folder: Path) -> None:
    """Writes manifest.json into `folder`, whole or not at all."""
    write_json(folder / FILE, asdict(manifest), sort_keys=True)


def read(folder: Path) -> Manifest:
    """The manifest of an index folder.

    Raises:
        MissingResource: if there is none.
        DataError: if it is not what `write` wrote.
    """
    path = folder / FILE
    if not path.exists():
        raise MissingResource("no index", expected=f"an index folder with {FILE}", where=str(folder), next_step=REMEDY)
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return Manifest(**raw)
    except (ValueError, TypeError) as error:
        keys = ", ".join(entry.name for entry in fields(Manifest))
        raise DataError(
            f"not an index manifest ({error})", expected=f"the keys {keys}", where=str(path), next_step=REMEDY
        ) from error


def check(folder: Path, retriever_folder: Path, passages: Iterable[Passage]) -> Manifest:
    """The manifest of `folder`, if its index belongs to this retriever and these passages.

    Raises:
        FingerprintMismatch: if it does not; names both hashes of each thing that differs.
        MissingResource: if there is no index.
        DataError: if the manifest is broken.
    """
    manifest = read(folder)
    found = {"retriever": Retriever.fingerprint(retriever_folder), "passages": fingerprint.of_passages(passages)}
    made_of = {"retriever": manifest.retriever, "passages": manifest.passages}
    differing = [name for name in found if found[name] != made_of[name]]
    if differing:
        raise FingerprintMismatch(
            "the index is of another " + "; of other ".join(f"{name} ({made_of[name]})" for name in differing),
            expected="; ".join(f"{name} {found[name]}" for name in differing),
            where=str(folder),
            next_step=REMEDY,
        )
    return manifest


def check_lengths(manifest: Manifest, retriever: Retriever, where: Path) -> None:
    """Refuses a retriever that cuts questions or passages elsewhere than the one that made the index.

    Raises:
        FingerprintMismatch: with both lengths, in retriever tokens.
    """
    config = retriever.colbert.colbert_config
    loaded = {"query_tokens": config.query_maxlen, "passage_tokens": config.doc_maxlen}
    made_with = {name: manifest.settings[name] for name in loaded}
    if loaded != made_with:
        raise FingerprintMismatch(
            f"the index was made with {made_with}",
            expected=f"the lengths of the loaded retriever, {loaded}",
            where=str(where),
            next_step=REMEDY,
        )
