"""A pair of a few bytes, with a stand-in for the answerer."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from mlflow import MlflowClient

from jmlr import recipes
from jmlr.answering.answered import Answered
from jmlr.data.tables import write_passages
from jmlr.registry.pair import Pair
from jmlr.types import Hit, Passage, Question

CONF = Path(__file__).parents[3] / "conf"


class FirstOption:
    """Stands for the answerer: the first option, with the only passage."""

    @classmethod
    def load(cls, retriever: Path, reader: Path, index: Path, passages: Path, settings: object) -> FirstOption:
        assert (retriever / "weights.bin").exists()
        assert (reader / "weights.bin").exists()
        assert (index / "manifest.json").exists()
        return cls()

    def answer(self, questions: list[Question]) -> list[Answered]:
        return [
            Answered(question.question_id, (-1.0, -2.0), (0.75, 0.25), (Hit("p1", 9.5), Hit("p2", 1.0)), ("p1",))
            for question in questions
        ]


@pytest.fixture
def pair(tmp_path: Path, tracked: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> Pair:
    fake = ModuleType("jmlr.answering.answerer")
    fake.Answerer = FirstOption  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jmlr.answering.answerer", fake)
    for name in ("retriever", "reader"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights.bin").write_bytes(str(tmp_path).encode() + name.encode())
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "manifest.json").write_text("{}")
    write_passages(tmp_path / "passages.parquet", [Passage("p1", "Gout hurts.", "Gout"), Passage("p2", "Asthma.")])
    recipes.write_params("starter", tmp_path / "params.yaml", CONF)
    files = ("retriever", "reader", "index", "passages.parquet", "params.yaml")
    return Pair(*(tmp_path / name for name in files))
