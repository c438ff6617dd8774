"""What stands for `jmlr` in the tests of flows: stages of a second or two, and a registry in real MLflow.

Every step of `train` is noted in steps.log, so that a test sees what was done twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from pathlib import Path

NAME = "jmlr"
BUILD = Path("build")
STEPS = 8
SECONDS = float(os.environ.get("STAND_IN_SECONDS", "0.05"))


def fail(kind: str, message: str) -> None:
    """Ends as `jmlr` ends with an error of its own."""
    Path(os.environ["JMLR_FAILURE_FILE"]).write_text(
        json.dumps({"error": kind, "of_user": True, "may_pass": kind == "Away", "message": message})
    )
    print(f"error: {message}", flush=True)
    sys.exit(2)


def ingest() -> None:
    time.sleep(SECONDS)
    words = Path("data/words.txt").read_text()
    (BUILD / "ingest").mkdir(parents=True, exist_ok=True)
    (BUILD / "ingest" / "words.txt").write_text(words)
    if "broken" in words:
        fail("ValidationFailed", "row 3 is broken")
    if "away" in words:
        tries = Path("tries.log")
        tries.open("a").write("x")
        if len(tries.read_text()) < 3:
            fail("Away", "the share is away")


def train() -> None:
    words = (BUILD / "ingest" / "words.txt").read_text()
    out = BUILD / "train"
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint.json"
    digest = hashlib.sha256(words.encode()).hexdigest()
    done = json.loads(checkpoint.read_text()) if checkpoint.exists() else {}
    begin = done["step"] if done.get("digest") == digest else 0
    if "slow" in words:
        time.sleep(600)
    for step in range(begin, STEPS):
        time.sleep(SECONDS)
        with open("steps.log", "a") as log:
            log.write(f"{digest[:8]} {step}\n")
        print(f"training jmlr: {100 * (step + 1) // STEPS:3d}%|## | {step + 1}/{STEPS}", flush=True)
        (out / "unfinished").write_text(json.dumps({"digest": digest, "step": step + 1}))
        os.replace(out / "unfinished", checkpoint)
    (out / "model.txt").write_text(words)


def evaluate() -> None:
    time.sleep(SECONDS)
    words = (BUILD / "train" / "model.txt").read_text()
    value = {"value": words.count("good") / 10, "low": 0.0, "high": 1.0}
    split = {"questions": 10, "chance": 0.25, "accuracy": {"jmlr": value}, "difference": {}, "gap_closed": None}
    (BUILD / "evaluate").mkdir(parents=True, exist_ok=True)
    (BUILD / "evaluate" / "metrics.json").write_text(json.dumps({"test": {**split, "retrieval": {}}}))
    (BUILD / "evaluate" / "report.html").write_text("report")


def client():
    import mlflow

    uri = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)


def register() -> None:
    """As `jmlr register`: one version a pair, then its tags, then its alias."""
    from mlflow.exceptions import MlflowException

    metrics = json.loads((BUILD / "evaluate" / "metrics.json").read_text())
    pair = hashlib.sha256((BUILD / "train" / "model.txt").read_bytes()).hexdigest()
    store = client()
    try:
        store.create_registered_model(NAME)
    except MlflowException:
        pass
    found = store.search_model_versions(f"name = '{NAME}' and tags.pair_hash = '{pair}'")
    version = found[0] if found else store.create_model_version(NAME, "nowhere", tags={"pair_hash": pair})
    time.sleep(SECONDS)
    data_hash = hashlib.sha256(Path("data.dvc").read_bytes()).hexdigest()
    accuracy = str(metrics["test"]["accuracy"]["jmlr"]["value"])
    for key, value in (("test.accuracy.jmlr", accuracy), ("data_dvc_hash", data_hash)):
        store.set_model_version_tag(NAME, version.version, key, value)
    time.sleep(SECONDS)
    store.set_registered_model_alias(NAME, "challenger", version.version)
    print(f"registered version {version.version}", flush=True)


def promote(words: list[str]) -> None:
    """As `jmlr promote`: better than the champion, or it stays; `needs approval` in a file makes it wait."""
    time.sleep(SECONDS)
    store = client()
    aliases = store.get_registered_model(NAME).aliases
    number = words[words.index("--version") + 1] if "--version" in words else aliases["challenger"]
    champion = aliases.get("champion")
    figures = {
        which: float(store.get_model_version(NAME, which).tags["test.accuracy.jmlr"])
        for which in (number, champion)
        if which
    }
    passed = champion is None or figures[number] > figures[champion]
    waits = passed and Path("needs approval").exists() and "--approve" not in words
    outcome = "waiting" if waits else "promoted" if passed else "kept"
    if outcome == "promoted":
        store.set_registered_model_alias(NAME, "champion", number)
    gate = {
        "name": "accuracy", "passed": passed, "figure": figures[number], "bound": figures.get(champion, 0.0),
        "detail": "better than the champion",
    }  # fmt: skip
    (BUILD / "promotion").mkdir(parents=True, exist_ok=True)
    Path("unfinished").write_text(
        json.dumps({"model": NAME, "from": champion, "to": number, "outcome": outcome, "gates": [gate]})
    )
    os.replace("unfinished", BUILD / "promotion" / "gates.json")
    print(f"{outcome}: version {number}", flush=True)
    sys.exit({"promoted": 0, "kept": 3, "waiting": 4}[outcome])


if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    if name == "promote":
        promote(rest)
    else:
        {"ingest": ingest, "train": train, "evaluate": evaluate, "register": register}[name]()
