"""The flows withdraw and refresh over a small pipeline: what runs in which order, and what does not run at all."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PIPELINE = """
stages:
  ingest:
    cmd: {python} commands.py ingest
    deps: [withdrawn.yaml]
    outs: [build/ingest]
  validate:
    cmd: {python} commands.py validate
    deps: [build/ingest]
    outs: [build/validate]
  train:
    cmd: {python} commands.py train
    deps: [build/ingest]
    outs: [build/train]
"""

COMMANDS = """
import json, sys
from pathlib import Path
words = sys.argv[1:]
Path("ran.log").open("a").write(" ".join(words) + "\\n")
build, refreshed, withdrawn = Path("build"), Path("build/refreshed"), Path("withdrawn.yaml").read_text()
if words[0] == "withdraw":
    Path("withdrawn.yaml").write_text(withdrawn + words[-1] + "\\n")
elif words[0] in ("ingest", "validate", "train"):
    (build / words[0]).mkdir(parents=True, exist_ok=True)
    (build / words[0] / "words.txt").write_text(withdrawn)
    if words[0] == "validate" and "everything" in withdrawn:
        sys.exit("no passage is left")
elif words[0] == "refresh":
    refreshed.mkdir(exist_ok=True)
    done = (refreshed / "registered.json").exists()
    made = {"name": "jmlr", "version": 1, "pair_hash": "f", "changes": {"deleted": 0 if done else 2, "kept": 5}}
    (refreshed / "refreshed.json").write_text(json.dumps(made))
elif words[0] == "evaluate":
    share = lambda value: {"value": value, "low": 0.0, "high": 1.0}
    test = {"questions": 4, "before": share(0.75), "after": share(0.5), "helped": 0, "hurt": 1, "changed": 1}
    test["difference"] = {**share(-0.25), "mcnemar_p": 1.0}
    changed = {"question_id": "q1", "split": "test", "before": "a", "was_right": True, "after": "b", "is_right": False}
    found = {"model": "jmlr", "refreshed_from": 1, "splits": {"test": test}, "changed": [changed]}
    (refreshed / "comparison.json").write_text(json.dumps(found))
elif words[0] == "register":
    (refreshed / "registered.json").write_text(json.dumps({"model": "jmlr", "version": 2}))
"""

# All runs in one process: the temporary server is started once.
SCRIPT = """
import json, sys
from pathlib import Path
from flows import stage_task
from flows.refresh import refresh
from flows.temporary_server import shared_server
from flows.withdraw import withdraw

stage_task.JMLR = (sys.executable, "commands.py")

def run(flow, **arguments):
    Path("ran.log").write_text("")
    state = flow(**arguments, return_state=True)
    print("ENDED", json.dumps([state.name, state.message, Path("ran.log").read_text().splitlines()]), flush=True)

with shared_server():
    run(withdraw, what="-gout", reason="old", kind="document", version="@champion")
    run(refresh)
    run(withdraw, what="everything", reason="wrong")
    from prefect.client.orchestration import get_client
    with get_client(sync_client=True) as client:
        for one in client.request("POST", "/artifacts/filter", json={"limit": 100}).json():
            print("ARTIFACT", json.dumps([one["key"], one["data"]]), flush=True)
"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory, run_flows: Callable[[Path, str, int], str]) -> str:
    """What three runs printed: a withdrawal, a refresh without news, and a withdrawal that validation refuses."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "dvc.yaml").write_text(PIPELINE.format(python=sys.executable))
    (folder / "commands.py").write_text(COMMANDS)
    (folder / "withdrawn.yaml").write_text("# log\n")
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return run_flows(folder, SCRIPT, 500)


def ended(printed: str) -> list[tuple[str, str, list[str]]]:
    lines = [line for line in printed.splitlines() if line.startswith("ENDED ")]
    return [tuple(json.loads(line.removeprefix("ENDED "))) for line in lines]


def test_a_withdrawal_ends_in_a_proposal_and_trains_nothing(printed: str) -> None:
    name, message, ran = ended(printed)[0]
    assert (name, ran) == (
        "Proposed",
        [
            "withdraw --reason old --kind document -- -gout",
            "ingest",
            "validate",
            "refresh --version @champion",
            "evaluate --refreshed",
            "register --refreshed",
        ],
    )
    assert message.startswith("jmlr version 2 has the models of version 1; test 75.0 % -> 50.0 %; 1 answers changed")


def test_passages_that_a_version_has_already_end_in_nothing_new(printed: str) -> None:
    name, message, ran = ended(printed)[1]
    assert (name, message, ran) == ("NothingNew", "version 1 has these passages", ["refresh"])


def test_data_that_validation_refuses_are_not_indexed(printed: str) -> None:
    name, message, ran = ended(printed)[2]
    assert name not in ("Proposed", "NothingNew")
    assert "no passage is left" in message
    assert ran == ["withdraw --reason wrong -- everything", "ingest", "validate"]


def test_the_summary_and_the_changed_answers_are_artifacts(printed: str) -> None:
    found = dict(json.loads(line[9:]) for line in printed.splitlines() if line.startswith("ARTIFACT "))
    assert "| test | 75.0 % | 50.0 % | -25.0 (p = 1.000) | 0 | 1 |" in found["refresh-summary"]
    assert json.loads(found["changed-answers"])[0]["question_id"] == "q1"
