"""When pools are refreshed: every so many steps, or when the measured drift passes its bound, and what is logged."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from closeness import assert_close

from jmlr.models.maxsim import maxsim
from jmlr.settings import RefreshDriftSettings
from jmlr.training.drift import Drift, mean_overlap
from jmlr.training.joint import ArmRun, train_arm
from jmlr.training.pools import PassageStore
from jmlr.training.sink import History

pytestmark = pytest.mark.numerical


def bound(below: float, every: int = 1, k: int = 3) -> RefreshDriftSettings:
    return RefreshDriftSettings(overlap_at=k, below=below, sample_questions=5, check_every_steps=every)


def shake(retriever, size: float) -> None:
    with torch.no_grad():
        noise = torch.randn(retriever.colbert.linear.weight.shape, generator=torch.Generator().manual_seed(1))
        retriever.colbert.linear.weight.add_(size * noise)


@pytest.fixture
def drift(tiny_questions, tiny_passages) -> Drift:
    return Drift(tiny_questions, [passage.indexed_text for passage in tiny_passages], bound(0.5), seed=3)


def test_a_retriever_that_stands_still_has_not_drifted(drift, tiny_retriever, tiny_store):
    stored = drift.ranking(tiny_retriever, tiny_store)
    assert [len(row) for row in stored] == [3] * 5
    assert drift.overlap(tiny_retriever, tiny_store, stored) == 1.0


def test_the_overlap_equals_a_slow_loop(drift, tiny_retriever, tiny_store, tiny_passages):
    """Passages of a stored top 3 score with live vectors, all others with stored ones, questions always live."""
    stored = drift.ranking(tiny_retriever, tiny_store)
    shake(tiny_retriever, 0.3)
    fresh = {number for row in stored for number in row}
    shares = []
    with torch.no_grad():
        for question, row in zip(drift._questions, stored, strict=True):
            query, scores = tiny_retriever.encode_queries([question]), []
            for number, passage in enumerate(tiny_passages):
                if number in fresh:
                    vectors, mask = tiny_retriever.encode_passages([passage.indexed_text])
                else:
                    vectors, mask = tiny_store.padded(torch.tensor([number]))
                scores.append(float(maxsim(query, vectors[None], mask[None])))
            live = sorted(range(len(scores)), key=lambda number: -scores[number])[:3]
            shares.append(len(set(live) & set(row)) / 3)
    expected = sum(shares) / len(shares)
    assert 0 < expected < 1
    assert drift.overlap(tiny_retriever, tiny_store, stored) == pytest.approx(expected)


def test_the_sample_is_the_seeds(tiny_questions, tiny_passages, drift):
    texts = [passage.indexed_text for passage in tiny_passages]
    again, other = (Drift(tiny_questions, texts, bound(0.5), seed) for seed in (3, 4))
    assert again._questions == drift._questions != other._questions
    assert len(set(drift._questions)) == 5


def test_overlap_by_hand():
    assert mean_overlap([[1, 2, 3]], [[3, 9, 1]]) == pytest.approx(2 / 3)


def train(model, folder) -> tuple[dict[str, Any], History]:
    history = History(model.arm, seconds := Seconds())
    run = ArmRun(1, folder / model.arm, history)
    return {**train_arm(model, run), "logged_at": seconds.steps}, history


class Seconds:
    """The steps at which the seconds of a refresh were logged."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def log(self, step, values) -> None:
        if "refresh_seconds" in values:
            self.steps.append(step)


def steps_of(history: History, name: str) -> list[int]:
    return [row["step"] for row in history.rows if row["name"] == name]


def test_drift_refreshes_and_is_logged_with_its_cost(make_joint, tmp_path):
    always = make_joint("jmlr", steps=6, refresh_every_steps=4, refresh_drift=bound(1.0, every=2).model_dump())
    always.settings = always.settings.model_copy(
        update={"retriever": always.settings.retriever.model_copy(update={"learning_rate": 0.05})}
    )
    measured, history = train(always, tmp_path)
    assert steps_of(history, "ranking_overlap") == [2]  # at 4 it is time anyway, at 6 all is over
    assert steps_of(history, "refreshed_passages") == [2, 4]
    assert measured["logged_at"] == [2, 4]
    assert (measured["refreshes"], measured["refreshed_passages"], measured["drift_checks"]) == (2, 40, 1)
    assert measured["refresh_seconds"] > 0
    assert always.corpus.pools.generation == 3


def test_a_ranking_that_holds_is_measured_and_kept(make_joint, tmp_path):
    model = make_joint("jmlr", steps=4, refresh_every_steps=9, refresh_drift=bound(0.01).model_dump())
    measured, history = train(model, tmp_path)
    assert steps_of(history, "ranking_overlap") == [1, 2, 3]
    assert (measured["refreshes"], measured["drift_checks"], model.corpus.pools.generation) == (0, 3, 1)


def test_an_arm_whose_retriever_is_frozen_measures_nothing(make_joint, tmp_path):
    measured, history = train(make_joint("rag", refresh_drift=bound(1.0).model_dump()), tmp_path)
    assert (measured["refreshes"], measured["drift_checks"], measured["refresh_seconds"]) == (0, 0, 0)
    assert steps_of(history, "ranking_overlap") == []


def test_a_store_in_blocks_scores_all_passages(tiny_store, tiny_retriever, tiny_questions):
    with torch.no_grad():
        queries = tiny_retriever.encode_queries([tiny_questions[0].text])
    assert isinstance(tiny_store, PassageStore)
    scores = tiny_store.score_all(queries)
    assert_close(scores, tiny_store.score(queries, torch.arange(20)[None]))


def test_a_training_in_bfloat16_searches_all_passages_in_float32(tiny_store, tiny_retriever, tiny_questions):
    with torch.no_grad():
        queries = tiny_retriever.encode_queries([tiny_questions[0].text])
    plain = tiny_store.score_all(queries)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(tiny_store.score_all(queries), plain)
