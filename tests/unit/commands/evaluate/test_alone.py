"""A version and a plain reader on the current questions: the same files as build/evaluate, in a folder of their own."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from mlflow import MlflowClient

from jmlr.answering.answerer import Answerer
from jmlr.commands.evaluate import compare, reader
from jmlr.commands.evaluate import version as evaluate_version
from jmlr.data.tables import read_questions, write_passages, write_questions
from jmlr.errors import ConfigError, FingerprintMismatch, MissingResource, UntrustedModel
from jmlr.files import write_json
from jmlr.index.build import build
from jmlr.registry.version.lookup import Version
from jmlr.registry.version.pair import Pair
from jmlr.settings import Settings, params
from jmlr.stages import evaluate, layout
from jmlr.tracking.run import RunReference, TrainingRun
from jmlr.types import Question

FILES = [
    "claim_card.md", "evaluated.json", "evidence.parquet", "metrics.json", "plots", "predictions.parquet",
    "protocol.json", "report.html", "subgroups.json",
]  # fmt: skip


@pytest.fixture(scope="module")
def made(
    tmp_path_factory, save_tiny_colbert, tiny_passages, tiny_index_settings, make_tiny_reader, tiny_tokenizer
) -> Path:
    """A folder with a trained pair where the pipeline puts it; copied by each test."""
    place = tmp_path_factory.mktemp("made")
    shutil.copytree(
        save_tiny_colbert(tmp_path_factory.mktemp("c") / "retriever", seed=8), place / layout.TRAINED_RETRIEVER
    )
    settings = tiny_index_settings.model_copy(update={"bits": 2})
    build(place / layout.TRAINED_RETRIEVER, tiny_passages, settings, place / layout.TRAINED_INDEX, seed=1)
    make_tiny_reader().save_pretrained(place / layout.TRAINED_READER)
    tiny_tokenizer.save_pretrained(place / layout.TRAINED_READER)
    return place


@pytest.fixture
def place(made: Path, tmp_path: Path, tiny_passages, tiny_questions, monkeypatch) -> Path:
    shutil.copytree(made, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    layout.INGEST.mkdir()
    write_passages(layout.PASSAGES, tiny_passages)
    write_questions(layout.QUESTIONS, [_asked(one, number) for number, one in enumerate(tiny_questions)])
    return tmp_path / "here"


def _asked(question: Question, number: int) -> Question:
    split = ("test", "test", "dev")[number % 3]
    return dataclasses.replace(question, split=split, gold_passage_ids=(f"p{number:02d}",), question_type="dose")


@pytest.fixture
def settings(repository: Path, tiny_index_settings, prompt_settings) -> Settings:
    found = params.load(repository / "params.yaml")
    index = tiny_index_settings.model_copy(update={"bits": 2})
    evaluate = found.evaluate.model_copy(update={"bootstrap_samples": 100, "splits": ("test",)})
    train = found.train.model_copy(update={"sampling": found.train.sampling.model_copy(update={"passages": 4})})
    ingest = found.ingest.model_copy(update={"passage_tokens": 20, "overlap_tokens": 5})
    changes = {"ingest": ingest, "index": index, "prompt": prompt_settings, "train": train, "evaluate": evaluate}
    return found.model_copy(update=changes)


@pytest.fixture
def version(place: Path, settings: Settings, monkeypatch) -> Callable[..., Path]:
    """Puts the pair, with a params.yaml that keyword arguments change, where the registry's version 3 is found."""

    def put(**blocks: dict) -> Path:
        raw = settings.model_dump(mode="json", by_alias=True)
        for name, changes in blocks.items():
            raw[name] = {**raw[name], **changes}
        (place / "version.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
        pair = Pair(
            *(layout.TRAINED_RETRIEVER, layout.TRAINED_READER, layout.TRAINED_INDEX, layout.PASSAGES),
            place / "version.yaml",
        )
        registered = Version(3, "run", {"git_commit": "abc", "data_dvc_hash": "def"}, "jmlr")
        monkeypatch.setattr(evaluate_version, "connect", lambda: None)
        monkeypatch.setattr(evaluate_version, "resolve", lambda client, name, spec: registered)
        monkeypatch.setattr(evaluate_version, "files", lambda client, version: SimpleNamespace(pair=pair))
        return place / "version.yaml"

    return put


def pair_of(params: Path) -> Pair:
    return Pair(layout.TRAINED_RETRIEVER, layout.TRAINED_READER, layout.TRAINED_INDEX, layout.PASSAGES, params)


def read(folder: Path, name: str) -> dict:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def test_a_version_is_evaluated_with_its_own_prompt_on_the_current_questions(place, settings, version, capsys):
    version(prompt={"question_tokens": 20}, evaluate={"seed": 9})
    evaluate_version.run(settings, "3")
    folder = layout.EVALUATIONS / "version-3"
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert [path.name for path in layout.EVALUATIONS.iterdir()] == ["version-3"]
    assert not layout.EVALUATE.exists()
    protocol = read(folder, "protocol.json")
    assert (protocol["prompt"]["question_tokens"], protocol["seed"], protocol["item_count"]) == (20, 1, 8)
    metrics = read(folder, "metrics.json")
    assert list(metrics["test"]["accuracy"]) == ["jmlr", "jmlr_gold", "jmlr_bm25", "jmlr_shuffled"]
    assert list(metrics["test"]["retrieval"]) == ["after", "bm25", "hybrid"]
    assert list(metrics["test"]["retrieval_by_type"]) == ["dose"]
    told = read(folder, "evaluated.json")
    assert (told["model"], told["trained_with_git_commit"], len(told["protocol_hash"])) == ("models:/jmlr/3", "abc", 64)
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "<strong>models:/jmlr/3</strong>, by itself" in report
    assert 'href="../../validate/data_docs/index.html"' in report
    shown = capsys.readouterr().out
    assert "was trained on other data" in " ".join(shown.split())
    assert "jmlr compare build/evaluate build/evaluations/version-3" in " ".join(shown.split())


def test_two_evaluations_under_one_protocol_are_compared(place, settings, version, capsys):
    version()
    first, second = layout.EVALUATIONS / "a", layout.EVALUATIONS / "b"
    evaluate_version.evaluate_version(settings, "3", first)
    reader.run(settings, str(layout.TRAINED_READER), name="b")
    capsys.readouterr()
    compare.run(settings, [first, second])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert any("Reader" in row and "as" in row and "-" in row for row in rows)
    version(prompt={"question_tokens": 20})
    evaluate_version.evaluate_version(settings, "3", first)
    with pytest.raises(Exception, match="question_tokens 20 and 32"):
        compare.run(settings, [first, second])


@pytest.fixture
def trained(place, settings, tiny_retriever_folder, tiny_passages, mlflow_store, monkeypatch) -> Settings:
    """A finished training with its MLflow run; the settings name the joint arm alone."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_store)
    shutil.copytree(tiny_retriever_folder, layout.BASE_RETRIEVER)
    build(layout.BASE_RETRIEVER, tiny_passages, settings.index, layout.INDEX, seed=1)
    TrainingRun.start("exam", {}).reference.write(layout.RUN)
    write_json(layout.LEDGER, {"device": "cpu", "device_hours": 0.25, "jmlr": {"seconds": 900.0}})
    curve = [{"arm": "jmlr", "step": step, "name": "reader_loss", "value": 1.0 / step} for step in (1, 2, 3)]
    pq.write_table(pa.Table.from_pylist(curve), layout.HISTORY)
    layout.DATA_DOCS.mkdir(parents=True)
    (layout.DATA_DOCS / "index.html").write_text("checked", encoding="utf-8")
    return settings.model_copy(update={"train": settings.train.model_copy(update={"arms": ("jmlr",)})})


def test_a_version_of_the_trained_pair_gives_the_figures_of_the_stage(trained, version, mlflow_store):
    evaluate.run(trained)
    files = sorted(path.name for path in layout.EVALUATE.iterdir())
    assert files == [name for name in FILES if name != "evaluated.json"]
    assert not layout.JOURNALS.exists()
    version()
    evaluate_version.evaluate_version(trained, "3", layout.EVALUATIONS / "version-3")
    stage, alone = (read(folder, "metrics.json") for folder in (layout.EVALUATE, layout.EVALUATIONS / "version-3"))
    for block in ("accuracy", "confidence", "evidence", "reading"):
        assert stage["test"][block] == alone["test"][block]
    assert stage["test"]["retrieval"]["after"] == alone["test"]["retrieval"]["after"]
    assert list(stage["test"]["retrieval_by_type"]["dose"]) == ["small", "before", "after"]
    protocols = [read(folder, "protocol.json") for folder in (layout.EVALUATE, layout.EVALUATIONS / "version-3")]
    assert protocols[0] == protocols[1]
    told = read(layout.EVALUATIONS / "version-3", "evaluated.json")
    page = layout.REPORT.read_text(encoding="utf-8")
    assert told["protocol_hash"] in page
    assert 'href="../validate/data_docs/index.html"' in page
    run = MlflowClient(mlflow_store).get_run(RunReference.read(layout.RUN).run_id)
    assert run.data.metrics["test/accuracy/jmlr/value"] == stage["test"]["accuracy"]["jmlr"]["value"]
    assert "test/retrieval_by_type/dose/after/mrr" in run.data.metrics


def test_a_version_whose_index_is_not_its_retrievers_is_refused(place, settings, version, tiny_retriever_folder):
    version()
    shutil.rmtree(layout.TRAINED_RETRIEVER)
    shutil.copytree(tiny_retriever_folder, layout.TRAINED_RETRIEVER)
    with pytest.raises(FingerprintMismatch, match="retriever"):
        evaluate_version.evaluate_version(settings, "3", layout.EVALUATIONS / "version-3")
    assert not layout.EVALUATIONS.exists()


def test_an_evaluation_that_was_cut_off_goes_on(place, settings, version, monkeypatch):
    version()
    settings = settings.model_copy(
        update={"evaluate": settings.evaluate.model_copy(update={"questions_per_batch": 4, "strict_text": False})}
    )
    read_batch, given = Answerer._read_batch, []

    def failing(self, questions, hits):
        given.append([question.question_id for question in questions])
        if len(given) == 2:
            raise KeyboardInterrupt
        return read_batch(self, questions, hits)

    monkeypatch.setattr(Answerer, "_read_batch", failing)
    with pytest.raises(KeyboardInterrupt):
        evaluate_version.evaluate_version(settings, "3", layout.EVALUATIONS / "version-3")
    assert not (layout.EVALUATIONS / "version-3").exists()
    evaluate_version.evaluate_version(settings, "3", layout.EVALUATIONS / "version-3")
    assert given[2] == given[1], "the second batch again, not the first"
    assert [path.name for path in layout.EVALUATIONS.iterdir()] == ["version-3"]


def test_gold_passages_that_a_version_does_not_hold_are_misses_and_not_read(place, settings, version, capsys):
    version()
    questions = [
        Question("q1", "gout?", ("yes", "no"), 0, "test", gold_passage_ids=("new passage",)),
        Question("q2", "fever?", ("yes", "no"), 1, "test", gold_passage_ids=("p01",)),
    ]
    write_questions(layout.QUESTIONS, questions)
    metrics = evaluate_version.evaluate_version(settings, "3", layout.EVALUATIONS / "version-3")
    assert "jmlr_gold" not in metrics["test"]["accuracy"]
    assert metrics["test"]["retrieval"]["after"]["questions"] == 2
    assert metrics["test"]["retrieval"]["after"]["success_at_30"] <= 0.5
    assert "1 gold passages of the questions are not among its passages" in " ".join(capsys.readouterr().out.split())


def test_a_reader_as_it_comes_reads_what_the_trained_retriever_finds(place, settings):
    reader.run(settings, str(layout.TRAINED_READER), name="plain")
    folder = layout.EVALUATIONS / "plain"
    metrics = read(folder, "metrics.json")
    assert list(metrics["test"]["accuracy"]) == ["untrained", "untrained_gold"]
    assert list(metrics["test"]["confidence"]) == ["untrained"]
    assert read(folder, "evaluated.json")["reader"] == "build/train/reader"
    rows = pq.read_table(folder / "predictions.parquet").to_pylist()
    assert {len(row["read_passage_ids"]) for row in rows if row["arm"] == "untrained"} == {2}
    assert sorted(path.name for path in folder.iterdir()) == FILES


def test_rationales_that_were_asked_for_are_measured_and_shown(place, settings, tiny_passages):
    # A title that the text opens with leaves what is indexed as it is.
    write_passages(layout.PASSAGES, [dataclasses.replace(one, title=one.text.split()[0]) for one in tiny_passages])
    asked = [dataclasses.replace(one, rationale=one.text) for one in read_questions(layout.QUESTIONS)]
    write_questions(layout.QUESTIONS, asked)
    evaluate = settings.evaluate.model_copy(update={"rationale_tokens": 6})
    reader.run(settings.model_copy(update={"evaluate": evaluate}), str(layout.TRAINED_READER), name="plain")
    folder = layout.EVALUATIONS / "plain"
    found = read(folder, "metrics.json")["test"]["rationales"]
    assert found["arms"]["untrained"]["rationales"] == 8
    assert found["made_by"]["concepts"]["extractor"] == "titles"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Rationales that were written" in page
    assert "Written by untrained" in page


def test_a_hub_model_needs_a_revision_and_a_hub(place, settings):
    with pytest.raises(ConfigError, match="--reader someone/llama: no such folder, and a hub model without a revision"):
        reader.run(settings, "someone/llama")
    with pytest.raises(MissingResource, match="the reader someone/llama at 0123 cannot be fetched"):
        reader.run(settings, "someone/llama", "0123")


def test_a_reader_that_brings_code_is_refused(place, settings):
    file = layout.TRAINED_READER / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "auto_map": {"AutoModelForCausalLM": "evil.Reader"}}))
    with pytest.raises(UntrustedModel, match="asks for code of its own"):
        reader.run(settings, str(layout.TRAINED_READER))
    assert not (layout.EVALUATIONS / "reader").exists()


@pytest.mark.parametrize("name", ["../evaluate", "a/b", ".hidden", "a b"])
def test_a_name_that_leads_elsewhere_is_refused(place, settings, name):
    with pytest.raises(ConfigError, match="expected letters, digits, dots"):
        reader.run(settings, str(layout.TRAINED_READER), name=name)


def test_a_versions_settings_are_its_own_where_they_say_how_it_answers(settings, version):
    file = version(
        prompt={"options": "shown"},
        train={"read_passages": 1},
        index={"candidates": 4},
        evaluate={"seed": 9, "gone": 3},
    )
    found = pair_of(file).settings(settings)
    assert (found.prompt.options, found.train.read_passages, found.index.candidates) == ("shown", 1, 4)
    assert found.evaluate == settings.evaluate
    assert found.track == settings.track
    assert pair_of(file).settings().prompt == found.prompt


def test_a_version_whose_prompt_this_code_does_not_know_is_refused(settings, version):
    for current in (settings, None):
        with pytest.raises(ConfigError, match=r"(?s)prompt\.colour.*git_commit"):
            pair_of(version(prompt={"colour": "red"})).settings(current)
