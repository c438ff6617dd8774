"""Shards made by a real Dask cluster of two processes, which start outside the repository, and merged by DVC."""

from __future__ import annotations

import gzip
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from flows import sharded_ingest
from jmlr.data.ingest import ingest
from jmlr.data.runners import run_here
from jmlr.errors import ConfigError, DataError, MissingResource
from jmlr.failure import may_pass
from jmlr.models.encoder import tokenizer_text
from jmlr.settings import params
from jmlr.stages.ingest import places_in

ROOT = Path(__file__).parents[2]
SOURCES = ("first.jsonl", "second.jsonl.gz", "third.jsonl", "questions.jsonl")
TABLES = ("passages.parquet", "questions.parquet", "leaks.parquet", "counts.json", "rejects.csv")

PIPELINE = """
stages:
  ingest:
    cmd: {python} -m jmlr.cli ingest
    deps: ["${{ingest.root}}"]
    params: [ingest, seed]
    outs: [build/ingest]
"""

# Both flows in one process and on one cluster: its start and the server's take most of the time.
SCRIPT = """
import os
from pathlib import Path
from dask.distributed import LocalCluster
from flows.sharded_ingest import main
root = Path.cwd()
os.chdir("elsewhere")
cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
os.chdir(root)
def run():
    try:
        main(["--runner", "dask", "--address", cluster.scheduler_address])
    except SystemExit as ended:
        return ended.code
assert run() == 0
print("FIRST FLOW ENDED", flush=True)
Path("build/ingest").rename("made")
Path("data/third.jsonl").open("a").write('{"passage_id": "p", "txt": "misspelt"}\\n')
print("STATUS", run(), flush=True)
cluster.close()
"""


def write_rows(path: Path, rows: list[dict]) -> None:
    content = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_sources(folder: Path) -> None:
    """Passages of 20 to 300 words in three files, copies among them across files; questions, one of which leaks."""
    draw = random.Random(3)
    words = [f"{one}{two}{three}" for one in "bdfgk" for two in ("a", "or", "in") for three in "lmnst"]
    passages = [
        {"passage_id": f"p{number}", "text": " ".join(draw.choices(words, k=draw.randint(20, 300))) + "."}
        for number in range(240)
    ]
    for number in range(200, 215):
        passages[number]["text"] = passages[number - 200]["text"].replace(".", "!")
    passages[7]["text"] += " The patient\u00e2\u20ac\u2122s fever."
    for place, name in enumerate(SOURCES[:3]):
        write_rows(folder / name, passages[place * 80 : place * 80 + 80])
    questions = [
        {
            "question_id": f"q{number}",
            "question": " ".join(passages[number]["text"].split()[:18]),
            "options": ["basal", "bormin", "dinal"],
            "answer_index": number % 3,
            "gold_passage_ids": [f"p{number + 200 if number < 5 else number}"],
        }
        for number in range(20)
    ]
    write_rows(folder / SOURCES[3], questions)


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory, run_flows: Callable[[Path, str, int], str]
) -> tuple[Path, str]:
    """The folder after a flow over whole files and one over a broken file, and what they printed."""
    folder = tmp_path_factory.mktemp("repository")
    for name in ("data", "elsewhere"):
        (folder / name).mkdir()
    (folder / "dvc.yaml").write_text(PIPELINE.format(python=sys.executable))
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())
    settings["ingest"]["sources"] = [{"path": name, "format": "jsonl", "licence": "CC0-1.0"} for name in SOURCES]
    (folder / "params.yaml").write_text(yaml.safe_dump(settings))
    write_sources(folder / "data")
    return folder, run_flows(folder, SCRIPT, 400)


def test_tasks_make_every_shard_and_the_stage_merges(repository: tuple[Path, str]) -> None:
    first = repository[1].partition("FIRST FLOW ENDED")[0]
    assert "4 shards to make" in first
    for name in SOURCES:
        assert f"of data/{name}' - Finished in state Completed()" in first
    assert "Running stage 'ingest'" in first


def test_the_cluster_makes_the_same_bytes_as_one_process(
    repository: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = repository[0] / "made"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    write_sources(tmp_path / "data")
    settings = params.load(repository[0] / "params.yaml")
    tokenizer = tokenizer_text(settings.base.retriever)
    found = ingest(settings.ingest, settings.seed, tokenizer, places_in(tmp_path / "here"), run_here)
    assert found["rejected_by_reason"]["says the same as another passage"] >= 15
    assert found["passages"] > 240
    assert found["leaks"]
    assert found["repaired"]["passages"] == 1
    for name in TABLES:
        assert (made / name).read_bytes() == (tmp_path / "here" / name).read_bytes(), name


def test_a_broken_file_ends_the_flow_with_its_line_and_no_second_try(repository: tuple[Path, str]) -> None:
    second = repository[1].partition("FIRST FLOW ENDED")[2]
    assert "STATUS 2" in second
    error = second.partition("error: DataError: ")[2]
    assert error.startswith("data/third.jsonl, line 81: unknown key(s) txt; expected some of ")
    assert "1 shards to make" in second
    assert "Retrying" not in second
    assert "Running stage 'ingest'" not in second


def test_nothing_half_written_stays(repository: tuple[Path, str]) -> None:
    folder, _ = repository
    shards = list((folder / "build" / "shards").iterdir())
    assert len(shards) == 4
    assert all((shard / "counts.json").exists() for shard in shards)
    assert not (folder / "build" / "ingest").exists()


def test_errors_of_the_network_are_tried_again() -> None:
    stale = DataError("cannot be read")
    stale.__cause__ = OSError(116, "Stale file handle")
    missing = DataError("cannot be read")
    missing.__cause__ = FileNotFoundError(2, "No such file or directory")
    assert [may_pass(error) for error in (OSError("gone"), stale, missing, DataError("x"), ValueError("y"))] == [
        *(True, True),
        *(False, False, False),
    ]


def test_a_runner_that_is_not_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prefect_ray", None)
    with pytest.raises(MissingResource, match=r"(?s)needs prefect-ray.*extra 'ray'.*pip install -e '\.\[ray\]'"):
        sharded_ingest.task_runner("ray", 2)


def test_an_address_needs_a_cluster() -> None:
    with pytest.raises(
        ConfigError, match=r"--address tcp://a:1 with --runner processes; expected --runner dask or ray"
    ):
        sharded_ingest.task_runner("processes", 2, "tcp://a:1")


def test_local_workers_have_one_thread_each() -> None:
    runner = sharded_ingest.task_runner("dask", 2)
    assert runner.cluster_kwargs["n_workers"] == 2
    assert runner.cluster_kwargs["threads_per_worker"] == 1
