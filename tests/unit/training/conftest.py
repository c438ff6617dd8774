"""A joint model of a tiny ColBERT and a tiny Llama."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from jmlr.models.prompt import PromptWriter
from jmlr.models.retriever import Retriever
from jmlr.training.joint import Corpus, JointModel
from jmlr.training.pools import PassageStore, Pools
from jmlr.types import Hit


@pytest.fixture
def tiny_retriever(tiny_retriever_folder, tiny_index_settings) -> Retriever:
    return Retriever.load(tiny_retriever_folder, tiny_index_settings)


@pytest.fixture
def tiny_store(tiny_retriever, tiny_passages) -> PassageStore:
    return PassageStore.encode(tiny_retriever, [passage.indexed_text for passage in tiny_passages])


@pytest.fixture
def make_pools(tiny_questions, tiny_passages, tiny_store, tiny_index_settings) -> Callable[[], Pools]:
    """Makes fresh pools of six candidates a question, by turns; the first question has four."""
    candidates = {
        question.question_id: [Hit(tiny_passages[(number + step) % 20].passage_id, 0.0) for step in range(6)]
        for number, question in enumerate(tiny_questions)
    }
    candidates["q0"] = candidates["q0"][:4]
    return lambda: Pools(tiny_questions, tiny_passages, candidates, tiny_store, tiny_index_settings.candidates)


@pytest.fixture
def tiny_pools(make_pools) -> Pools:
    return make_pools()


@pytest.fixture
def make_joint(
    tiny_retriever_folder, tiny_index_settings, tiny_questions, tiny_passages, make_pools, tiny_tokenizer,
    prompt_settings, make_tiny_reader, make_train_settings,
) -> Callable[..., JointModel]:  # fmt: skip
    """Builds one arm from the same base models with fresh pools; keyword arguments replace training settings."""

    def make(arm: str, **changes: Any) -> JointModel:
        retriever = None if arm == "closed_book" else Retriever.load(tiny_retriever_folder, tiny_index_settings)
        writer = PromptWriter(tiny_tokenizer, prompt_settings)
        corpus = Corpus(tiny_questions, tiny_passages, make_pools())
        return JointModel(arm, (retriever, make_tiny_reader()), writer, corpus, make_train_settings(**changes))

    return make


@pytest.fixture(scope="session")
def arm_task(
    tiny_retriever_folder, tiny_index_settings, tiny_questions, tiny_passages, tiny_tokenizer, prompt_settings,
    make_tiny_reader, make_train_settings, tmp_path_factory,
) -> Callable[..., dict[str, Any]]:  # fmt: skip
    """Makes what arm_processes.py needs to train one arm in other processes; keyword arguments are settings."""
    reader = tmp_path_factory.mktemp("task") / "reader"
    make_tiny_reader().save_pretrained(reader)
    tiny_tokenizer.save_pretrained(reader)

    def make(arm: str, **changes: Any) -> dict[str, Any]:
        return {
            "arm": arm,
            "retriever": str(tiny_retriever_folder),
            "reader": str(reader),
            "index": tiny_index_settings.model_dump(),
            "prompt": prompt_settings.model_dump(),
            "train": make_train_settings(**changes).model_dump(),
            "questions": [asdict(question) for question in tiny_questions],
            "passages": [asdict(passage) for passage in tiny_passages],
        }

    return make


@pytest.fixture
def run_tries(tmp_path) -> Callable[[dict[str, Any], list[dict[str, Any]]], list[list[int]]]:
    """Runs tries of a task one after another, each in processes of its own; gives every process's exit status."""

    def run(task: dict[str, Any], tries: list[dict[str, Any]]) -> list[list[int]]:
        plan = tmp_path / "plan.json"
        plan.write_text(json.dumps({"task": task, "tries": tries}), encoding="utf-8")
        script = Path(__file__).with_name("arm_processes.py")
        repository = Path(__file__).parents[3]
        places = os.pathsep.join((str(repository), str(repository / "tests")))
        environment = {**os.environ, "PYTHONPATH": places, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, str(script), str(plan)], env=environment, capture_output=True, text=True, timeout=280
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-3000:])
        print(done.stderr[-6000:])
        return json.loads(done.stdout.splitlines()[-1])

    return run
