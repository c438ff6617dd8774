"""A registry whose champion release 1 registered, in the hands of today's code. make_release_1.py made it."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from jmlr.commands.evaluate import version as evaluate_version
from jmlr.commands.registry import export, restore, show
from jmlr.commands.serve import predict
from jmlr.registry.promotion.champion import Judged, Registry
from jmlr.registry.promotion.promotion import fault_of, judge
from jmlr.registry.version import record
from jmlr.registry.version.lookup import Version, files, resolve
from jmlr.registry.version.pair import Pair
from jmlr.registry.withdrawal.versions import withdrawn_passages
from jmlr.serving.loading import load_version
from jmlr.settings import Settings, params
from jmlr.settings.params import OWN
from jmlr.tracking.store import connect
from jmlr.types import Question

ARCHIVE = Path(__file__).with_name("release_1.tar.xz")
OPTIONS = {"controls": (), "bootstrap_samples": 100}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, in another folder than the one that its store has written down."""
    place = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(ARCHIVE) as packed:
        packed.extractall(place, filter="data")
    return place / "release_1"


@pytest.fixture
def settings(unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The project's own params.yaml, as today's code reads it; the project is the working folder."""
    monkeypatch.chdir(unpacked)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{unpacked}/mlflow.db")
    monkeypatch.delenv("RANK", raising=False)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    return params.load()


@pytest.fixture
def client(settings: Settings) -> MlflowClient:
    return connect()


def expected() -> list[dict]:
    """What release 1 answered to questions.parquet."""
    return pd.read_parquet("expected.parquet").to_dict("records")


def test_whoever_asks_gets_the_same_settings_of_the_version(settings: Settings, client: MlflowClient) -> None:
    pair = files(client, resolve(client, "jmlr", "@champion")).pair
    assert "settings_version" not in yaml.safe_load(pair.params.read_text())
    whole, alone, beside = params.load(pair.params), pair.settings(), pair.settings(settings)
    for name in OWN:
        assert getattr(whole, name) == getattr(alone, name) == getattr(beside, name)
    assert (beside.serve, beside.evaluate) == (settings.serve, settings.evaluate)


def test_it_answers_a_table_as_it_did(settings: Settings, tmp_path: Path) -> None:
    predict.run(settings, Path("questions.parquet"), tmp_path / "said.parquet", "@champion")
    for now, then in zip(pd.read_parquet(tmp_path / "said.parquet").to_dict("records"), expected(), strict=True):
        assert now["option_probabilities"] == pytest.approx(then["option_probabilities"], rel=1e-4)
        assert [one["passage_id"] for one in now["passages"]] == [one["passage_id"] for one in then["passages"]]
        assert (now["answer"], now["abstained"], now["model"]) == (then["answer"], then["abstained"], then["model"])


def test_it_is_served_as_it_answered(settings: Settings) -> None:
    served, then = load_version("@champion", settings), expected()[0]
    assert (served.label.version, served.label.pair_hash) == ("1", then["model"]["pair_hash"])
    [found] = served.answerer.answer([Question("q", then["question"], tuple(then["options"]), 0, "test")])
    assert found.option_probabilities == pytest.approx(then["option_probabilities"], rel=1e-4)


def test_it_is_evaluated_as_it_was(settings: Settings, client: MlflowClient, tmp_path: Path) -> None:
    then = record.fetch(client, resolve(client, "jmlr", "1")).metrics()
    short = settings.model_copy(update={"evaluate": settings.evaluate.model_copy(update=OPTIONS)})
    now = evaluate_version.evaluate_version(short, "1", tmp_path / "evaluation")
    assert now["test"]["accuracy"]["jmlr"]["value"] == then["test"]["accuracy"]["jmlr"]["value"]  # type: ignore[index]


def test_it_passes_the_gates_is_promoted_against_and_comes_back(settings: Settings, client: MlflowClient) -> None:
    champion = resolve(client, "jmlr", "@champion")
    carried = record.fetch(client, champion)
    challenger = Version.of(client.create_model_version("jmlr", champion.source, champion.run_id, dict(champion.tags)))
    kept = {"evaluation": carried.evaluation, "validation": carried.validation}
    record.keep(client, challenger, {name: sorted(found.iterdir()) for name, found in kept.items() if found})
    registry = Registry(client, "jmlr")
    versions = resolve(client, "jmlr", str(challenger.number)), champion
    gates = judge(settings, registry, versions, lambda *_: pytest.fail("evaluated again"), withdrawn_passages)
    failed = {gate.name: gate.detail for gate in gates if not gate.passed}
    assert failed == {}
    assert registry.promote(Judged(1, challenger.number, tuple(gates)), False)[0] == "promoted"
    assert registry.roll_back(None) == (challenger.number, 1)


def test_it_is_exported(settings: Settings, client: MlflowClient, tmp_path: Path) -> None:
    export.run(settings, tmp_path / "out", "1")
    pair = files(client, resolve(client, "jmlr", "1")).pair
    for place, source in ((tmp_path / "out", pair.reader), (tmp_path / "out" / "ir", pair.retriever)):
        assert (place / "model.safetensors").read_bytes() == (source / "model.safetensors").read_bytes()


def test_it_is_shown_and_restored(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show.run(settings, "@champion")
    assert "restore: jmlr restore 1 FOLDER" in capsys.readouterr().out
    restore.run(settings, "1", tmp_path / "back")
    assert "the pair is the registered one, bit by bit" in " ".join(capsys.readouterr().out.split())


def test_a_changed_file_is_seen_by_the_rule_it_was_hashed_by(
    settings: Settings, client: MlflowClient, tmp_path: Path
) -> None:
    version = resolve(client, "jmlr", "1")
    shutil.copytree(files(client, version).pair.retriever.parent, tmp_path / "artifacts")
    pair = Pair(
        *(tmp_path / "artifacts" / name for name in ("retriever", "reader", "index", "passages.parquet", "params.yaml"))
    )
    assert fault_of(pair, version) == ""
    (pair.reader / "tokenizer.json").write_text("{}")
    assert "registered were" in fault_of(pair, version)
