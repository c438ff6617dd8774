"""Trains a tiny arm in processes of its own, some of which are killed; run with a plan by the fixture `run_tries`.

The libraries are imported once, and each try is forked from here before any of them has worked: forked later, the
threads that they start would be missing.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

import torch
from colbert.modeling.base_colbert import BaseColBERT  # noqa: F401
from mapped import mapped_file
from safetensors.torch import save_file

from jmlr.errors import JmlrError
from jmlr.models.prompt import PromptWriter
from jmlr.models.retriever import Retriever
from jmlr.models.trainable_reader import load_for_training
from jmlr.settings import IndexSettings, PromptSettings, TrainSettings
from jmlr.training import checkpoint, processes
from jmlr.training.engine import whole_weights
from jmlr.training.joint import ArmRun, Corpus, JointModel, train_arm
from jmlr.training.pools import PassageStore, Pools
from jmlr.training.sink import History
from jmlr.types import Hit, Passage, Question


def build(task: dict[str, Any]) -> JointModel:
    """The arm from its base models, with six candidates a question, by turns."""
    passages = [Passage(**entry) for entry in task["passages"]]
    questions = [Question(**{**entry, "options": tuple(entry["options"])}) for entry in task["questions"]]
    index = IndexSettings(**task["index"])
    retriever = Retriever.load(Path(task["retriever"]), index)
    settings = TrainSettings.model_validate(task["train"])
    reader, tokenizer = load_for_training(Path(task["reader"]), settings.reader)
    candidates = {
        question.question_id: [Hit(passages[(number + step) % len(passages)].passage_id, 0.0) for step in range(6)]
        for number, question in enumerate(questions)
    }
    store = PassageStore.encode(retriever, [passage.indexed_text for passage in passages])
    corpus = Corpus(questions, passages, Pools(questions, passages, candidates, store, index.candidates))
    writer = PromptWriter(tokenizer, PromptSettings(**task["prompt"]))
    return JointModel(task["arm"], (retriever, reader), writer, corpus, settings)


class KillingSink:
    """Kills the process when it logs a step."""

    def __init__(self, step: int) -> None:
        self._step = step

    def log(self, step, values) -> None:
        if step == self._step:
            kill()


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_in(owner: Any, name: str, when: Any) -> None:
    """Kills the process when `owner.name` is called with arguments for which `when` holds."""
    plain = getattr(owner, name)

    def wrapped(*arguments):
        if when(*arguments):
            kill()
        return plain(*arguments)

    setattr(owner, name, wrapped)


def disturb(kind: str, number: int) -> KillingSink | None:
    """Prepares a death: at a step's log, in the refresh that ends a generation, or in a step's checkpoint."""
    if kind == "log":
        return KillingSink(number)
    if kind == "refresh":
        kill_in(Pools, "refresh", lambda pools, retriever: pools.generation == number)
    elif kind == "checkpoint":
        kill_in(checkpoint, "save_pools", lambda folder, step, pools: step == number)
    else:
        kill_in(checkpoint, "complete", lambda folder, whole: whole.step == number)
    return None


def record_pools(file: Path) -> None:
    """Writes down every question's candidates, as each step takes them."""
    scored = Pools.scored

    def recorded(pools: Pools, rows, queries):
        places, scores = scored(pools, rows, queries)
        with file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps([rows.tolist(), places.tolist(), scores.tolist(), pools.generation]) + "\n")
        return places, scores

    Pools.scored = recorded


def train(task: dict[str, Any], folder: Path, death: list[Any] | None) -> None:
    """Trains, and leaves candidates, history and, from the first process, weights in `folder`."""
    torch.set_num_threads(1)
    folder.mkdir(exist_ok=True)
    record_pools(folder / f"candidates-{processes.rank()}.jsonl")
    torch.manual_seed(1)  # adapters begin at random, and imports may have drawn
    model = build(task)
    file = folder / "history.jsonl" if processes.is_first() else None
    history = History(model.arm, disturb(*death) if death else None, file)
    run = ArmRun(1, folder / "checkpoints", history)
    train_arm(model, run)
    (folder / f"store-{processes.rank()}").write_text(mapped_file(model.corpus.pools.store.vectors), encoding="utf-8")
    with whole_weights(model):
        weights = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    if processes.is_first():
        save_file(weights, folder / "weights.safetensors")
    processes.leave()


def begin(task: dict[str, Any], one: dict[str, Any], environment: dict[str, str]) -> int:
    """Forks a process for a try; the id of it."""
    child = os.fork()
    if child:
        return child
    os.environ.update(environment)
    status = 1
    try:
        train({**task, "train": {**task["train"], **one.get("train", {})}}, Path(one["folder"]), one.get("death"))
        status = 0
    except JmlrError as error:
        sys.stderr.write(f"{error}\n")
    finally:
        if sys.exc_info()[0]:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(status)


def launch(task: dict[str, Any], one: dict[str, Any]) -> list[int]:
    """Runs one try, in as many processes as it names; their exit statuses, -9 for one that was killed."""
    count = one.get("processes", 1)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    group = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)} if count > 1 else {}
    of_rank = [{**group, "RANK": str(rank), "LOCAL_RANK": str(rank)} if group else {} for rank in range(count)]
    children = [begin(task, one, environment) for environment in of_rank]
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


if __name__ == "__main__":
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    statuses = [launch(plan["task"], one) for one in plan["tries"]]
    print(json.dumps(statuses))
