"""A sqlite store with its artifacts beside it, moved, copied, or used from another folder."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from jmlr.tracking.moved import follow

PLACES = {"experiments": "artifact_location", "runs": "artifact_uri", "model_versions": "storage_location"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder `first` with mlruns/1 and a store that has its paths, and a run elsewhere."""
    project = tmp_path / "first"
    (project / "mlruns" / "1").mkdir(parents=True)
    with sqlite3.connect(project / "mlflow.db") as store:
        for table, column in {**PLACES, "logged_models": "artifact_location"}.items():
            store.execute(f"CREATE TABLE {table} ({column} TEXT, source TEXT)")
        store.execute("INSERT INTO experiments VALUES (?, '')", (f"{project}/mlruns/1",))
        for at in (f"{project}/mlruns/1/r/artifacts", f"file://{project}/mlruns/1/r", "s3://b/first", f"{project}-2/r"):
            store.execute("INSERT INTO runs VALUES (?, '')", (at,))
        store.execute("INSERT INTO model_versions VALUES (?, 'models:/m-1')", (f"{project}/mlruns/1/m",))
    store.close()
    return project


def paths(project: Path) -> list[str]:
    """What the store has written down, without the folder that is before it."""
    with sqlite3.connect(project / "mlflow.db") as store:
        found = [row[0] for table, column in PLACES.items() for row in store.execute(f"SELECT {column} FROM {table}")]
    store.close()
    return [path.replace(str(project.parent), "") for path in found]


def expected(name: str) -> list[str]:
    runs = [f"/{name}/mlruns/1/r/artifacts", f"file:///{name}/mlruns/1/r", "s3://b/first", "/first-2/r"]
    return [f"/{name}/mlruns/1", *runs, f"/{name}/mlruns/1/m"]


def test_a_moved_project_is_found_and_it_is_said(project: Path, tmp_path: Path) -> None:
    project.rename(tmp_path / "second")
    with pytest.warns(UserWarning, match=f"was in {project}: its artifacts are now looked for in {tmp_path}/second"):
        follow(f"sqlite:///{tmp_path}/second/mlflow.db")
    assert paths(tmp_path / "second") == expected("second")


def test_a_copy_does_not_write_into_the_first(project: Path, tmp_path: Path) -> None:
    shutil.copytree(project, tmp_path / "copy")
    with pytest.warns(UserWarning, match="was in"):
        follow(f"sqlite:///{tmp_path}/copy/mlflow.db")
    assert (paths(tmp_path / "copy"), paths(project)) == (expected("copy"), expected("first"))


@pytest.mark.parametrize("gone", ["mlruns", "store"])
def test_where_it_is_not_sure_nothing_changes(project: Path, tmp_path: Path, gone: str) -> None:
    """The store moved without its artifacts; or it was always used from another folder, where they are."""
    (tmp_path / "other").mkdir()
    shutil.move(project / "mlflow.db", tmp_path / "other" / "mlflow.db")
    if gone == "mlruns":
        shutil.rmtree(project / "mlruns")
    else:
        (tmp_path / "other" / "mlruns" / "1").mkdir(parents=True)
    follow(f"sqlite:///{tmp_path}/other/mlflow.db")
    assert paths(tmp_path / "other") == expected("first")


def test_what_is_no_such_store_is_left_alone(project: Path, tmp_path: Path) -> None:
    follow(f"sqlite:///{project}/mlflow.db")
    assert paths(project) == expected("first")
    (project / "mlflow.db").write_text("no database")
    for uri in (f"sqlite:///{project}/mlflow.db", f"sqlite:///{tmp_path}/nothing.db", "https://mlflow.example.org"):
        follow(uri)
