"""A pair of a few bytes with an evaluation, and a stand-in for the answerer."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest
import yaml
from mlflow import MlflowClient

from jmlr import fingerprint
from jmlr.answering.answered import Answered
from jmlr.data.tables import write_passages, write_questions
from jmlr.registry.version.contents import Abstaining, Contents
from jmlr.registry.version.lookup import Version
from jmlr.registry.version.pair import Pair
from jmlr.registry.version.registering import NewVersion, register
from jmlr.settings import params
from jmlr.stages import layout
from jmlr.tracking.run import TrainingRun
from jmlr.types import Hit, Passage, Question

PASSAGES = (("p1", "Gout hurts.", "Gout"), ("p2", "Asthma.", ""))
PARAMS = Path(__file__).parents[3] / "params.yaml"


class FirstOption:
    """Stands for the answerer: the first option, with the only passage."""

    passages: ClassVar = {name: Passage(name, text, title) for name, text, title in PASSAGES}

    @classmethod
    def load(cls, retriever: Path, reader: Path, index: Path, passages: Path, settings: object) -> FirstOption:
        assert (retriever / "weights.bin").exists()
        assert (reader / "weights.bin").exists()
        assert (index / "generation-1-abc" / "manifest.json").exists()
        assert passages.exists()
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
    generation = tmp_path / "index" / "generation-1-abc"
    generation.mkdir(parents=True)
    (generation / "manifest.json").write_text("{}")
    (generation / "embeddings.npy").write_bytes(b"vectors")
    (tmp_path / "index" / "CURRENT").write_text("generation-1-abc\n")
    write_passages(tmp_path / "passages.parquet", list(FirstOption.passages.values()))
    shutil.copy(PARAMS, tmp_path)
    files = ("retriever", "reader", "index", "passages.parquet", "params.yaml")
    return Pair(*(tmp_path / name for name in files))


@pytest.fixture
def unit(pair: Pair, tmp_path: Path) -> Contents:
    """The pair with an evaluation that chose to abstain below 0.7."""
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "metrics.json").write_text("{}")
    (tmp_path / "evaluation" / "claim_card.md").write_text("# Claim card\n")
    return Contents(pair, tmp_path / "evaluation", Abstaining(1.0, 0.7, 0.95))


@pytest.fixture
def model_name(tmp_path: Path) -> str:
    """A registered model of the test's own."""
    return f"pair-{fingerprint.of_text(str(tmp_path))[:12]}"


@pytest.fixture
def enter(
    request: pytest.FixtureRequest, model_name: str, tracked: MlflowClient
) -> Callable[..., tuple[Version, bool]]:
    """Registers the unit, or another one, with tags."""
    run = TrainingRun.start("exam", {})

    def enter(other: Contents | None = None, **tags: str) -> tuple[Version, bool]:
        chosen = other or request.getfixturevalue("unit")
        return register(
            chosen, NewVersion(model_name, chosen.find_facts(run.run_id), tags, "# Model card\n", "In short.")
        )

    return enter


@pytest.fixture(scope="session")
def lora_project(
    tmp_path_factory: pytest.TempPathFactory, mlflow_store: str, make_train_settings, tiny_index_settings,
    prompt_settings, tiny_passages, tiny_questions, tiny_retriever_folder, make_tiny_reader, tiny_tokenizer,
) -> Path:  # fmt: skip
    """A project in which the stage train trained a tiny pair with adapters on its reader."""
    from jmlr.index import build, candidates
    from jmlr.stages import train

    raw = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    lora = {"rank": 2, "alpha": 4, "dropout": 0.0, "targets": ["q_proj", "v_proj"]}
    raw["train"] = make_train_settings(arms=["jmlr"], reader={"lora": lora}).model_dump(mode="json")
    raw["index"], raw["prompt"] = tiny_index_settings.model_dump(), prompt_settings.model_dump()
    raw["evaluate"]["recall_at"] = [1, 5]
    raw["ingest"] |= {"passage_tokens": tiny_index_settings.passage_tokens - 3, "overlap_tokens": 4}
    hits = [Hit(passage.passage_id, 1.0) for passage in tiny_passages[:6]]
    project = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.setenv("MLFLOW_TRACKING_URI", mlflow_store)
        patch.delenv("RANK", raising=False)
        Path("params.yaml").write_text(yaml.safe_dump(raw))
        layout.INGEST.mkdir(parents=True)
        write_passages(layout.PASSAGES, tiny_passages)
        write_questions(layout.QUESTIONS, tiny_questions)
        shutil.copytree(tiny_retriever_folder, layout.BASE_RETRIEVER)
        make_tiny_reader().save_pretrained(layout.BASE_READER)
        tiny_tokenizer.save_pretrained(layout.BASE_READER)
        build.build(layout.BASE_RETRIEVER, tiny_passages, tiny_index_settings, layout.INDEX, 1)
        candidates.write(layout.CANDIDATES, {question.question_id: hits for question in tiny_questions})
        train.run(params.load())
        layout.EVALUATE.mkdir()
        layout.METRICS.write_text("{}")
    return project


@pytest.fixture
def trained_with_lora(tracked: MlflowClient, lora_project: Path, tmp_path: Path) -> Contents:
    """The tiny pair in a project folder of the test's own."""
    shutil.copytree(lora_project, tmp_path, dirs_exist_ok=True)
    files = (layout.TRAINED_RETRIEVER, layout.TRAINED_READER, layout.TRAINED_INDEX, layout.PASSAGES)
    return Contents(Pair(*files, Path("params.yaml")), layout.EVALUATE, Abstaining(1.0, 0.3, 0.95))
