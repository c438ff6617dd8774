"""A real tiny pair behind the server: its answers are those of answering and evaluation, alone and in batches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from jmlr.answering.answered import Answered
from jmlr.answering.answerer import Answerer
from jmlr.data.tables import write_passages
from jmlr.evaluation.evidence import without_each
from jmlr.index.build import build
from jmlr.models.retriever import Retriever
from jmlr.registry.version.contents import Abstaining
from jmlr.registry.version.pair import Pair
from jmlr.serving.app import create_app
from jmlr.serving.asked import Asked
from jmlr.serving.desk import Desk
from jmlr.serving.loading import load_closed_book, load_pair, read_abstaining
from jmlr.serving.model import Label, ServedModel
from jmlr.settings import Settings, params, recipes
from jmlr.types import Passage, Question

LABEL = Label("jmlr", "1", "champion", "hash")


@pytest.fixture(scope="module")
def settings(repository: Path, tiny_index_settings, prompt_settings) -> Settings:
    settings = params.load(repository / "params.yaml")
    return settings.model_copy(update={"index": tiny_index_settings, "prompt": prompt_settings})


@pytest.fixture(scope="module")
def pair(tmp_path_factory, settings, tiny_retriever_folder, tiny_passages, make_tiny_reader, tiny_tokenizer) -> Pair:
    folder = tmp_path_factory.mktemp("pair")
    reader = make_tiny_reader()
    reader.save_pretrained(folder / "reader")
    tiny_tokenizer.save_pretrained(folder / "reader")
    write_passages(folder / "passages.parquet", tiny_passages)
    build(tiny_retriever_folder, tiny_passages, settings.index, folder / "index", seed=3)
    recipes.write_params("starter", folder / "params.yaml", Path(__file__).parents[3] / "conf")
    text = (folder / "params.yaml").read_text(encoding="utf-8")
    tiny = {"query_tokens: 80": "query_tokens: 16", "passage_tokens: 96": "passage_tokens: 24"}
    ingest = {"passage_tokens: 90": "passage_tokens: 20", "overlap_tokens: 20": "overlap_tokens: 5"}
    for old, new in {
        **tiny,
        **ingest,
        "candidates: 30": "candidates: 12",
        "kmeans_iterations: 4": "kmeans_iterations: 3",
    }.items():
        text = text.replace(old, new)
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    names = ("index", "passages.parquet", "params.yaml")
    return Pair(tiny_retriever_folder, folder / "reader", *(folder / name for name in names))


@pytest.fixture(scope="module")
def served(pair: Pair, settings: Settings) -> ServedModel:
    return load_pair(pair, LABEL, Abstaining(threshold=0.9), settings)


def test_replies_are_what_answering_finds_alone_or_in_a_batch(served, tiny_questions):
    asked = [Asked(question, passages=1) for question in tiny_questions[:4]]
    together = served.answer(asked)
    for question, reply in zip(tiny_questions, together, strict=False):
        (found,) = served.answerer.answer([question])
        assert reply.option_probabilities == pytest.approx(found.option_probabilities, abs=1e-5)
        assert reply.answer == question.options[found.chosen_index]
        assert [one.passage_id for one in reply.passages if one.read] == list(found.read_passage_ids)
        assert len(reply.passages) == max(1, len(found.read_passage_ids))
        assert reply.confidence == pytest.approx(max(found.option_probabilities), abs=1e-5)
        assert reply.abstained == (reply.confidence < 0.9)


def test_explanations_are_those_of_the_evaluation(served, tiny_questions):
    plain, explained = served.answer([Asked(tiny_questions[0]), Asked(tiny_questions[1], explain=True)])
    assert all(passage.effect is None and not passage.matches for passage in plain.passages)
    answered = served.answerer.answer([tiny_questions[1]])
    evidence = without_each(served.answerer, [tiny_questions[1]], answered, "any")
    read = [passage for passage in explained.passages if passage.read]
    assert [one.effect.probability_change for one in read] == pytest.approx(
        [row.probability_change for row in evidence], abs=1e-5
    )
    assert [one.effect.flips for one in read] == [row.flips for row in evidence]
    assert all(passage.text[word.start : word.end].isalnum() for passage in read for word in passage.matches)


def test_the_whole_way_over_http(served, limits, tiny_questions):
    desk = Desk([served], limits)
    body = {"question": tiny_questions[0].text, "options": list(tiny_questions[0].options), "explain": True}
    answer = TestClient(create_app(desk, [])).post("/v1/answer", json=body)
    desk.close()
    assert answer.status_code == 200
    assert sum(answer.json()["option_probabilities"]) == pytest.approx(1)
    assert answer.json()["model"]["version"] == "1"
    assert answer.json()["passages"][0]["matches"]


def test_the_closed_book_reads_nothing(pair, settings, tiny_questions):
    (reply,) = load_closed_book(pair.reader, "here", settings).answer([Asked(tiny_questions[0], explain=True)])
    assert reply.passages == ()
    assert not reply.model.reads


def test_a_title_before_the_text_has_matches_of_its_own(served, tiny_questions):
    passage = Passage("p", "swelling of the joint", title="gout")
    answerer = Answerer(served.answerer.reader, served.answerer.writer, {"p": passage}, served.answerer.settings)
    model = ServedModel(LABEL, answerer, retriever=served.retriever)
    found = Answered("q", (-1.0, -2.0), (0.7, 0.3), (type("H", (), {"passage_id": "p", "score": 1.0})(),), ("p",))
    (cited,) = model._cited(
        Question("q", "gout joint?", ("a", "b"), 0, "test"), Asked(tiny_questions[0], True), found, {}
    )
    assert [cited.title[word.start : word.end] for word in cited.title_matches] == ["gout"]
    assert [cited.text[word.start : word.end] for word in cited.matches] == ["swelling", "of", "the", "joint"]


def test_when_to_abstain_is_read_from_an_evaluation(tmp_path):
    rule = {"abstaining": {"threshold": 0.6, "wanted_accuracy": 0.95}}
    metrics = {"test": {"confidence": {"jmlr": {"temperature": 1.3, "abstention": rule}}}}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    assert read_abstaining(tmp_path / "metrics.json") == Abstaining(1.3, 0.6, 0.95)
    assert read_abstaining(tmp_path / "nothing.json") == Abstaining()


def test_a_retriever_that_is_not_the_indexs_own_is_refused(pair, settings, save_tiny_colbert, tmp_path):
    import dataclasses

    other = dataclasses.replace(pair, retriever=save_tiny_colbert(tmp_path / "other", seed=8))
    assert Retriever.load(other.retriever, settings.index)
    from jmlr.errors import FingerprintMismatch

    with pytest.raises(FingerprintMismatch, match="index"):
        load_pair(other, LABEL, Abstaining(), settings)
