"""The evaluation's benchmark: the plain way gives our scores, and a way that gives others is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from jmlr.data.tables import write_passages, write_questions
from jmlr.index.build import build
from jmlr.settings import params
from jmlr.stages import layout
from jmlr.types import Question


@pytest.fixture
def benchmark(repository: Path, monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    import evaluate

    return evaluate


@pytest.fixture
def place(
    repository, tmp_path, monkeypatch, tiny_retriever_folder, tiny_passages, tiny_index_settings, make_tiny_reader,
    tiny_tokenizer, tiny_questions, prompt_settings,
) -> None:  # fmt: skip
    """A finished build of tiny models."""
    settings = params.load(repository / "params.yaml").model_copy(
        update={"index": tiny_index_settings.model_copy(update={"bits": 2}), "prompt": prompt_settings}
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(params, "load", lambda: settings)
    layout.INGEST.mkdir(parents=True)
    write_passages(layout.PASSAGES, tiny_passages)
    questions = [Question(f"t{n}", one.text, one.options, 1, "test") for n, one in enumerate(tiny_questions[:5])]
    write_questions(layout.QUESTIONS, questions)
    shutil.copytree(tiny_retriever_folder, layout.TRAINED_RETRIEVER)
    build(layout.TRAINED_RETRIEVER, tiny_passages, settings.index, layout.TRAINED_INDEX, seed=1)
    make_tiny_reader().save_pretrained(layout.TRAINED_READER)
    tiny_tokenizer.save_pretrained(layout.TRAINED_READER)


def test_all_ways_answer_alike(benchmark, place, tmp_path, capsys):
    words = ["--questions=5", "--batches", "1", "2", "--turns=1", "--threads=1", f"--results={tmp_path / 'r.json'}"]
    assert benchmark.main(words) == 0
    told = json.loads((tmp_path / "r.json").read_text())
    assert told["largest_difference_nats"] < 1e-5
    assert list(told["rates"]) == ["plain", "ours, 1 a batch", "ours, 2 a batch"]
    assert sorted(told["rates"]["plain"]) == ["evaluation", "read", "retrieve", "retrieve and read"]
    assert all(rate > 0 for row in told["rates"].values() for rate in row.values())
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert [line.split(" | ")[0] for line in lines[2:]] == [f"| {name}" for name in told["rates"]]


def test_another_score_or_choice_is_seen(benchmark):
    plain = {"q1": [-1.0, -2.0], "q2": [-3.0, -2.0]}
    assert benchmark.largest_difference({"plain": plain, "ours": {**plain, "q1": [-1.0, -2.25]}}) == 0.25
    assert benchmark.largest_difference({"plain": plain, "ours": {**plain, "q2": [-1.9, -2.0]}}) == float("inf")


def test_rates_add_seconds_not_rates(benchmark):
    found = benchmark.rates({"retrieve": 1.0, "read": 3.0}, questions=12)
    assert (found["retrieve"], found["read"], found["retrieve and read"]) == (12, 4, 3)
    assert found["evaluation"] == pytest.approx(12 / (2 * 1.0 + 11 * 3.0))
