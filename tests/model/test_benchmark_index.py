"""benchmarks/index.py at toy size: every arm is built, searched and mined with, and the tables are made."""

from __future__ import annotations

import json
import random
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from jmlr.index.embeddings import StoredEmbeddings

ROOT = Path(__file__).parents[2]
WORDS = (
    "gout joint swelling uric acid crystal toe pain fever cough lung infection heart failure kidney stone blood urine "
    "liver bile skin rash headache vision nerve muscle bone fracture thyroid gland sugar insulin thirst weight sleep"
).split()


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import index

    monkeypatch.setattr(index.index_corpus, "ENCODED", 40)
    return index


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Eight MedQuAD files, each with an answer of 250 words."""
    folder, draw = tmp_path / "data", random.Random(2)
    (folder / "medquad").mkdir(parents=True)
    for number in range(8):
        answer = " ".join(" ".join(draw.choices(WORDS, k=12)).capitalize() + "." for _ in range(21))
        (folder / "medquad" / f"{number}.xml").write_text(
            f'<Document source="x"><Focus>{WORDS[number]}</Focus><QAPairs><QAPair pid="1"><Question qtype="t">'
            f"What is {WORDS[number]}?</Question><Answer>{answer}</Answer></QAPair></QAPairs></Document>"
        )
    return folder


@pytest.mark.parametrize(
    "arms",
    [
        ("exact", "plaid"),
        # colbert-ai's search compiles C++ extensions.
        pytest.param(("exact", "plaid", "colbert-ai", "colbert-ai, 4 bits"), marks=pytest.mark.slow),
    ],
    ids=["ours", "all"],
)
def test_every_search_is_measured(index, data, tmp_path, capsys, arms):
    words = ["--data", str(data), "--work", str(tmp_path / "work"), "--results", str(tmp_path / "index.jsonl")]
    words += ["--sizes", "40", "60", "--queries", "6", "--mined", "9", "--one-by-one", "4", "--threads", "1"]
    words += ["--arms", *arms]
    assert index.main(words) == 0
    rows = [json.loads(line) for line in (tmp_path / "index.jsonl").read_text().splitlines()]
    searched, printed = [row for row in rows if "recall" in row], capsys.readouterr().out
    assert [(row["passages"], row["arm"]) for row in searched] == [(size, arm) for size in (40, 60) for arm in arms]
    for row in searched:
        least = {"exact": 1.0, "plaid": 0.85}.get(row["arm"], 0.2)
        assert least <= row["recall"] <= 1.0
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        assert row["bytes"] > 0
    # Passages that are put together are not mined: there are no texts.
    assert [(row["passages"], row["arm"], row["questions"]) for row in rows if "batched_ms" in row] == [
        (40, "exact", 9), (40, "plaid", 9)
    ]  # fmt: skip
    assert sum(line.startswith(("| 40 ", "| 60 ")) for line in printed.splitlines()) == 2 * len(arms) + 2


def test_put_together_passages_are_near_the_encoded_ones(index, data, tmp_path):
    folder = index.index_corpus.embedded(data, tmp_path / "work", 60, 0)
    made, encoded = StoredEmbeddings.open(folder), StoredEmbeddings.open(next(tmp_path.glob("work/index-40/gen*")))
    assert len(made.passage_ids) == 60
    assert set(made.lengths) <= set(range(20, 37))
    vectors = np.asarray(made.vectors, np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-2)
    nearest = (vectors @ np.asarray(encoded.vectors, np.float32).T).max(axis=1)
    assert 0.9 < nearest.min()
    assert nearest.mean() == pytest.approx(0.97, abs=0.01)


def test_too_little_text_is_told(index, data, tmp_path):
    with pytest.raises(ValueError, match="has text for 48 passages only, not 50"):
        index.index_corpus.passages(data, 50, 0)
