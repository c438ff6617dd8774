"""The index manifest: which retriever weights and which passages a generation of an index was made of, and how."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jmlr import fingerprint
from jmlr.errors import DataError, FingerprintMismatch, MissingResource
from jmlr.files import write_json
from jmlr.index.backend import choose
from jmlr.index.embeddings import StoredEmbeddings
from jmlr.index.generation import REMEDY
from jmlr.models.retriever import Retriever
from jmlr.settings import IndexSettings
from jmlr.types import Passage

FILE = "manifest.json"
PLAID_FOLDER = "plaid"
OTHER_PASSAGES = "train anew: dvc repro; or keep the trained weights: python -m flows.refresh"

_FORMAT = 1  # one more whenever an index of the same retriever, passages and settings becomes another
_LIBRARIES = ("colbert-ai", "faiss-cpu", "torch", "transformers")
_OF_BUILD = {"query_tokens", "passage_tokens", "bits", "kmeans_iterations"}
_FOUND_LATER = ("embedding_count",)


@dataclass(frozen=True)
class Manifest:
    """What the folder of a generation holds.

    Attributes:
        retriever: SHA-256 (hex) of the retriever's weights.
        passages: SHA-256 (hex) of the passages' ids and indexed texts, in their order.
        settings: the index settings that make a difference to its files, as in params.yaml.
        backend: `exact` or `plaid`; an exact one has no files of PLAID's.
        seed: of PLAID's clustering.
        libraries: versions of the libraries that wrote it.
        passage_count: number of passages.
        generation: 1: built from nothing; one more after each refresh.
        embedding_count: number of token embeddings.
        index_format: of the files.
    """

    retriever: str
    passages: str
    settings: dict[str, Any]
    backend: str
    seed: int
    libraries: dict[str, str]
    passage_count: int
    generation: int = 1
    embedding_count: int = 0
    index_format: int = _FORMAT

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of what the generation is made of; known before it is made."""
        return fingerprint.of_json({name: value for name, value in asdict(self).items() if name not in _FOUND_LATER})


def describe(
    retriever_folder: Path, passages: Sequence[Passage], settings: IndexSettings, seed: int, generation: int = 1
) -> Manifest:
    """The manifest of an index of `passages` under the retriever saved in `retriever_folder`, before it is made."""
    return Manifest(
        retriever=Retriever.fingerprint(retriever_folder),
        passages=fingerprint.of_passages(passages),
        settings=settings.model_dump(include=_OF_BUILD),
        backend=choose(settings.backend, len(passages)),
        seed=seed,
        libraries={name: version(name) for name in _LIBRARIES},
        passage_count=len(passages),
        generation=generation,
    )


def write(manifest: Manifest, folder: Path) -> None:
    """Writes manifest.json into `folder`, whole or not at all."""
    write_json(folder / FILE, asdict(manifest), sort_keys=True)


def read(folder: Path) -> Manifest:
    """The manifest of a generation's folder.

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
    """The manifest of the generation in `folder`, if it belongs to this retriever and these passages.

    Raises:
        FingerprintMismatch: if it does not; names both hashes of each thing that differs.
        MissingResource: if there is no index.
        DataError: if the manifest is broken.
    """
    manifest = read(folder)
    found = {"retriever": Retriever.fingerprint(retriever_folder), "passages": fingerprint.of_passages(passages)}
    _refuse_others(manifest, found, folder)
    return manifest


def check_retriever(manifest: Manifest, retriever_folder: Path, where: Path) -> None:
    """Refuses another retriever than the one that made the index, whatever the passages.

    Raises:
        FingerprintMismatch: with both hashes.
    """
    _refuse_others(manifest, {"retriever": Retriever.fingerprint(retriever_folder)}, where)


def _refuse_others(manifest: Manifest, found: Mapping[str, str], where: Path) -> None:
    """Raises FingerprintMismatch, with both hashes of each, unless the index is of the retriever or passages found."""
    other = {"retriever": "another retriever", "passages": "other passages"}
    made_of = {name: str(getattr(manifest, name)) for name in found}
    differing = [name for name in found if found[name] != made_of[name]]
    if differing:
        raise FingerprintMismatch(
            "the index is of " + " and of ".join(f"{other[name]} ({made_of[name]})" for name in differing),
            expected="; ".join(f"{name} {found[name]}" for name in differing),
            where=str(where),
            next_step=OTHER_PASSAGES if differing == ["passages"] else REMEDY,
        )


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


def check_files(manifest: Manifest, folder: Path) -> None:
    """Refuses a generation whose embeddings are not as many as its manifest says.

    Raises:
        DataError: if files are missing, cut off or of another generation.
    """
    try:
        stored = StoredEmbeddings.open(folder)
        found = len(stored.passage_ids), len(stored.vectors), int(stored.offsets[-1])
    except (OSError, ValueError) as error:
        raise DataError(
            f"its embeddings cannot be read ({error})", expected="whole files", where=str(folder), next_step=REMEDY
        ) from error
    expected = manifest.passage_count, manifest.embedding_count, manifest.embedding_count
    if found != expected:
        raise DataError(
            f"passages, embeddings and offsets number {found}",
            expected=f"{expected}, as {FILE} says",
            where=str(folder),
            next_step=REMEDY,
        )
