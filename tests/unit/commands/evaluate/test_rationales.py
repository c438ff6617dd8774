"""Rationales: what was written is measured, and two arms are judged by a real local endpoint."""

from __future__ import annotations

import importlib
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow.parquet as pq
import pytest

from jmlr.answering.answered import Answered
from jmlr.commands.evaluate import rationales
from jmlr.data.tables import write_passages, write_questions
from jmlr.errors import ConfigError, MissingResource
from jmlr.evaluation import predictions
from jmlr.evaluation.readings import Readings
from jmlr.settings import params
from jmlr.stages import layout
from jmlr.types import Passage, Question

PASSAGES = [Passage("p1", "Gout is caused by uric acid crystals.", title="Gout")]
QUESTIONS = [
    Question(f"q{n}", "Why is the toe hot?", ("Gout", "Cellulitis"), 0, "test", rationale="Gout: uric acid crystals.")
    for n in range(3)
]


class Judge(BaseHTTPRequestHandler):
    """Prefers the text that names uric acid, wherever it stands."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][-1]["content"]
        first = asked.find("uric acid crystals in the joint")
        second = asked.find("I do not know")
        content = f"VERDICT: {'A' if first < second else 'B'}"
        body = json.dumps({"choices": [{"message": {"content": content}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def settings(repository, tmp_path, monkeypatch):
    settings = params.load(repository / "params.yaml")
    monkeypatch.chdir(tmp_path)
    layout.INGEST.mkdir(parents=True)
    write_passages(layout.PASSAGES, PASSAGES)
    write_questions(layout.QUESTIONS, QUESTIONS)
    answered = [Answered(q.question_id, (-1.0, -2.0), (0.7, 0.3), (), ("p1",)) for q in QUESTIONS]
    said = {
        "jmlr": {q.question_id: "Gout, uric acid crystals in the joint." for q in QUESTIONS},
        "rag": {q.question_id: "I do not know." for q in QUESTIONS},
    }
    readings = Readings({"jmlr": answered, "rag": answered, "closed_book": answered}, said=said)
    predictions.write(layout.PREDICTIONS, QUESTIONS, readings)
    return settings


def test_two_arms_are_measured_and_judged(settings, capsys):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Judge)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"judge@http://127.0.0.1:{server.server_port}/v1"
    rationales.run(settings, rationales.Asked(("jmlr", "rag"), "titles", "", endpoint))
    server.shutdown()
    metrics = json.loads((layout.RATIONALES / "metrics.json").read_text())
    assert metrics["arms"]["jmlr"]["umls_f"]["value"] == 1
    assert metrics["arms"]["rag"]["umls_f"]["value"] == 0
    assert metrics["judged"]["win_rate"]["value"] == 1
    assert metrics["judged"]["agreement"] == 1
    assert pq.read_table(layout.RATIONALES / "rationales.parquet").num_rows == 6
    assert len((layout.RATIONALES / "judgements.jsonl").read_text().splitlines()) == 6
    assert "judge judges jmlr against rag: win rate 1.000" in " ".join(capsys.readouterr().out.split())


def test_the_letter_before_a_rationale_is_not_measured(settings):
    settings = settings.model_copy(
        update={"prompt": settings.prompt.model_copy(update={"options": "shown", "answer": "letter_rationale"})}
    )
    answered = [Answered(q.question_id, (-1.0, -2.0), (0.7, 0.3), (), ("p1",)) for q in QUESTIONS]
    said = {"jmlr": dict(zip(("q0", "q1", "q2"), ("A. Uric acid crystals.", "A", "uric acid"), strict=True))}
    predictions.write(layout.PREDICTIONS, QUESTIONS, Readings({"jmlr": answered}, said=said))
    rationales.run(settings, rationales.Asked(("jmlr",), "titles", ""))
    rows = pq.read_table(layout.RATIONALES / "rationales.parquet").to_pylist()
    assert [row["rationale"] for row in rows] == ["Uric acid crystals.", "", "uric acid"]


def test_an_arm_that_wrote_nothing_is_refused(settings):
    with pytest.raises(MissingResource, match="the arm closed_book wrote nothing"):
        rationales.run(settings, rationales.Asked(("closed_book",), "titles", ""))
    assert not layout.RATIONALES.exists()


def test_one_arm_cannot_be_judged(settings):
    with pytest.raises(ConfigError, match="2 to be judged"):
        rationales.run(settings, rationales.Asked(("jmlr",), "titles", "", "m@http://127.0.0.1:1/v1"))


@pytest.mark.parametrize("named", ["model", "@http://x", "a@b@c@d"])
def test_a_judge_that_is_named_wrongly_is_refused(settings, named):
    with pytest.raises(ConfigError, match="MODEL@URL"):
        rationales.run(settings, rationales.Asked(("jmlr", "rag"), "titles", "", named))
    assert not layout.RATIONALES.exists()


def test_without_the_chat_judge_rationales_are_measured(monkeypatch):
    for module in ("", ".agreement", ".endpoint", ".log", ".pairs"):
        monkeypatch.setitem(sys.modules, f"jmlr.evaluation.rationales.chat_judge{module}", None)
    importlib.reload(rationales)
