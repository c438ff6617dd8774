"""Indexes kept once for several versions: a folder named by its content, never changed, checked when it is opened.

`track.index_store` names the store. Without one an index is copied into its version.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from jmlr import fingerprint
from jmlr.errors import FingerprintMismatch, RegistryError
from jmlr.files import link, making
from jmlr.index import generation, manifest

STORE_VARIABLE = "JMLR_INDEX_STORE"
"""Names the store's folder on a machine where it lies elsewhere."""

INDEX_FOLDER, PASSAGES_FILE = "index", "passages.parquet"


@dataclass(frozen=True)
class StoredIndex:
    """Where an index and its passages are kept, and what they are.

    Attributes:
        store: absolute path of the store.
        name: of the entry, which is also the beginning of the hash of what it holds.
        manifest_hash: SHA-256 (hex) of the generation's manifest.
        files: by name below the entry, size in bytes and SHA-256 (hex).
    """

    store: str
    name: str
    manifest_hash: str
    files: dict[str, list[int | str]]

    def folder(self) -> Path:
        """The entry's folder on this machine; its manifest and the sizes of its files are as when it was kept.

        Raises:
            RegistryError: if it is not there.
            FingerprintMismatch: if a file differs.
        """
        folder = self._store() / self.name
        if not folder.is_dir():
            raise RegistryError(
                "the version's index is not there",
                expected=f"the entry {self.name} of the index store",
                where=str(folder),
                next_step=f"restore the store, or name where it is: {STORE_VARIABLE}=FOLDER",
            )
        for name, (size, _) in self.files.items():
            file = folder / name
            found = file.stat().st_size if file.is_file() else "nothing"
            if found != size:
                raise _changed(f"{found} bytes", f"{size} bytes", file)
        manifest_file = generation.current(folder / INDEX_FOLDER) / manifest.FILE
        if (found := fingerprint.of_file(manifest_file)) != self.manifest_hash:
            raise _changed(f"hash {found}", f"hash {self.manifest_hash}", manifest_file)
        return folder

    def _store(self) -> Path:
        """Where the store is now; a store that moved with its project is found below the working folder."""
        if named := os.environ.get(STORE_VARIABLE):
            return Path(named)
        written = Path(self.store)
        moved = (Path(*written.parts[start:]) for start in range(1, len(written.parts)))
        return next((place for place in (written, *moved) if (place / self.name).is_dir()), written)

    def check_bytes(self) -> None:
        """Reads every file of the entry and compares its hash.

        Raises:
            RegistryError: if the entry is not there.
            FingerprintMismatch: if a file differs.
        """
        folder = self.folder()
        for name, (_, expected) in self.files.items():
            if (found := fingerprint.of_file(folder / name)) != expected:
                raise _changed(f"hash {found}", f"hash {expected}", folder / name)


def keep(index: Path, passages: Path, store: Path) -> StoredIndex:
    """Keeps the current generation of `index` with `passages` in `store`; an entry that is there is checked and taken.

    Files are linked where the file system allows it, else copied.

    Raises:
        MissingResource: if there is no index.
        FingerprintMismatch: if the store's entry of that name holds something else.
    """
    current = generation.current(index)
    sources = {f"{INDEX_FOLDER}/{generation.POINTER}": index / generation.POINTER, PASSAGES_FILE: passages}
    for file in sorted(path for path in current.rglob("*") if path.is_file()):
        sources[f"{INDEX_FOLDER}/{file.relative_to(index).as_posix()}"] = file
    files: dict[str, list[int | str]] = {
        name: [file.stat().st_size, fingerprint.of_file(file)] for name, file in sources.items()
    }
    name = fingerprint.of_json(files)[:16]
    stored = StoredIndex(str(store.resolve()), name, fingerprint.of_file(current / manifest.FILE), files)
    entry = store.resolve() / name
    if entry.exists():
        StoredIndex.check_bytes(stored)
        return stored
    with making(entry) as unfinished:
        for place, file in sources.items():
            link(file, unfinished / place)
    return stored


def _changed(found: str, expected: str, file: Path) -> FingerprintMismatch:
    return FingerprintMismatch(
        f"the version's index was changed: {found}",
        expected=expected,
        where=str(file),
        next_step="restore the file, or register the pair again with another store",
    )
