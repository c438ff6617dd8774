"""The flow over a small pipeline, with Prefect's temporary server: no other server runs."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from flows import pipeline
from jmlr.errors import ConfigError

ROOT = Path(__file__).parents[2]

# The second stage fails where its input says so; the third must then not run.
PIPELINE = """
stages:
  first:
    cmd: {python} -c "print('made by first'); open('a.txt', 'w').write(open('input.txt').read())"
    deps: [input.txt]
    outs: [a.txt]
  second:
    cmd: {python} -c "text = open('a.txt').read(); open('b.txt', 'w').write(text); text == 'good' or exit('bad input')"
    deps: [a.txt]
    outs: [b.txt]
  third:
    cmd: {python} -c "open('c.txt', 'w').write(open('b.txt').read())"
    deps: [b.txt]
    outs: [c.txt]
"""

# All runs in one process: the temporary server is started once.
SCRIPT = """
from pathlib import Path
from flows.pipeline import pipeline
from flows.subprocess_lines import CommandFailed
pipeline(also_register=False)
print("FIRST FLOW ENDED", Path("c.txt").read_text(), flush=True)
Path("c.txt").unlink()
pipeline(also_register=False)
print("SECOND FLOW ENDED", Path("c.txt").read_text(), flush=True)
Path("c.txt").unlink()
Path("input.txt").write_text("broken")
try:
    pipeline(also_register=False)
except CommandFailed as error:
    print("REFUSED", error, flush=True)
"""


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory, run_flows: Callable[[Path, str, int], str]) -> tuple[Path, str]:
    """The folder of the small pipeline after both flows, and what they printed."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "dvc.yaml").write_text(PIPELINE.format(python=sys.executable))
    (folder / "input.txt").write_text("good")
    return folder, run_flows(folder, SCRIPT, 400)


def test_all_stages_run_in_order_and_their_lines_are_logged(flow: tuple[Path, str]) -> None:
    _, printed = flow
    first, _, _ = printed.partition("FIRST FLOW ENDED good")
    assert "Task run 'first' - made by first" in first
    assert "Running stage 'third'" in first
    assert [first.index(f"Running stage '{stage}'") for stage in ("first", "second", "third")] == sorted(
        first.index(f"Running stage '{stage}'") for stage in ("first", "second", "third")
    )


def test_a_stage_that_dvc_does_not_run_is_cached(flow: tuple[Path, str]) -> None:
    first, _, rest = flow[1].partition("FIRST FLOW ENDED good")
    again = rest.partition("SECOND FLOW ENDED good")[0]
    assert "in state Cached" not in first
    # The third one's output was gone: DVC's run cache brings it back.
    for stage, why in (("first", "didn't change, skipping"), ("third", "is cached - skipping run")):
        assert f"Task run '{stage}' - Finished in state Cached(\"Stage '{stage}' {why}" in again


def test_a_failure_names_the_stage_its_status_and_its_last_lines(flow: tuple[Path, str]) -> None:
    _, printed = flow
    refused = printed.partition("REFUSED")[2]
    assert "dvc repro second: exit status" in refused
    assert "bad input" in refused


def test_nothing_runs_after_a_failed_stage(flow: tuple[Path, str]) -> None:
    folder, _ = flow
    assert (folder / "a.txt").read_text() == "broken"
    assert not (folder / "c.txt").exists()


def test_the_history_lies_with_the_project(flow: tuple[Path, str]) -> None:
    folder, _ = flow
    with closing(sqlite3.connect(folder / ".prefect" / "prefect.db")) as history:
        assert history.execute("SELECT count(*) FROM flow_run").fetchone() == (3,)


def test_the_flow_has_the_stages_of_the_real_pipeline() -> None:
    assert pipeline.stage_names(ROOT) == ["ingest", "validate", "base", "index", "train", "evaluate"]


def test_a_folder_without_pipeline_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)dvc\.yaml: no such file.*repository's root"):
        pipeline.stage_names(tmp_path)
