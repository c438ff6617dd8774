"""A pair whose reader was trained with adapters: registered, served, exported and imported, with no hub to ask."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient
from safetensors.torch import load_file

from jmlr.answering.answerer import Answerer
from jmlr.registry.version.contents import Contents
from jmlr.settings import params
from jmlr.stages import layout
from jmlr.types import Question

Enter = Callable[..., tuple]
ASKED = {"question": "gout joint swelling uric acid?", "options": ["crystal", "fever", "lung"]}
START_SECONDS = 120


def test_the_version_holds_a_merged_reader_and_answers_as_the_pair_does(
    enter: Enter, trained_with_lora: Contents, model_name: str
) -> None:
    pair = trained_with_lora.pair
    trained, base = (load_file(folder / "model.safetensors") for folder in (pair.reader, layout.BASE_READER))
    assert trained.keys() == base.keys()
    adapted = "model.layers.0.self_attn.q_proj.weight"
    assert not torch.equal(trained[adapted], base[adapted])
    enter(trained_with_lora)
    [answer] = mlflow.pyfunc.load_model(f"models:/{model_name}@challenger").predict(pd.DataFrame([ASKED]))
    settings = params.load(pair.params)
    answerer = Answerer.load(pair.retriever, pair.reader, pair.index, pair.passages, settings)
    [expected] = answerer.answer([Question("q", ASKED["question"], tuple(ASKED["options"]), 0, "test")])
    assert answer["option_probabilities"] == pytest.approx(expected.option_probabilities)
    assert [row["passage_id"] for row in answer["passages"]] == [hit.passage_id for hit in expected.hits]
    assert sum(row["read"] for row in answer["passages"]) == settings.train.read_passages


@pytest.fixture
def served(
    enter: Enter, trained_with_lora: Contents, model_name: str, tracked: MlflowClient, tmp_path: Path
) -> Iterator[str]:
    """The address of `mlflow models serve` of the champion, on a machine without a hub or a cache of one."""
    version, _ = enter(trained_with_lora)
    tracked.set_registered_model_alias(model_name, "champion", str(version.number))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{model_name}@champion"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub"), "PYTHONPATH": ""}
    log = (tmp_path / "serve.log").open("w")
    process = subprocess.Popen(
        [*command, "--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
        env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, cwd=tmp_path,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address, process, tmp_path / "serve.log")
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)
        log.close()


def wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(START_SECONDS * 2):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{address}/ping", timeout=5) as reply:
                assert reply.status == 200
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"the server does not answer:\n{log.read_text()[-3000:]}")


def post(address: str, rows: list[dict]) -> tuple[int, dict]:
    body = json.dumps({"dataframe_records": rows}).encode()
    request = urllib.request.Request(f"{address}/invocations", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.slow
def test_mlflow_serves_the_champion_without_a_hub(served: str, model_name: str) -> None:
    status, reply = post(served, [ASKED, {**ASKED, "options": ["fever", "crystal"]}])
    assert status == 200
    first, second = reply["predictions"]
    assert first["answer"] in ASKED["options"]
    assert sum(first["option_probabilities"]) == pytest.approx(1)
    assert len(second["option_probabilities"]) == 2
    assert (first["model"]["name"], first["model"]["version"]) == (model_name, "1")
    assert first["abstained"] is (first["confidence"] < 0.3)
    assert any(passage["read"] and passage["text"] for passage in first["passages"])
    status, reply = post(served, [ASKED, {**ASKED, "options": ["fever", None]}])
    assert (status, reply["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "row 1, column options, 1: nothing; expected question a text" in reply["message"]
    assert "Traceback" not in json.dumps(reply)
