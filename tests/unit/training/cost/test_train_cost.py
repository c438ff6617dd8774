"""What an arm costs that its budget stopped and that was begun again."""

from __future__ import annotations

import pytest
import torch

from jmlr.errors import BudgetReached
from jmlr.settings import recipes
from jmlr.stages import layout, train, train_folder
from jmlr.training.cost.tries import Tries
from jmlr.training.pools import PassageStore


@pytest.fixture
def train_closed_book(monkeypatch, tmp_path, repository, make_tiny_reader, tiny_tokenizer, make_train_settings):
    """Runs the stage's arm `closed_book` on a tiny reader in an empty folder; returns its record."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setattr(train, "load_for_training", lambda *_: (make_tiny_reader(), tiny_tokenizer))
    monkeypatch.setattr(train.generation, "current", lambda folder: folder)
    monkeypatch.setattr(train.StoredEmbeddings, "open", lambda _: None)
    store = PassageStore(torch.zeros(20, 4), torch.ones(20, dtype=torch.long))
    monkeypatch.setattr(train.PassageStore, "from_index", lambda _: store)
    monkeypatch.setattr(train.candidates, "read", lambda _: {})
    starter = recipes.load("starter", repository / "conf")

    def run(data, tries, sink, **changes):
        settings = starter.model_copy(update={"train": make_train_settings(**changes)})
        return train._train("closed_book", settings, data, sink, tries)

    return run


class Steps(dict):
    def log(self, step, values):
        self[step] = dict(values)


def test_an_arm_stopped_by_its_budget_and_begun_again_costs_both_tries(
    train_closed_book, tiny_questions, tiny_passages
):
    data, sink = train.TrainingData(tiny_questions, tiny_passages, {}), Steps()
    now = iter(range(0, 100_000, 36))  # every look at the clock is 36 seconds, a hundredth of an hour, later
    with pytest.raises(BudgetReached, match="arm closed_book stopped after step [123] of 4"):
        train_closed_book(data, Tries(layout.TRIES, "cpu", 1, lambda: next(now)), sink, budget_device_hours=0.1)
    assert train_folder.finished(["closed_book"]) == {}
    tries = Tries(layout.TRIES, "cpu", 1, lambda: next(now))
    record = train_closed_book(data, tries, sink, budget_device_hours=50.0)
    assert record["ledger"]["steps"] == 4
    assert record["ledger"]["tries"] == 2
    assert [row["outcome"] for row in tries.rows()] == ["BudgetReached", "finished"]
    assert record["ledger"]["device_hours"] == pytest.approx(sum(row["seconds"] for row in tries.rows()) / 3600)
    assert sorted(sink) == [1, 2, 3, 4]
    assert sink[4]["flops"] > 0
    assert "flops" not in {row["name"] for row in record["history"]}
    assert train_folder.finished(["closed_book"]) == {"closed_book": record}
