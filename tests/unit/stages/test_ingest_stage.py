from __future__ import annotations

import csv
import json
from types import SimpleNamespace

from jmlr.data.tables import read_passages, read_questions
from jmlr.settings import BaseRetrieverSettings, IngestSettings
from jmlr.stages import ingest, layout

ROWS = [
    {"passage_id": "p1", "text": "Gout hurts."},
    {"question_id": "q1", "question": "Which?", "options": ["MRI", "ECG"], "answer": "B", "gold_passage_ids": ["p1"]},
    {"question_id": "q2", "question": "Which [other]?", "options": ["MRI", "ECG"], "answer": "none, of them"},
]


def test_stage_writes_tables_rejects_and_counts(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    settings = IngestSettings(
        root="data",
        sources=[{"path": "mine.jsonl", "format": "jsonl", "licence": "MIT"}],
        passage_tokens=50,
        overlap_tokens=5,
        drop_copies=False,
        languages=None,
        rationales_as_passages=False,
        leakage={"similar_questions": 0.9, "ngram_words": 13, "covered_share": 0.5},
        dev_fraction=0,
        test_fraction=0,
        max_questions=None,
        max_passages=None,
    )
    retriever = BaseRetrieverSettings(source="minilm", revision=None, dimension=128)
    whole = SimpleNamespace(ingest=settings, seed=1, base=SimpleNamespace(retriever=retriever))
    ingest.run(whole)
    assert [passage.passage_id for passage in read_passages(layout.PASSAGES)] == ["p1"]
    assert [(question.question_id, question.split) for question in read_questions(layout.QUESTIONS)] == [
        ("q1", "train")
    ]
    with layout.REJECTS.open(newline="") as stream:
        (rejected,) = csv.DictReader(stream)
    reason = "answer missing or not one of the options"
    assert rejected == {"file": "data/mine.jsonl", "row": "3", "reason": reason, "detail": ""}
    assert json.loads(layout.COUNTS.read_text())["rejected_by_reason"] == {reason: 1}
    assert f"left out 1: {reason}" in capsys.readouterr().out
    first = layout.PASSAGES.read_bytes()
    ingest.run(whole)
    assert layout.PASSAGES.read_bytes() == first
