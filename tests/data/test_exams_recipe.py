"""Recipe exams on the published files: every set goes through, and no test question is among those of training."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest

from jmlr.settings import recipes
from jmlr.settings import Settings
from jmlr.data.ingest import Places, ingest
from jmlr.data.runners import run_here
from jmlr.data.tables import read_leaks, read_questions
from jmlr.evaluation.groups.public_sets import PAPER_SETS, name_of
from jmlr.models.encoder import tokenizer_text

MIRAGE = {"MIRAGE medqa", "MIRAGE medmcqa", "MIRAGE mmlu", "MIRAGE pubmedqa"}


@pytest.fixture(scope="module")
def settings(repository) -> Settings:
    return recipes.load("exams", repository / "conf")


@pytest.fixture(scope="module")
def exams(settings, real_data, tmp_path_factory) -> SimpleNamespace:
    """What the recipe's ingest makes of the files, but for MedQuAD's passages, which take longest."""
    folder = tmp_path_factory.mktemp("exams")
    tables = ("passages.parquet", "questions.parquet", "leaks.parquet", "rejects.csv", "counts.json")
    places = Places(folder / "shards", *(folder / name for name in tables))
    sources = [source for source in settings.ingest.sources if source.format != "medquad"]
    wanted = settings.ingest.model_copy(update={"root": str(real_data), "sources": sources})
    counts = ingest(wanted, settings.seed, tokenizer_text(settings.base.retriever), places, run_here)
    return SimpleNamespace(counts=counts, questions=read_questions(places.questions), leaks=read_leaks(places.leaks))


def test_every_set_is_tested(settings, exams, repository, real_data):
    assert (repository / settings.ingest.root).resolve() == real_data.resolve()
    tested = Counter(name_of(question) for question in exams.questions if question.split == "test")
    assert set(tested) == {*PAPER_SETS, "PubMedQA", *MIRAGE} - {"AMBOSS"}
    assert min(tested.values()) >= 40
    subjects = {question.subject for question in exams.questions if question.source == "mmlu"}
    assert len(subjects) == 6


def test_training_has_questions_with_and_without_a_rationale(exams):
    training = [question for question in exams.questions if question.split == "train"]
    explained = Counter(name_of(question) for question in training if question.rationale)
    plain = Counter(name_of(question) for question in training if not question.rationale)
    assert set(explained) == {"PubMedQA"}
    assert set(plain) == {"MedMCQA"}  # in this copy of its dev file every `exp` is null
    assert min(*explained.values(), *plain.values()) > 100


def test_nothing_that_is_tested_trains(exams):
    def texts(*splits: str) -> set[str]:
        return {question.text.casefold() for question in exams.questions if question.split in splits}

    assert exams.leaks == []
    assert exams.counts["rejected_by_reason"]["also a test question"] >= 80
    assert not texts("train", "dev") & texts("test")
