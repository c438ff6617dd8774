"""benchmarks/retrieval.py on a tiny build: every row, paired differences, and the results of other recipes kept."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from jmlr.data.tables import write_passages, write_questions
from jmlr.index.build import build
from jmlr.settings import params
from jmlr.types import Passage, Question

ROOT = Path(__file__).parents[2]
WORDS = "gout joint crystal toe pain fever cough lung heart failure breath kidney stone blood liver skin rash".split()
TINY = {"query_tokens": 16, "passage_tokens": 24, "bits": 2, "kmeans_iterations": 3, "candidates": 12}


@pytest.fixture
def retrieval(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import retrieval

    return retrieval


def test_every_row_is_measured(retrieval, save_tiny_colbert, tmp_path, capsys):
    draw, place = random.Random(2), tmp_path / "build"
    passages = [Passage(f"p{n:02d}", " ".join(draw.choices(WORDS, k=12))) for n in range(40)]
    questions = [
        Question(f"q{n}", passage.text, ("a", "b"), 0, "test", gold_passage_ids=(passage.passage_id,))
        for n, passage in enumerate(passages[:9])
    ]
    write_passages(place / "ingest" / "passages.parquet", passages)
    write_questions(place / "ingest" / "questions.parquet", [*questions, Question("q9", "?", ("a", "b"), 0, "test")])
    raw = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    raw["index"].update(TINY)
    raw["evaluate"]["recall_at"] = [1, 5, 10]
    raw["ingest"].update(passage_tokens=20, overlap_tokens=5)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    index = params.load(tmp_path / "params.yaml").index
    retriever = save_tiny_colbert(tmp_path / "saved", seed=3, words=WORDS)
    for stage in ("base", "train"):
        shutil.copytree(retriever, place / stage / "retriever")
    build(place / "base" / "retriever", passages, index, place / "index", seed=1)
    plaid = index.model_copy(update={"backend": "plaid"})
    build(place / "train" / "retriever", passages, plaid, place / "train" / "index", seed=1)
    results = tmp_path / "retrieval.json"
    results.write_text('{"other": {}}')
    words = [f"--build={place}", f"--params={tmp_path / 'params.yaml'}", f"--results={results}", "--threads=1"]
    assert retrieval.main(words) == 0
    written = json.loads(results.read_text())
    assert list(written) == ["other", "starter"]
    found = written["starter"]["splits"]["test"]
    assert found["questions"] == 9
    assert list(found["rows"]) == [
        "BM25",
        "untrained, exact",
        "untrained, PLAID",
        "trained, exact",
        "trained, PLAID",
        "untrained + BM25",
        "trained + BM25",
    ]
    # A question is its passage's own text, and both retrievers are the same.
    assert found["rows"]["BM25"]["success_at_1"] == {"value": 1.0, "low": 0.700855, "high": 1.0}
    assert found["rows"]["trained, exact"] == found["rows"]["untrained, exact"]
    zero = {"value": 0.0, "low": 0.0, "high": 0.0}
    assert set(map(str, found["differences"]["trained, exact - untrained, exact"].values())) == {str(zero)}
    for shares in found["share_of_exact_found_by_plaid"].values():
        assert all(0 < share <= 1 for share in shares.values())
    assert "| trained + BM25 | 100.0 (70.1 to 100.0) |" in capsys.readouterr().out
