"""Retraining from new data to a champion, over the stages, the registry and the gates of tests/flows/stand_in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# All runs in one process: the temporary server and MLflow's tables are made once. What a run ended with is printed.
BEGINNING = """
import json, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
import yaml
from flows import stage_task
from flows.promote import promote
from flows.retrain import retrain
from flows.temporary_server import shared_server

stage_task.JMLR = (sys.executable, "jmlr_stand_in.py")

class Listener(BaseHTTPRequestHandler):
    def do_POST(self):
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        print("TOLD", json.dumps(said), flush=True)
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass

def learn(words):
    Path("data/words.txt").write_text(words)
    subprocess.run([sys.executable, "-m", "dvc", "add", "-q", "data"], check=True)

def configure(**flows):
    settings = yaml.safe_load(Path("params.yaml").read_text())
    settings["flows"].update(flows)
    Path("params.yaml").write_text(yaml.safe_dump(settings))

def steps():
    return len(Path("steps.log").read_text().splitlines())

def run(flow, **arguments):
    state = flow(**arguments, return_state=True)
    print("ENDED", json.dumps([state.type.value, state.name, state.message, steps()]), flush=True)
"""

FIRST = """
with shared_server():
    from prefect.blocks.notifications import CustomWebhookNotificationBlock
    listener = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{listener.server_port}"
    said = {"subject": "{{subject}}", "body": "{{body}}"}
    CustomWebhookNotificationBlock(name="team", url=url, json_data=said).save("team")
    configure(notify=["custom-webhook/team", "custom-webhook/nobody"])
    run(retrain)
    run(retrain)
    learn("broken")
    run(retrain)
    from prefect.client.orchestration import get_client
    with get_client(sync_client=True) as client:
        # Prefect 3.8's own read_artifacts of the synchronous client sends nulls, which its server refuses.
        for one in client.request("POST", "/artifacts/filter", json={"limit": 100}).json():
            print("ARTIFACT", json.dumps([one["key"], one["type"], one["data"]]), flush=True)
"""

SECOND = """
with shared_server():
    run(retrain)
    learn("bad")
    run(retrain)
    run(retrain)
    Path("needs approval").touch()
    learn("good good")
    run(retrain)
    run(retrain)
    run(promote, approve=True)
    Path("data/words.txt").write_text("good good good")
    run(retrain)
    learn("away good good good good")
    run(retrain)
    run(promote, approve=True)
    learn("slow")
    configure(timeout_hours={"train": 3 / 3600})
    run(retrain)
    configure(timeout_hours={}, budget_device_hours=2.0)
    Path("build/costs.jsonl").write_text(json.dumps(
        {"try": 1, "what": "train", "device": "cuda", "devices": 8, "outcome": "finished", "seconds": 900.0}) + "\\n")
    run(retrain)
    configure(when_running="refuse")
    from flows.run_lock import only_run
    with only_run(Path(), "another", wait=False):
        run(retrain)
"""


def ends(printed: str) -> list[list[Any]]:
    """Type, name, message and steps trained so far, of each run."""
    return [json.loads(line) for line in re.findall(r"^ENDED (.*)$", printed, flags=re.MULTILINE)]


@pytest.fixture(scope="module")
def first(
    tmp_path_factory: pytest.TempPathFactory,
    make_stand_in: Callable[[Path], Path],
    run_flows: Callable[[Path, str, int], str],
) -> str:
    """What new data, the same again and broken ones print."""
    return run_flows(make_stand_in(tmp_path_factory.mktemp("first")), BEGINNING + FIRST, 600)


def test_new_data_make_a_champion_and_the_same_data_nothing(first: str) -> None:
    promoted, again, _ = ends(first)
    assert promoted == ["COMPLETED", "Promoted", "jmlr version 1, champion before: none", 8]
    assert again == ["COMPLETED", "NothingNew", "version 1 has seen these data and was judged: promoted", 8]
    assert first.count("registered version") == 1


def test_broken_data_are_a_named_failure_without_a_second_try(first: str) -> None:
    kind, name, message, steps = ends(first)[2]
    assert (kind, name, steps) == ("FAILED", "ValidationFailed", 8)
    assert "row 3 is broken" in message
    assert first.count("Task run 'ingest' - error: row 3 is broken") == 1
    assert "Task run 'ingest' - Finished in state ValidationFailed(" in first


def test_promotions_and_failures_are_told_and_a_block_that_is_not_there_costs_nothing(first: str) -> None:
    told = [json.loads(line) for line in re.findall(r"^TOLD (.*)$", first, flags=re.MULTILINE)]
    assert [one["subject"] for one in told] == ["jmlr-retrain: Promoted", "jmlr-retrain: ValidationFailed"]
    assert told[0]["body"].startswith("jmlr version 1, champion before: none")
    assert "custom-webhook/nobody was not told of jmlr-retrain: Promoted" in first


def test_the_run_leaves_summary_tables_links_and_progress(first: str) -> None:
    rows = [json.loads(line) for line in re.findall(r"^ARTIFACT (.*)$", first, flags=re.MULTILINE)]
    found = {key: (kind, data) for key, kind, data in rows}
    assert found["training-jmlr"] == ("progress", 100.0)
    assert json.loads(found["metrics-against-champion"][1]) == [
        {"measure": "test.accuracy.jmlr", "version 1": "0.1", "champion": "-", "difference": "-"}
    ]
    assert json.loads(found["gates"][1])[0]["passed"] == "yes"
    assert "# Version 1: Promoted" in found["retraining-summary"][1]
    assert "| JMLR" in found["retraining-summary"][1]
    assert re.search(r"file:///.*/build/evaluate/report\.html", found["report"][1])


@pytest.mark.slow
def test_a_life_of_retraining(
    tmp_path: Path, make_stand_in: Callable[[Path], Path], run_flows: Callable[[Path, str, int], str]
) -> None:
    printed = run_flows(make_stand_in(tmp_path), BEGINNING + SECOND, 1800)
    found = ends(printed)
    assert [(kind, name, steps) for kind, name, _, steps in found] == [
        ("COMPLETED", "Promoted", 8),
        ("FAILED", "GatesFailed", 16),
        ("COMPLETED", "NothingNew", 16),
        ("COMPLETED", "WaitingForApproval", 24),
        ("COMPLETED", "NothingNew", 24),
        ("COMPLETED", "Promoted", 24),
        ("FAILED", "DataError", 24),
        ("COMPLETED", "WaitingForApproval", 32),
        ("COMPLETED", "Promoted", 32),
        ("FAILED", "TimedOut", 32),
        ("FAILED", "BudgetReached", 32),
        ("CANCELLED", "AlreadyRunning", 32),
    ]
    messages = [message for _, _, message, _ in found]
    assert messages[1] == "jmlr version 2, champion before: 1; gates failed: accuracy (0.0, bound 0.1)"
    assert messages[2] == "version 2 has seen these data and was judged: kept"
    assert messages[3].endswith("all gates passed; to promote it: jmlr promote --approve")
    assert "`dvc add data` takes the data as they lie there" in messages[6]
    assert "2.000 cuda hours were used in the last 30 days; expected less than 2" in messages[10]
    assert '{"run": "another"' in messages[11]
    # The share was away twice, and the third try went well.
    assert (tmp_path / "tries.log").read_text() == "xxx"
