"""What answers and serves works where the models lie on a GPU, and gives what the CPU gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from closeness import FLOAT32, assert_close
from foreign_device import ForeignDevice
from starlette.testclient import TestClient

from jmlr.answering.answerer import Answerer
from jmlr.answering.generation import say
from jmlr.data.tables import write_passages
from jmlr.index import build as index
from jmlr.models import device
from jmlr.models import retriever as retrievers
from jmlr.models.retriever import Retriever
from jmlr.serving.app import create_app
from jmlr.serving.desk import Desk
from jmlr.serving.matches import match_words
from jmlr.serving.model import Label, ServedModel
from jmlr.settings import BaseRetrieverSettings, Settings, params

pytestmark = pytest.mark.numerical

TEXTS = ["gout, toe pain.", "kidney stone urine blood fever cough", "rash"]
RTOL = 1e-5


@pytest.fixture
def plain(tiny_retriever_folder, tiny_index_settings) -> Retriever:
    return Retriever.load(tiny_retriever_folder, tiny_index_settings)


@pytest.fixture
def moved(plain, elsewhere, tiny_retriever_folder, tiny_index_settings) -> Retriever:
    return index.load_retriever(tiny_retriever_folder, tiny_index_settings)


def test_the_other_device_is_another_one(elsewhere):
    tensor = torch.ones(2).to(elsewhere)
    assert tensor.device == elsewhere
    with pytest.raises(TypeError, match="can't convert .* to numpy"):
        tensor.numpy()
    with pytest.raises(RuntimeError, match="on the same device"):
        tensor + torch.ones(2)


def test_the_retriever_encodes_and_measures_where_it_lies(plain, moved, elsewhere):
    with torch.inference_mode():
        queries, (passages, mask) = moved.encode_queries(TEXTS), moved.encode_passages(TEXTS)
        assert {moved.device, queries.device, passages.device, mask.device} == {elsewhere}
        assert_close(queries.cpu(), plain.encode_queries(TEXTS))
        assert_close(passages.cpu(), plain.encode_passages(TEXTS)[0])
    for found, expected in zip(moved.measure(TEXTS), plain.measure(TEXTS), strict=True):
        assert np.array_equal(found, expected)


def test_a_retriever_is_loaded_on_the_cpu(elsewhere, tiny_retriever_folder, tiny_index_settings):
    loaded = Retriever.load(tiny_retriever_folder, tiny_index_settings)
    assert {tensor.device.type for tensor in loaded.state_dict().values()} == {"cpu"}
    assert loaded.measure(TEXTS)[0].sum() > 0


def test_a_projection_is_made_on_the_best_device(
    elsewhere, tiny_retriever_folder, tiny_index_settings, tmp_path, monkeypatch
):
    monkeypatch.setattr(retrievers, "fetch", lambda source: tiny_retriever_folder.with_name("retriever_encoder"))
    source = BaseRetrieverSettings(source="minilm", revision=None, dimension=16)
    retrievers.create(source, tiny_index_settings, tmp_path, TEXTS * 9, seed=1)
    weight = Retriever.load(tmp_path, tiny_index_settings).colbert.linear.weight
    assert_close(weight @ weight.T, torch.eye(16))


@pytest.fixture
def settings(repository: Path, prompt_settings, tiny_index_settings) -> Settings:
    settings = params.load(repository / "params.yaml")
    train = settings.train.model_copy(update={"read_passages": 2})
    return settings.model_copy(update={"train": train, "prompt": prompt_settings, "index": tiny_index_settings})


@pytest.mark.parametrize("backend", ["exact", "plaid"])
def test_index_search_answers_and_matches_are_those_of_the_cpu(
    request, backend, settings, tiny_retriever_folder, tiny_passages, tiny_questions, make_tiny_reader, tiny_tokenizer,
    tmp_path,
):  # fmt: skip
    settings = settings.model_copy(update={"index": settings.index.model_copy(update={"backend": backend, "bits": 2})})
    make_tiny_reader().save_pretrained(tmp_path / "reader")
    tiny_tokenizer.save_pretrained(tmp_path / "reader")
    write_passages(tmp_path / "passages.parquet", tiny_passages)

    def answer(folder: Path) -> tuple:
        index.build(tiny_retriever_folder, tiny_passages, settings.index, folder, seed=1)
        answerer = Answerer.load(
            tiny_retriever_folder, tmp_path / "reader", folder, tmp_path / "passages.parquet", settings
        )
        assert {answerer.reader.device, answerer.search.retriever.device} == {device.best()}
        hits = answerer.retrieve(tiny_questions[:3])
        read = answerer.read(tiny_questions[:3], hits)
        words = match_words(answerer.search.retriever, tiny_questions[0].text, [tiny_passages[0].text])
        return read, say(answerer, tiny_questions[:2], hits, 4), words

    expected = answer(tmp_path / "index")
    request.getfixturevalue("elsewhere")
    (read, said, words), (of_cpu, said_there, words_there) = answer(tmp_path / "other"), expected
    for one, other in zip(read, of_cpu, strict=True):
        assert [hit.passage_id for hit in one.hits] == [hit.passage_id for hit in other.hits]
        assert one.option_scores == pytest.approx(other.option_scores, rel=FLOAT32)
    assert said == said_there
    assert [match.share for match in words[0]] == pytest.approx([match.share for match in words_there[0]], rel=1e-3)


class OnItsDevice:
    """A model whose batches are answered in a thread that has the foreign device."""

    def __init__(self, model: ServedModel) -> None:
        self.label, self._model = model.label, model

    def answer(self, asked):
        with ForeignDevice():
            return self._model.answer(asked)


def test_the_http_server_answers_from_another_device(
    request, settings, tiny_retriever_folder, tiny_passages, make_tiny_reader, tiny_tokenizer, tmp_path
):
    make_tiny_reader().save_pretrained(tmp_path / "reader")
    tiny_tokenizer.save_pretrained(tmp_path / "reader")
    write_passages(tmp_path / "passages.parquet", tiny_passages)
    asked = {"question": "Which joint of gout?", "options": ["toe pain", "kidney stone"], "explain": True}

    def reply(folder: Path, wrapped: bool = False) -> dict:
        index.build(tiny_retriever_folder, tiny_passages, settings.index, folder, seed=1)
        answerer = Answerer.load(
            tiny_retriever_folder, tmp_path / "reader", folder, tmp_path / "passages.parquet", settings
        )
        model = ServedModel(Label("tiny", None, "trained", None), answerer, retriever=answerer.search.retriever)
        limits = settings.serve.model_copy(update={"hosts": ("testserver",), "drain_seconds": 0.0})
        desk = Desk([OnItsDevice(model) if wrapped else model], limits)
        try:
            found = TestClient(create_app(desk, None)).post("/v1/answer", json=asked)
            assert found.status_code == 200, found.text
            return found.json()
        finally:
            desk.close()
            desk.join(5)

    expected = reply(tmp_path / "index")
    request.getfixturevalue("elsewhere")
    found = reply(tmp_path / "other", wrapped=True)
    assert found["answer"] == expected["answer"]
    assert found["option_probabilities"] == pytest.approx(expected["option_probabilities"], rel=FLOAT32)
    assert [one["passage_id"] for one in found["passages"]] == [one["passage_id"] for one in expected["passages"]]
