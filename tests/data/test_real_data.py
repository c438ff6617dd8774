"""The public data sets, in the form their authors publish: every one loads, with these counts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import yaml

from jmlr.settings import BaseRetrieverSettings, IngestSettings
from jmlr.data.ingest import Places, ingest
from jmlr.data.runners import run_here
from jmlr.data.tables import read_passages, read_questions
from jmlr.models.encoder import tokenizer_text


@pytest.fixture(scope="module")
def tokenizer() -> str:
    return tokenizer_text(BaseRetrieverSettings(source="minilm", revision=None, dimension=128))


@pytest.fixture(scope="module")
def ingested(real_data, repository, tokenizer, tmp_path_factory):
    """Ingests a data set by the defaults, keyword arguments replaced, and reads back what was written."""
    defaults = yaml.safe_load((repository / "conf" / "config.yaml").read_text())["ingest"]

    def run(*names: str, **changes):
        sources = [{"path": name, "format": name, "licence": "see README"} for name in names]
        values = {"root": str(real_data), "sources": sources, "passage_tokens": 125, **changes}
        folder = tmp_path_factory.mktemp("ingest")
        tables = ("passages.parquet", "questions.parquet", "leaks.parquet", "rejects.csv", "counts.json")
        places = Places(folder / "shards", *(folder / name for name in tables))
        counts = ingest(IngestSettings.model_validate({**defaults, **values}), 1, tokenizer, places, run_here)
        return SimpleNamespace(
            counts=counts, passages=read_passages(places.passages), questions=read_questions(places.questions)
        )

    return run


@pytest.mark.parametrize(
    ("name", "by_split", "rejected"),
    [
        ("pubmedqa", {"train": 450, "dev": 50, "test": 500}, {"says the same as another passage": 11, "file of another kind": 1}),
        ("medqa", {"test": 400}, {}),
        ("medmcqa", {"dev": 597}, {"duplicated options": 3}),
        ("mmlu", {"test": 543}, {}),
        ("mirage", {"test": 479}, {"duplicated options": 1}),
    ],
)
def test_data_set_loads_whole(ingested, name, by_split, rejected):
    found = ingested(name).counts
    assert found["questions_by_split"] == by_split
    assert found["rejected_by_reason"] == rejected


def test_explained_questions_have_rationale_subject_and_kind(ingested):
    found = ingested(sources=[{"path": "medmcqa_explained", "format": "medmcqa", "licence": "MIT"}])
    assert found.counts["rejected_by_reason"] == {"duplicated options": 7, "file of another kind": 1}
    assert all(question.rationale and question.subject for question in found.questions)
    assert {question.question_type for question in found.questions} == {"single", "multi"}


@pytest.fixture(scope="module")
def medquad(ingested):
    return ingested("medquad")


def test_medquad_accounts_for_each_of_its_pairs(medquad):
    found = dict(medquad.counts["rejected_by_reason"])
    assert found.pop("says the same as another passage") < 1000
    assert found.pop("file without question-answer pairs") == 6
    assert found.pop("file of another kind") == 2  # the licence and the readme
    assert found["answer missing"] == 201  # 11_MPlusDrugs, removed by the authors
    pairs = 4808 + 16  # QAPair elements, and the `pair` elements of four NINDS files
    assert len(medquad.questions) + sum(found.values()) == pairs
    assert len(medquad.questions) > 4400


def test_medquad_questions_are_sound(medquad):
    texts = {passage.passage_id: passage.text for passage in medquad.passages}
    splits: dict[str, set[str]] = {}
    for question in medquad.questions:
        assert len({option.casefold() for option in question.options}) == 4
        assert question.gold_passage_ids
        assert all(gold_id in texts for gold_id in question.gold_passage_ids)
        splits.setdefault(question.subject.casefold(), set()).add(question.split)
    assert all(len(found) == 1 for found in splits.values())
    located = [any(q.answer in texts[gold_id] for gold_id in q.gold_passage_ids) for q in medquad.questions]
    assert sum(located) / len(located) > 0.99


def test_all_data_sets_together_have_ids_of_their_own_and_mirage_repeats_some(ingested):
    found = ingested("pubmedqa", "medqa", "medmcqa", "mmlu", "mirage").counts
    assert found["questions"] == 1000 + 400 + 597 + 543 + 479


@pytest.mark.parametrize("recipe", ["pubmedqa", "medquad"])
def test_recipe_reads_its_data(ingested, real_data, repository, recipe):
    block = yaml.safe_load((repository / "conf" / "recipe" / f"{recipe}.yaml").read_text())["ingest"]
    assert (repository / block["root"]).resolve() == (real_data / recipe).resolve()
    found = ingested(**{**block, "root": str(real_data / recipe)}).counts
    assert found["questions"] == found["questions_with_gold"] == (block.get("max_questions") or 1000)
    assert found["questions_by_split"]["train"] >= 300
    assert found["questions_by_split"]["test"] >= 100
