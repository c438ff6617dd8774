"""Which rankings the evaluation reports, and which of them each arm reads, with and without index.hybrid."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jmlr.answering import answerer
from jmlr.answering.answered import Answered
from jmlr.answering.answerer import Answerer
from jmlr.evaluation.session import Session, ranking_read
from jmlr.index.bm25 import Bm25
from jmlr.index.build import build
from jmlr.index.fusion import Hybrid
from jmlr.index.search import Searcher
from jmlr.models.retriever import Retriever
from jmlr.settings import Settings, params
from jmlr.stages import evaluate, evaluation_files, layout
from jmlr.types import Hit, Passage, Question


@pytest.fixture(scope="module")
def place(
    tmp_path_factory, save_tiny_colbert, tiny_retriever_folder, tiny_passages: list[Passage], tiny_index_settings
) -> Path:
    """A repository's folder with two retrievers and their indexes."""
    place = tmp_path_factory.mktemp("pairs")
    other = save_tiny_colbert(tmp_path_factory.mktemp("other") / "retriever", seed=8)
    settings = tiny_index_settings.model_copy(update={"bits": 2})
    for saved, retriever, index in (
        (tiny_retriever_folder, layout.BASE_RETRIEVER, layout.INDEX),
        (other, layout.TRAINED_RETRIEVER, layout.TRAINED_INDEX),
    ):
        shutil.copytree(saved, place / retriever)
        build(place / retriever, tiny_passages, settings, place / index, seed=1)
    return place


@pytest.fixture
def make_settings(repository: Path, tiny_index_settings) -> Callable[..., Settings]:
    def make(hybrid: bool, arms: tuple[str, ...] = ("closed_book", "rag", "jmlr")) -> Settings:
        settings = params.load(repository / "params.yaml")
        index = tiny_index_settings.model_copy(update={"bits": 2, "hybrid": hybrid})
        train = settings.train.model_copy(update={"arms": arms})
        return settings.model_copy(update={"index": index, "train": train})

    return make


def dense(place: Path, when: str, settings: Settings, passages: list[Passage]) -> Searcher:
    retriever, index = {
        "before": (layout.BASE_RETRIEVER, layout.INDEX),
        "after": (layout.TRAINED_RETRIEVER, layout.TRAINED_INDEX),
    }[when]
    loaded = Retriever.load(place / retriever, settings.index)
    return Searcher.load(place / index, loaded, place / retriever, passages)


@pytest.mark.parametrize("hybrid", [False, True])
def test_every_ranking_is_reported_whatever_is_read(
    place, make_settings, tiny_passages, tiny_questions, monkeypatch, hybrid
):
    monkeypatch.chdir(place)
    settings = make_settings(hybrid)
    found = evaluate._retrieve(settings, tiny_questions, tiny_passages)
    before, after = (dense(place, when, settings, tiny_passages) for when in ("before", "after"))
    bm25 = Bm25(tiny_passages)
    expected = {"before": before, "after": after, "bm25": bm25, "hybrid": Hybrid(after, bm25)}
    if hybrid:
        expected["hybrid_before"] = Hybrid(before, bm25)
    assert set(found) == set(expected)
    texts = [question.text for question in tiny_questions]
    for name, search in expected.items():
        assert list(found[name]) == [question.question_id for question in tiny_questions]
        assert list(found[name].values()) == search.search(texts, 6), name
    assert found["before"] != found["after"]


def test_without_a_trained_pair_the_hybrid_is_of_the_base_one(
    place, make_settings, tiny_passages, tiny_questions, monkeypatch
):
    monkeypatch.chdir(place)
    settings = make_settings(True, ("rag",))
    found = evaluate._retrieve(settings, tiny_questions, tiny_passages)
    assert sorted(found) == ["before", "bm25", "hybrid"]
    assert ranking_read(settings, "before", found) == "hybrid"


class NotingAnswerer:
    """Notes what it is given to read."""

    def __init__(self) -> None:
        self.given: list[dict[str, list[Hit]]] = []
        self.journal = None

    def read(self, questions, hits, progress):
        self.given.append({question.question_id: hits[question.question_id] for question in questions})
        return [Answered(question.question_id, (-1.0, -2.0), (0.7, 0.3)) for question in questions]


@pytest.mark.parametrize(
    ("hybrid", "read"),
    [(False, {"rag": "before", "jmlr": "after"}), (True, {"rag": "hybrid_before", "jmlr": "hybrid"})],
)
def test_each_arm_reads_its_own_ranking(make_settings, monkeypatch, tmp_path, hybrid, read):
    questions = [
        Question("q1", "?", ("yes", "no"), 0, "test", gold_passage_ids=("p9",)),
        Question("q2", "?", ("yes", "no"), 0, "test"),
    ]
    names = ("before", "after", "bm25", "hybrid", *(["hybrid_before"] if hybrid else []))
    hits = {name: {q.question_id: [Hit(name, 1.0)] for q in questions} for name in names}
    noting = NotingAnswerer()
    monkeypatch.setattr(Answerer, "load_reader", lambda *given: noting)
    settings = make_settings(hybrid)
    asked = settings.evaluate.model_copy(update={"option_orders": False, "strict_text": False, "evidence": False})
    session = Session(settings.model_copy(update={"evaluate": asked}), questions, [], [], tmp_path)
    evaluate._read(session, hits)
    gold = {"q1": [Hit("p9", 0.0)]}
    controls = ["jmlr_gold", "jmlr_shuffled", "jmlr_bm25"]
    assert list(session.readings.answered) == ["closed_book", "rag", "rag_gold", "jmlr", *controls]
    own = hits[read["jmlr"]]
    another = {"q1": own["q2"], "q2": own["q1"]}
    assert noting.given == [{"q1": [], "q2": []}, hits[read["rag"]], gold, own, gold, another, hits["bm25"]]


@pytest.mark.parametrize(("hybrid", "kind"), [(False, Searcher), (True, Hybrid)])
def test_settings_choose_the_search(place, make_settings, tiny_passages, monkeypatch, hybrid, kind):
    monkeypatch.chdir(place)
    settings = make_settings(hybrid)
    found = answerer.load_search(layout.BASE_RETRIEVER, layout.INDEX, tiny_passages, settings)
    assert type(found) is kind
    assert type(answerer.load_searcher(layout.BASE_RETRIEVER, layout.INDEX, tiny_passages, settings)) is Searcher


def test_answers_are_kept_whatever_is_only_measured(make_settings, tmp_path):
    settings = make_settings(False)

    def folder(**changes) -> Path:
        changed = settings.model_copy(update={"evaluate": settings.evaluate.model_copy(update=changes)})
        return evaluation_files.answers_folder(tmp_path, changed, ["hash of the reader"], [])

    assert folder(bootstrap_samples=999, confidence=0.9, recall_at=(3,), abstain_for=0.5) == folder()
    assert folder(splits=("dev",)) != folder() != folder(seed=99)
