"""The stage train on tiny models: what it writes before and after the steps, and what a second try does."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from jmlr.data.tables import write_passages, write_questions
from jmlr.errors import DataError, MissingResource, TrainingFailed
from jmlr.index import build, candidates
from jmlr.settings import params
from jmlr.stages import layout, train, train_folder
from jmlr.types import Hit, Passage

PARAMS = Path(__file__).parents[3] / "params.yaml"


@pytest.fixture
def settings(make_train_settings, tiny_index_settings, prompt_settings):
    raw = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    raw["train"] = make_train_settings(arms=["rag", "jmlr"]).model_dump(mode="json")
    raw["index"], raw["prompt"] = tiny_index_settings.model_dump(), prompt_settings.model_dump()
    raw["evaluate"]["recall_at"] = [1, 5]
    raw["ingest"] |= {"passage_tokens": tiny_index_settings.passage_tokens - 3, "overlap_tokens": 4}
    return params.parse(raw)


@pytest.fixture
def stages_before(
    tracked, monkeypatch, tiny_passages, tiny_questions, tiny_retriever_folder, tiny_index_settings, make_tiny_reader,
    tiny_tokenizer,
):  # fmt: skip
    """What ingest, base and index leave, but for PLAID's own files; the trained index is a folder."""
    layout.INGEST.mkdir(parents=True)
    write_passages(layout.PASSAGES, tiny_passages)
    write_questions(layout.QUESTIONS, tiny_questions)
    shutil.copytree(tiny_retriever_folder, layout.BASE_RETRIEVER)
    make_tiny_reader().save_pretrained(layout.BASE_READER)
    tiny_tokenizer.save_pretrained(layout.BASE_READER)
    build.build(layout.BASE_RETRIEVER, tiny_passages, tiny_index_settings, layout.INDEX, 1)
    hits = [Hit(passage.passage_id, 1.0) for passage in tiny_passages[:6]]
    candidates.write(layout.CANDIDATES, {question.question_id: hits for question in tiny_questions})
    monkeypatch.setattr(train.build, "build", lambda retriever, passages, settings, folder, seed: folder.mkdir())
    return tracked


def files() -> set[str]:
    """All files of build/train but those of models."""
    return {
        path.relative_to(layout.TRAIN).as_posix()
        for path in layout.TRAIN.rglob("*")
        if path.is_file() and not path.parent.name.startswith(("reader", "retriever"))
    }


def test_the_stage_leaves_models_ledger_history_and_nothing_else(stages_before, settings):
    train.run(settings)
    assert files() == {"ledger.json", "history.parquet", "run.json"}
    for folder in (layout.TRAINED_RETRIEVER, layout.TRAINED_READER, layout.TRAIN_ARMS / "rag" / "reader"):
        assert (folder / "model.safetensors").exists()
    ledger = json.loads(layout.LEDGER.read_text(encoding="utf-8"))
    assert ledger["jmlr"]["retriever"]["trainable"] == ledger["rag"]["retriever"]["frozen"] > 0
    assert ledger["jmlr"]["retriever"]["learning_rate"] == 1e-4
    assert ledger["rag"]["retriever"]["learning_rate"] == 0
    assert (ledger["jmlr"]["refreshes"], ledger["jmlr"]["refreshed_passages"]) == (1, 20)
    history = pq.read_table(layout.HISTORY).to_pylist()
    assert {row["arm"] for row in history} == {"rag", "jmlr"}


def test_the_stage_says_how_many_rationales_it_teaches(stages_before, settings, tiny_questions, capsys):
    explained = [
        dataclasses.replace(question, rationale="gout " * number) for number, question in enumerate(tiny_questions)
    ]
    write_questions(layout.QUESTIONS, explained)
    taught = {"options": "shown", "answer": "letter_rationale", "answer_tokens": 40}
    arms = settings.train.model_copy(update={"arms": ("closed_book",)})
    train.run(settings.model_copy(update={"prompt": settings.prompt.model_copy(update=taught), "train": arms}))
    ledger = json.loads(layout.LEDGER.read_text(encoding="utf-8"))
    cut = ledger["closed_book"]["rationales"].pop("cut")
    assert ledger["closed_book"]["rationales"] == {"questions": 12, "with_rationale": 11}
    said = " ".join(capsys.readouterr().out.split())
    assert f"11 of 12 training questions have a rationale, {cut} are cut at prompt.answer_tokens (40)" in said


def test_the_ledger_is_there_before_the_first_step(stages_before, settings, monkeypatch, capsys):
    def stop():
        raise TrainingFailed("before the first step")

    seen = []
    monkeypatch.setattr(train, "train_arm", lambda *arguments: seen.append(layout.LEDGER.read_text()) or stop())
    with pytest.raises(TrainingFailed, match="before the first step"):
        train.run(settings)
    components = json.loads(seen[0])["rag"]
    assert components["reader"]["trainable"] > 0
    assert components["retriever"]["trainable"] == 0
    assert "rag: reader trains" in capsys.readouterr().out


def test_a_second_try_keeps_finished_arms_and_goes_on_in_the_same_run(stages_before, settings, monkeypatch):
    plain = train.train_arm

    def cut_off(model, *others):
        if model.arm == "jmlr":
            raise TrainingFailed("cut off")
        return plain(model, *others)

    monkeypatch.setattr(train, "train_arm", cut_off)
    with pytest.raises(TrainingFailed, match="cut off"):
        train.run(settings)
    first = json.loads(layout.RUN.read_text(encoding="utf-8"))["run_id"]
    trained = []
    monkeypatch.setattr(train, "train_arm", lambda model, *others: trained.append(model.arm) or plain(model, *others))
    train.run(settings)
    assert trained == ["jmlr"]
    assert json.loads(layout.RUN.read_text(encoding="utf-8"))["run_id"] == first
    run = stages_before.get_run(first)
    assert run.info.status == "FINISHED"
    assert {"rag/reader_loss", "jmlr/retriever_gradient_norm", "jmlr/retriever_weight_change"} <= set(run.data.metrics)
    assert {row["arm"] for row in pq.read_table(layout.HISTORY).to_pylist()} == {"rag", "jmlr"}


def test_a_finished_training_is_done_anew(stages_before, settings):
    train.run(settings)
    first = json.loads(layout.RUN.read_text(encoding="utf-8"))["run_id"]
    train.run(settings)
    assert json.loads(layout.RUN.read_text(encoding="utf-8"))["run_id"] != first


def test_any_process_but_the_first_writes_nothing(stages_before, settings, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(train, "train_arm", lambda *arguments: {"seconds": 1.0, "steps": 4})
    train.run(settings)
    assert not layout.TRAIN.exists()


@pytest.fixture
def cut_off(monkeypatch, tmp_path):
    """Files of both arms as a training that was cut off leaves them; gives what a training of other parts then does."""
    monkeypatch.chdir(tmp_path)
    train_folder.move_others_aside({"train.steps": "4", "seed": "1"}, ["rag", "jmlr"])
    work = [train_folder.done_file("rag"), train_folder.checkpoints("jmlr") / "checkpoint-3" / "complete.json"]
    for file in work:
        file.parent.mkdir(parents=True)
        file.write_text("{}", encoding="utf-8")
    return work


def moved(work: list[Path]) -> list[Path]:
    (place,) = layout.TRAIN_ASIDE.iterdir()
    return [place / file.relative_to(layout.TRAIN) for file in work]


def test_the_same_training_finds_its_work_where_it_was(cut_off, capsys):
    train_folder.move_others_aside({"seed": "1", "train.steps": "4"}, ["jmlr", "rag"])
    assert [file.exists() for file in cut_off] == [True, True]
    assert capsys.readouterr().out == ""


def test_another_training_moves_the_work_aside_and_says_why(cut_off, capsys):
    train_folder.move_others_aside({"train.steps": "5", "seed": "1"}, ["rag", "jmlr"])
    assert [file.exists() for file in cut_off] == [False, False]
    assert [file.exists() for file in moved(cut_off)] == [True, True]
    said = capsys.readouterr().out
    assert "what another training (train.steps changed) left in build/train was moved to build/train-aside/" in said
    assert said.count("\n") == 1


def test_an_arm_that_is_no_longer_asked_for_moves_aside_alone(cut_off, capsys):
    train_folder.move_others_aside({"train.steps": "4", "seed": "1"}, ["rag"])
    assert [file.exists() for file in cut_off] == [True, False]
    assert moved(cut_off)[1].exists()
    assert "closed_book and jmlr, not in train.arms" in capsys.readouterr().out


def test_of_finished_trainings_the_last_one_is_kept_aside(cut_off):
    for number in range(2):
        train_folder.MARKER.unlink()  # as at the end of a training
        layout.LEDGER.write_text(str(number), encoding="utf-8")
        train_folder.move_others_aside({"seed": "1"}, ["rag"])
    assert (layout.TRAIN_ASIDE / "finished" / "ledger.json").read_text(encoding="utf-8") == "1"


def test_the_work_of_an_older_release_moves_aside(cut_off, capsys):
    train_folder.MARKER.write_text('{"digest": "of settings and files"}', encoding="utf-8")
    train_folder.move_others_aside({"seed": "1"}, ["rag", "jmlr"])
    assert moved(cut_off)[1].exists()
    assert "a training of an older release" in capsys.readouterr().out


def test_another_number_of_processes_is_refused_before_anything_runs(stages_before, settings, monkeypatch):
    from jmlr.training import checkpoint
    from jmlr.training.checkpoint import Checkpoint

    train_folder.move_others_aside(train._load_data(settings).identity, settings.train.arms)
    folder = train_folder.checkpoints("jmlr")
    checkpoint.folder_of(folder, 2).mkdir(parents=True)
    checkpoint.complete(folder, Checkpoint(step=2, world_size=8, generation=1, memories={}))
    monkeypatch.setattr(train, "train_arm", lambda *arguments: pytest.fail("it started"))
    with pytest.raises(TrainingFailed, match=r"written by 8 process\(es\), this training has 1"):
        train.run(settings)


def test_a_single_passage_is_nothing_to_rank_and_that_is_said_at_once():
    train._require_something_to_rank(["rag"], [Passage("p", "Alone.")])
    train._require_something_to_rank(["rag", "jmlr"], [Passage("p", "Alone."), Passage("q", "Not now.")])
    with pytest.raises(DataError, match=r"1 passage\(s\).*nothing to rank(?s:.*)next: add passages"):
        train._require_something_to_rank(["rag", "jmlr"], [Passage("p", "Alone.")])


def test_what_this_machine_lacks_is_said_before_anything_is_read(settings, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    needs_gpu = settings.model_copy(update={"train": settings.train.model_copy(update={"needs_gpu": True})})
    with pytest.raises(MissingResource, match=r"torch sees no GPU here; expected a machine for recipe starter"):
        train.run(needs_gpu)
