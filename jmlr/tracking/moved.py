"""A store in a file is found again after its project was moved, copied or unpacked somewhere else.

MLflow writes the absolute path of `mlruns/` beside a sqlite store into it, so a moved project would look for its
artifacts where it no longer is, and a copied one would write into those of the first.
"""

from __future__ import annotations

import sqlite3
import warnings
from contextlib import closing
from pathlib import Path

_ARTIFACTS = "mlruns"
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)
_WRITTEN_DOWN = "SELECT artifact_location FROM experiments WHERE artifact_location IS NOT NULL"


def follow(uri: str) -> None:
    """Puts the present folder of a sqlite store into its paths, where it and its `mlruns/` lie together elsewhere now.

    Nothing changes unless the artifacts are beside the store, and the folder written down lacks them or has a store of
    its own. A store that cannot be read or written stays as it is: what needs it says so.
    """
    file = Path(uri.removeprefix("sqlite:///").partition("?")[0]).resolve()
    if not uri.startswith("sqlite:///") or not (file.parent / _ARTIFACTS).is_dir() or not file.is_file():
        return
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True)) as store, store:
            for old in sorted({found for (path,) in store.execute(_WRITTEN_DOWN) if (found := _left(path, file))}):
                for table, column in _COLUMNS:
                    _replace(store, table, column, (old, str(file.parent)))
                warnings.warn(f"{file} was in {old}: its artifacts are now looked for in {file.parent}", stacklevel=3)
    except sqlite3.Error:
        return


def _left(location: str, file: Path) -> str:
    """The folder that a store was in when it wrote down the place of an experiment; empty if it is still in use.

    >>> _left("s3://bucket/mlruns/1", Path("/now/mlflow.db")), _left("/now/mlruns/1", Path("/now/mlflow.db"))
    ('', '')
    """
    path = Path(location.removeprefix("file://"))
    root = path.parent.parent
    if not path.is_absolute() or path.parent.name != _ARTIFACTS or root.resolve() == file.parent:
        return ""
    is_here = (file.parent / _ARTIFACTS / path.name).is_dir()
    other = root / file.name
    is_copied = other.exists() and not other.samefile(file)
    return str(root) if is_here and (is_copied or not path.exists()) else ""


def _replace(store: sqlite3.Connection, table: str, column: str, places: tuple[str, str]) -> None:
    for start in ("", "file://"):
        old, new = (f"{start}{place}/" for place in places)
        store.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
            (new, len(old) + 1, len(old), old),
        )
