"""The gates over records that versions carry; the pair's files and the clock are stood in for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from jmlr import fingerprint
from jmlr.commands.registry import audit, promote, rollback
from jmlr.commands.registry.promote import Asked
from jmlr.errors import FingerprintMismatch, GateFailed, MissingResource, RegistryError, WaitingForApproval
from jmlr.files import write_json
from jmlr.registry.promotion import promotion
from jmlr.registry.promotion.champion import Registry
from jmlr.registry.version import record
from jmlr.registry.version.lookup import Version
from jmlr.registry.version.pair import Pair
from jmlr.settings import Settings, params
from jmlr.stages import layout
from jmlr.tracking.run import TrainingRun

PARAMS = Path(__file__).parents[4] / "params.yaml"
REPORT = {
    "success": True,
    "expectations": 2,
    "critical_failures": 0,
    "warnings": 0,
    "outcomes": [{"name": f"test_not_in_{what}", "unexpected_count": 0} for what in ("train", "passages")],
}
QUESTIONS = 60


def test_files_that_are_not_the_registered_ones_or_do_not_belong_together_are_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("retriever", "reader", "index", "index/generation-1-a/plaid"):
        (tmp_path / name).mkdir(parents=True)
    parts = ("retriever/w", "reader/tokenizer.json", "index/generation-1-a/embeddings.npy", "passages.parquet")
    parts += ("index/generation-1-a/plaid/0.codes.pt", "index/generation-1-a/manifest.json", "params.yaml")
    for name in parts:
        (tmp_path / name).write_text("train: {read_passages: 1}")
    (tmp_path / "index" / "CURRENT").write_text("generation-1-a")
    pair = Pair(*[tmp_path / name for name in ("retriever", "reader", "index", "passages.parquet", "params.yaml")])
    version = SimpleNamespace(tags={"pair_hash": pair.pair_hash(), "pair_hash_rule": "2"})
    monkeypatch.setattr(promotion, "read_passages", lambda _: [])
    monkeypatch.setattr(promotion.manifest, "check", lambda *_: None)
    assert promotion.fault_of(pair, version) == ""  # type: ignore[arg-type]
    (tmp_path / "params.yaml").write_text("# a comment decides nothing\ntrain: {read_passages: 1, steps: 9}")
    assert promotion.fault_of(pair, version) == ""  # type: ignore[arg-type]
    for name in parts:
        before = (tmp_path / name).read_text()
        (tmp_path / name).write_text("train: {read_passages: 2}")
        assert "registered were" in promotion.fault_of(pair, version), name  # type: ignore[arg-type]
        (tmp_path / name).write_text(before)
    later = SimpleNamespace(tags={**version.tags, "pair_hash_rule": "3"})
    assert promotion.fault_of(pair, later) == "hashed by rule 3"  # type: ignore[arg-type]

    def refuse(*_: object) -> None:
        raise FingerprintMismatch("retriever: abc and def")

    monkeypatch.setattr(promotion.manifest, "check", refuse)
    assert promotion.fault_of(pair, version) == "retriever: abc and def"  # type: ignore[arg-type]


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Settings]:
    def make(**changes: object) -> Settings:
        raw = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
        raw["promote"].update(changes)
        raw["track"]["registered_model"] = "".join(one if one.isalnum() else "-" for one in request.node.name)
        return params.parse(raw)

    return make


def write_evaluation(folder: Path, right: int, items: str = "one", layout_of_prompt: str = "passages_first") -> Path:
    """An evaluation that answers the first `right` of the questions right."""
    protocol = {"prompt": {"layout": layout_of_prompt}, "items_hash": items, "item_count": QUESTIONS, "seed": 1}
    write_json(folder / "protocol.json", protocol)
    write_json(folder / "metrics.json", {})
    rows = [
        {
            "question_id": f"{items}{number:02d}", "arm": "jmlr", "split": "test", "subject": "", "question_type": "",
            "text": "A 50-year-old man coughs.", "options": ["a", "b"], "correct": number < right,
        }
        for number in range(QUESTIONS)
    ]  # fmt: skip
    pd.DataFrame(rows).to_parquet(folder / "predictions.parquet")
    return folder


@pytest.fixture
def add_version(
    tracked: MlflowClient, tmp_path: Path, settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """Registers a version of nothing with its record, as challenger; gives its number."""
    model = settings().track.registered_model
    (tmp_path / "weights").write_bytes(b"0" * 1000)
    nothing = Pair(*[tmp_path / "weights"] * 5)
    monkeypatch.setattr(promotion, "files", lambda *_: SimpleNamespace(pair=nothing))
    monkeypatch.setattr(promotion, "fault_of", lambda *_: "")
    monkeypatch.setattr(promotion, "_p50_seconds", lambda *_: 0.25)
    tracked.create_registered_model(model)

    def add(right: int, **changes: str) -> int:
        run = TrainingRun.start("exam", {})
        number = len(tracked.search_model_versions(f"name = '{model}'")) + 1
        evaluation = write_evaluation(tmp_path / f"evaluation_{number}", right, **changes)
        protocol = json.loads((evaluation / "protocol.json").read_text())
        tags = {"protocol_hash": fingerprint.of_json(protocol)}
        version = tracked.create_model_version(model, str(tmp_path), run_id=run.run_id, tags=tags)
        write_json(tmp_path / "report.json", REPORT)
        write_json(tmp_path / "counts.json", {"questions": 100})
        validation = [tmp_path / "report.json", tmp_path / "counts.json"]
        kept = {"evaluation": sorted(evaluation.iterdir()), "validation": validation}
        record.keep(tracked, Version.of(version), kept)
        tracked.set_registered_model_alias(model, "challenger", version.version)
        return int(version.version)

    return add


def judgement() -> dict[str, object]:
    found: dict[str, object] = json.loads(layout.GATES.read_text(encoding="utf-8"))
    return found


def failed() -> list[str]:
    return [gate["name"] for gate in judgement()["gates"] if not gate["passed"]]  # type: ignore[attr-defined]


def test_the_life_of_two_versions(
    add_version: Callable[..., int],
    settings: Callable[..., Settings],
    tracked: MlflowClient,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chosen = settings()
    registry = Registry(tracked, chosen.track.registered_model)
    add_version(right=30)
    promote.run(chosen, Asked(dry_run=True))
    assert (judgement()["outcome"], registry.champion()) == ("dry_run", None)
    promote.run(chosen, Asked())
    assert (judgement()["outcome"], registry.champion()) == ("promoted", 1)
    assert len(judgement()["gates"]) == 11  # type: ignore[arg-type]
    add_version(right=20)
    with pytest.raises(
        GateFailed, match=r"(?s)version 2 does not pass: accuracy, helped, subgroups.*stays 1"
    ) as caught:
        promote.run(chosen, Asked())
    assert caught.value.exit_status == 3
    assert (judgement()["outcome"], judgement()["from"], judgement()["to"]) == ("kept", 1, 2)
    add_version(right=45)
    promote.run(chosen, Asked())
    promote.run(chosen, Asked())
    assert (judgement()["outcome"], registry.champion()) == ("kept", 3)
    rollback.run(chosen, None, "wrong doses")
    assert registry.champion() == 1
    with pytest.raises(GateFailed, match="version 3 does not pass: service"):
        promote.run(chosen, Asked())
    assert "wrong doses" in judgement()["gates"][-1]["detail"]  # type: ignore[index]
    promote.run(chosen, Asked(version=3))
    rollback.run(chosen, 1, "wrong doses still")
    capsys.readouterr()
    audit.run(chosen, as_json=False)
    printed = " ".join(capsys.readouterr().out.split())
    for told in ("promoted", "kept", "accuracy,", "rolled back", "wrong doses", "champion 1"):
        assert told in printed


def test_a_person_approves_where_that_is_asked_for(
    add_version: Callable[..., int], settings: Callable[..., Settings], tracked: MlflowClient
) -> None:
    chosen = settings(needs_approval=True)
    registry = Registry(tracked, chosen.track.registered_model)
    add_version(right=30)
    with pytest.raises(RegistryError, match="no promotion of it waits for approval"):
        promote.run(chosen, Asked(approve=True))
    with pytest.raises(WaitingForApproval, match=r"(?s)waits for approval.*jmlr promote --approve") as caught:
        promote.run(chosen, Asked())
    assert (caught.value.exit_status, judgement()["outcome"], registry.champion()) == (4, "waiting", None)
    promote.run(chosen, Asked(approve=True))
    assert registry.champion() == 1


def test_a_champion_from_before_the_test_data_changed_is_evaluated_again(
    add_version: Callable[..., int], settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings()
    add_version(right=30)
    promote.run(chosen, Asked())
    add_version(right=40, items="two")
    asked = []

    def evaluate(_: Settings, version: str, folder: Path) -> object:
        asked.append((version, folder))
        write_evaluation(folder, right=35, items="two")
        protocol = json.loads((folder / "protocol.json").read_text())
        write_json(folder / "evaluated.json", {"pair_hash": None, "protocol_hash": fingerprint.of_json(protocol)})
        return folder

    monkeypatch.setattr(promote, "evaluate_version", evaluate)
    promote.run(chosen, Asked(dry_run=True))
    promote.run(chosen, Asked())
    assert asked == [("1", layout.EVALUATIONS / "gates-version-1")]
    by_name = {gate["name"]: gate for gate in judgement()["gates"]}  # type: ignore[attr-defined]
    assert by_name["protocol"]["detail"] == "champion version 1 evaluated on the challenger's questions"
    assert by_name["helped"]["figure"] == 5


def test_a_champion_that_cannot_be_evaluated_on_the_same_questions_is_not_compared(
    add_version: Callable[..., int], settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_version(right=30)
    promote.run(settings(), Asked())
    add_version(right=40, items="two")
    monkeypatch.setattr(promote, "evaluate_version", lambda _, __, folder: write_evaluation(folder, 35, "three"))
    with pytest.raises(GateFailed, match="protocol, accuracy, helped, subgroups"):
        promote.run(settings(), Asked())
    assert "items_hash: 'two' and 'three'" in json.dumps(judgement())


def test_a_champion_that_cannot_be_evaluated_now_leaves_the_version_unjudged(
    add_version: Callable[..., int], settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_version(right=30)
    promote.run(settings(), Asked())
    add_version(right=40, items="two")

    def away(*_: object) -> None:
        raise MissingResource("a GPU") from ConnectionError("the store is away")

    monkeypatch.setattr(promote, "evaluate_version", away)
    with pytest.raises(GateFailed, match=r"protocol, accuracy, helped, subgroups; not judged yet"):
        promote.run(settings(), Asked())
    assert judgement()["outcome"] == "not judged"
    monkeypatch.setattr(promote, "evaluate_version", lambda _, __, folder: write_evaluation(folder, 35, "two"))
    promote.run(settings(), Asked())
    assert judgement()["outcome"] == "promoted"


def test_another_prompt_is_compared_only_if_that_is_allowed(
    add_version: Callable[..., int], settings: Callable[..., Settings]
) -> None:
    add_version(right=30)
    promote.run(settings(), Asked())
    add_version(right=40, layout_of_prompt="question_first")
    with pytest.raises(GateFailed, match="protocol"):
        promote.run(settings(), Asked(dry_run=True))
    promote.run(settings(allow_prompt_change=True), Asked())
    assert failed() == []


def test_a_version_without_a_record_passes_no_gate_that_reads_them(
    add_version: Callable[..., int], settings: Callable[..., Settings], tracked: MlflowClient, tmp_path: Path
) -> None:
    add_version(right=30)
    promote.run(settings(), Asked())
    run = TrainingRun.start("exam", {})
    version = tracked.create_model_version(settings().track.registered_model, str(tmp_path), run_id=run.run_id)
    with pytest.raises(GateFailed, match="validation, leakage, protocol, accuracy, helped, subgroups"):
        promote.run(settings(), Asked(version=int(version.version)))


def test_without_a_version_the_next_command_is_named(settings: Callable[..., Settings], tracked: MlflowClient) -> None:
    with pytest.raises(RegistryError, match=r"(?s)no such registered model.*jmlr register"):
        promote.run(settings(), Asked())
    tracked.create_registered_model(settings().track.registered_model)
    with pytest.raises(RegistryError, match=r"(?s)no version has the alias challenger.*jmlr register"):
        promote.run(settings(), Asked())
