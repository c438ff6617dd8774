"""The joint step under each objective; LOOP asks the reader with one passage left out."""

from __future__ import annotations

import pytest
import torch
from closeness import FLOAT32, assert_close

from jmlr.losses import LOSSES, alone
from jmlr.models import reader as readers
from jmlr.models.packing import pad
from jmlr.training import judging
from jmlr.training.objective import retriever_loss
from jmlr.training.sampling import sample_passages

pytestmark = pytest.mark.numerical

ROWS = torch.tensor([0, 3, 7])
NAMES = list(LOSSES)


def with_objective(model, name: str):
    objective = model.settings.objective.model_copy(update={"name": name})
    model.settings = model.settings.model_copy(update={"objective": objective})
    return model


def drawn_passages(model, pools, questions, seed: int) -> list[list[int]]:
    """Numbers of the four drawn passages of each question, in the order of drawing."""
    with torch.no_grad():
        places, scores = pools.scored(ROWS, model.retriever.encode_queries([q.text for q in questions]))
    drawn = sample_passages(scores, 4, 3.0, torch.Generator().manual_seed(seed))
    return [[int(places[i, place]) for place in row] for i, row in enumerate(drawn.tolist())]


def slow_losses_without(model, questions, passages, sampled: list[list[int]], ranked: list[list[int]]) -> torch.Tensor:
    """Each passage left out in turn, the others best first as the pool ranks them, each prompt read alone."""
    losses = torch.zeros(len(sampled), len(sampled[0]))
    for i, (question, numbers) in enumerate(zip(questions, sampled, strict=True)):
        for j, absent in enumerate(numbers):
            rest = sorted((n for n in numbers if n != absent), key=ranked[i].index)
            prompted = model.writer.write(question, question.answer_index, [passages[n] for n in rest])
            with torch.no_grad():
                losses[i, j] = readers.answer_losses(model.reader, pad([prompted], 0))[0]
    return losses


@pytest.mark.parametrize("name", NAMES)
def test_every_objective_moves_the_retriever_by_finite_gradients(make_joint, name):
    model = with_objective(make_joint("jmlr"), name).train()
    step = model(rows=ROWS, draw_seed=1)
    step.total.backward()
    gradients = [p.grad for p in model.retriever.parameters() if p.grad is not None]
    assert step.total.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert sum(float(gradient.abs().sum()) for gradient in gradients) > 0


@pytest.mark.parametrize("bound", [None, 90])
def test_loop_leaves_out_each_passage_in_turn(make_joint, tiny_pools, tiny_questions, tiny_passages, bound):
    model = with_objective(make_joint("jmlr"), "loop")
    writer = model.writer
    writer.settings = writer.settings.model_copy(update={"context_tokens": bound})
    questions = [tiny_questions[row] for row in ROWS]
    sampled = drawn_passages(model, tiny_pools, questions, 5)
    with torch.no_grad():
        places, _ = tiny_pools.scored(ROWS, model.retriever.encode_queries([q.text for q in questions]))
    expected = slow_losses_without(model, questions, tiny_passages, sampled, places.tolist())
    candidates = [[tiny_passages[n] for n in row] for row in sampled]
    fits = [len(writer.fitting(question, row)) == 4 for question, row in zip(questions, candidates, strict=True)]
    assert all(fits) == (bound is None)
    step = model(rows=ROWS, draw_seed=5)
    assert step.sampled_reader.item() == pytest.approx(expected.mean().item(), rel=FLOAT32)
    ranks = torch.tensor([[places[i].tolist().index(n) for n in row] for i, row in enumerate(sampled)])
    found = model.judged(questions, torch.tensor(sampled), ranks)
    assert_close(found, expected)
    assert not found.requires_grad
    stored = tiny_pools.store.score(model.retriever.encode_queries([q.text for q in questions]), torch.tensor(sampled))
    loss = retriever_loss(model.settings.objective, stored, expected)
    assert step.retriever.item() == pytest.approx(loss.item(), rel=1e-2)


def test_a_bound_on_the_context_holds_in_loop(make_joint, tiny_questions, monkeypatch):
    model = with_objective(make_joint("jmlr"), "loop").train()
    model.writer.settings = model.writer.settings.model_copy(update={"context_tokens": 100})
    seen = []
    plain = judging.answer_losses

    def watch(reader, batch):
        seen.append((tuple(batch.input_ids.shape), reader.training))
        return plain(reader, batch)

    monkeypatch.setattr(judging, "answer_losses", watch)
    model(rows=ROWS, draw_seed=1)
    assert sum(shape[0] for shape, _ in seen) == 12
    assert max(shape[1] for shape, _ in seen) <= 100
    assert not any(training for _, training in seen)
    assert model.reader.training


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.evidence is alone])
def test_the_other_objectives_read_each_passage_alone(make_joint, monkeypatch, name):
    model = with_objective(make_joint("jmlr"), name)
    asked = []
    write = model.writer.write
    monkeypatch.setattr(model.writer, "write", lambda q, o, p: asked.append(len(p)) or write(q, o, p))
    model(rows=ROWS, draw_seed=1)
    assert asked == [2] * 3 + [1] * 12
