"""Training an arm: metrics, what moves, cut off and resumed, and a retriever that stands still."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from closeness import assert_all_close

from jmlr.errors import TrainingFailed
from jmlr.training import checkpoint
from jmlr.training.joint import ArmRun, JointModel, train_arm
from jmlr.training.sink import History

pytestmark = pytest.mark.numerical

QUESTIONS = 12


class CutOff(Exception):
    """Ends a run from outside, as a lost machine would."""


class CuttingSink:
    def __init__(self, step: int) -> None:
        self.step = step

    def log(self, step, values):
        if step == self.step:
            raise CutOff


def train(model: JointModel, folder: Path, cut_off_at: int = 0, seed: int = 1) -> tuple[dict[str, float], History]:
    history = History(model.arm, CuttingSink(cut_off_at))
    run = ArmRun(seed, folder / "checkpoints", history)
    return train_arm(model, run), history


def weights(model: JointModel) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def logged(history: History, name: str) -> list[tuple[int, float]]:
    return [(row["step"], row["value"]) for row in history.rows if row["name"] == name]


def test_a_joint_arm_trains_both_and_reports_every_step(make_joint, tmp_path):
    model = make_joint("jmlr")
    before = weights(model)
    measured, history = train(model, tmp_path)
    moved = {name.split(".")[0] for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {"reader", "retriever"}
    assert measured["steps"] == 4
    assert measured["seconds"] > measured["refresh_seconds"] > 0
    for name in ("reader_loss", "retriever_loss", "sampled_reader_loss", "retriever_gradient_norm", "score_spread"):
        rows = logged(history, name)
        assert [step for step, _ in rows] == [1, 2, 3, 4], name
        assert all(value > 0 for _, value in rows), name
    assert logged(history, "retriever_weight_change")[-1][1] == pytest.approx(measured["retriever_weight_change"])
    assert model.corpus.pools.generation == 2
    assert checkpoint.last(tmp_path / "checkpoints").step == 4


def test_each_component_keeps_its_own_rate_with_a_linear_decay(make_joint, tmp_path):
    _, history = train(make_joint("jmlr"), tmp_path)
    reader, retriever = (logged(history, f"{name}_learning_rate") for name in ("reader", "retriever"))
    assert all(one[1] == pytest.approx(10 * two[1]) for one, two in zip(reader, retriever, strict=True))
    assert [value for _, value in reader] == sorted((value for _, value in reader), reverse=True)
    assert reader[0][1] == pytest.approx(1e-3, rel=0.3)


@pytest.mark.parametrize("arm", ["closed_book", "rag"])
def test_the_other_arms_move_the_reader_alone(make_joint, tmp_path, arm):
    model = make_joint(arm)
    before = weights(model)
    measured, history = train(model, tmp_path)
    moved = {name.split(".")[0] for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {"reader"}
    assert "retriever_weight_change" not in measured
    assert logged(history, "retriever_loss") == []
    assert measured["refresh_seconds"] == 0


@pytest.mark.parametrize(("refresh", "cut_off_at"), [(2, 5), (3, 6)], ids=["after a refresh", "between refreshes"])
def test_a_run_cut_off_and_resumed_ends_like_an_undisturbed_one(make_joint, tmp_path, refresh, cut_off_at):
    undisturbed, cut_off, resumed = (make_joint("jmlr", steps=7, refresh_every_steps=refresh) for _ in range(3))
    train(undisturbed, tmp_path / "undisturbed")
    with pytest.raises(CutOff):
        train(cut_off, tmp_path / "resumed", cut_off_at=cut_off_at)
    _, history = train(resumed, tmp_path / "resumed")
    assert logged(history, "reader_loss")[0][0] == 5
    assert_all_close(weights(resumed), weights(undisturbed))


def test_the_seed_decides(make_joint, tmp_path):
    models = [make_joint("jmlr", steps=2) for _ in range(3)]
    for number, (model, seed) in enumerate(zip(models, (1, 1, 2), strict=True)):
        train(model, tmp_path / str(number), seed=seed)
    first, again, other = (weights(model) for model in models)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("steps", [1, 50])
def test_a_joint_run_whose_retriever_stands_still_fails_soon(make_joint, tmp_path, steps):
    model = make_joint("jmlr", steps=steps)
    model.retriever.requires_grad_(False)
    recorder = CuttingSink(3)
    with pytest.raises(TrainingFailed, match="did not move although it trains: retriever"):
        train_arm(model, ArmRun(1, tmp_path / "checkpoints", recorder))


def test_it_fails_after_a_resume_too(make_joint, tmp_path):
    cut_off, resumed = (make_joint("jmlr", steps=50, save_every_steps=1) for _ in range(2))
    for model in (cut_off, resumed):
        model.retriever.requires_grad_(False)
    with pytest.raises(CutOff):
        train(cut_off, tmp_path, cut_off_at=2)
    with pytest.raises(TrainingFailed, match="did not move although it trains: retriever"):
        train(resumed, tmp_path)


def test_a_retriever_that_moved_before_the_resume_has_moved(make_joint, tmp_path):
    """The change is measured since before the first try, so a try that has nothing left to do does not fail."""
    first, again = make_joint("jmlr"), make_joint("jmlr")
    before, _ = train(first, tmp_path)
    after, history = train(again, tmp_path)
    assert after["retriever_weight_change"] == before["retriever_weight_change"] > 0
    assert history.rows == []


def test_fewer_questions_than_a_step_takes_still_train(make_joint, tmp_path):
    model = make_joint("rag", questions_per_step=16, steps=2)
    measured, history = train(model, tmp_path)
    assert measured["steps"] == len(logged(history, "reader_loss")) == 2


def test_tied_weights_are_saved_and_resumed(make_joint, make_tiny_reader, tmp_path):
    models = [make_joint("closed_book") for _ in range(3)]
    for model in models:
        model.reader = make_tiny_reader(tie_word_embeddings=True)
    train(models[0], tmp_path / "undisturbed")
    with pytest.raises(CutOff):
        train(models[1], tmp_path / "resumed", cut_off_at=3)
    train(models[2], tmp_path / "resumed")
    assert_all_close(weights(models[2]), weights(models[0]))
    assert models[2].reader.lm_head.weight is models[2].reader.model.embed_tokens.weight
