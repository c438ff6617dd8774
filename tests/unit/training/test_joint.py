"""The joint step of every arm: where gradient reaches, what is read, and that a seed decides."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from closeness import FLOAT32, assert_all_close

from jmlr.models import reader as readers
from jmlr.models.maxsim import maxsim
from jmlr.models.packing import pad
from jmlr.training import judging
from jmlr.training.live_scores import strongest_pulls
from jmlr.training.objective import retriever_loss
from jmlr.training.sampling import sample_passages

pytestmark = pytest.mark.numerical

ROWS = torch.tensor([0, 3, 7])


def change(model, block: str, **changes):
    """The model with settings of one block changed."""
    changed = getattr(model.settings, block).model_copy(update=changes)
    model.settings = model.settings.model_copy(update={block: changed})
    return model


def norms(model) -> dict[str, float]:
    """Summed absolute gradient of each component that has one."""
    sums: dict[str, float] = {}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            component = name.split(".")[0]
            sums[component] = sums.get(component, 0.0) + float(parameter.grad.abs().sum())
    return sums


@pytest.mark.parametrize(
    ("arm", "moved"), [("closed_book", {"reader"}), ("rag", {"reader"}), ("jmlr", {"reader", "retriever"})]
)
def test_gradient_reaches_the_retriever_only_in_the_joint_arm(make_joint, arm, moved):
    model = make_joint(arm).train()
    model(rows=ROWS, draw_seed=1).total.backward()
    assert {component for component, size in norms(model).items() if size > 0} == moved


def test_the_ranking_loss_reaches_no_reader_and_the_reading_loss_no_retriever(make_joint):
    alone, heavy = make_joint("jmlr"), change(make_joint("jmlr"), "objective", weight=100.0)
    for model in (alone, heavy):
        model.train()(rows=ROWS, draw_seed=1).total.backward()
    one, two = norms(alone), norms(heavy)
    assert two["reader"] == pytest.approx(one["reader"], rel=1e-4)
    assert two["retriever"] == pytest.approx(10 * one["retriever"], rel=1e-3)


def test_parts_of_each_arms_loss(make_joint):
    for arm in ("closed_book", "rag"):
        step = make_joint(arm)(rows=ROWS, draw_seed=1)
        assert step.total.item() == step.reader.item()
        assert (step.retriever, step.sampled_reader, step.score_spread) == (None, None, None)
    step = make_joint("jmlr")(rows=ROWS, draw_seed=1)
    assert step.total.item() == pytest.approx(step.reader.item() + step.retriever.item())
    assert step.retriever.item() > 0
    assert step.score_spread > 0


def test_the_closed_book_reads_nothing(make_joint, monkeypatch):
    model = make_joint("closed_book")
    asked = []
    write = model.writer.write
    monkeypatch.setattr(model.writer, "write", lambda q, o, p: asked.append(len(p)) or write(q, o, p))
    model(rows=ROWS, draw_seed=1)
    assert asked == [0, 0, 0]


@pytest.mark.parametrize("arm", ["rag", "jmlr"])
def test_the_reading_loss_is_that_of_the_best_passages(make_joint, tiny_questions, tiny_passages, tiny_pools, arm):
    model = make_joint(arm)
    questions = [tiny_questions[row] for row in ROWS]
    with torch.no_grad():
        places, _ = tiny_pools.scored(ROWS, model.retriever.encode_queries([question.text for question in questions]))
        prompted = [
            model.writer.write(question, question.answer_index, [tiny_passages[number] for number in row[:2]])
            for question, row in zip(questions, places.tolist(), strict=True)
        ]
        losses, _ = readers.answer_token_losses(model.reader, pad(prompted, pad_token_id=0))
        assert model(rows=ROWS, draw_seed=1).reader.item() == pytest.approx(losses.mean().item(), rel=FLOAT32)


def test_the_ranking_loss_and_its_gradient_equal_a_slow_loop(make_joint, tiny_questions, tiny_passages, tiny_pools):
    model = make_joint("jmlr")
    queries = model.retriever.encode_queries([tiny_questions[row].text for row in ROWS])
    places, pool_scores = tiny_pools.scored(ROWS, queries)
    drawn = sample_passages(pool_scores, 4, 3.0, torch.Generator().manual_seed(5))
    scores, losses = torch.zeros(3, 4), torch.zeros(3, 4)
    for i, row in enumerate(ROWS.tolist()):
        for j, place in enumerate(drawn[i].tolist()):
            passage, question = tiny_passages[places[i, place]], tiny_questions[row]
            vectors, mask = model.retriever.encode_passages([passage.indexed_text])
            scores[i, j] = maxsim(queries[i : i + 1], vectors[None], mask[None])
            prompted = model.writer.write(question, question.answer_index, [passage])
            losses[i, j] = readers.answer_losses(model.reader, pad([prompted], 0))[0].detach()
    expected = retriever_loss(model.settings.objective, scores, losses)
    expected.backward()
    gradients = {name: p.grad.clone() for name, p in model.retriever.named_parameters() if p.grad is not None}
    model.zero_grad()
    step = model(rows=ROWS, draw_seed=5)
    step.total.backward()
    assert step.retriever.item() == pytest.approx(expected.item(), rel=1e-3)
    assert step.sampled_reader.item() == pytest.approx(losses.mean().item(), rel=1e-4)
    assert step.score_spread == pytest.approx(scores.std(dim=1, correction=0).mean().item(), rel=1e-3)
    found = {name: p.grad for name, p in model.retriever.named_parameters() if p.grad is not None}
    assert_all_close(found, gradients, share=1e-3)


def test_the_draw_seed_decides(make_joint):
    first, again, other = (make_joint("jmlr")(rows=ROWS, draw_seed=seed) for seed in (1, 1, 2))
    for field in dataclasses.fields(first):
        one, two = (torch.as_tensor(getattr(step, field.name)) for step in (first, again))
        assert torch.equal(one, two), field.name
    assert other.retriever.item() != first.retriever.item()


def test_passages_are_scored_with_full_attention_and_the_reader_goes_on_training(make_joint, monkeypatch):
    model = make_joint("jmlr").train()
    modes = []
    plain = judging.answer_losses
    monkeypatch.setattr(
        judging, "answer_losses", lambda reader, batch: modes.append(reader.training) or plain(reader, batch)
    )
    model(rows=ROWS, draw_seed=1)
    assert modes == [False]
    assert (model.reader.training, model.training) == (True, True)


def test_the_retrievers_dropout_stays_off(make_joint):
    model = make_joint("jmlr").train()
    dropouts = [module for module in model.retriever.modules() if isinstance(module, torch.nn.Dropout)]
    assert dropouts
    assert not any(module.training for module in dropouts)


def test_a_pool_smaller_than_the_sample_is_enough(make_joint):
    model = change(make_joint("jmlr"), "sampling", passages=6, sharpness=1.0)
    step = model(rows=torch.tensor([0]), draw_seed=1)
    step.total.backward()
    assert step.total.isfinite()
    assert norms(model)["retriever"] > 0


def test_a_joint_step_through_adapters_and_shifted_sparse_attention(make_joint, make_tiny_reader):
    from jmlr.models import shifted_sparse_attention
    from jmlr.models.adapters import add_lora
    from jmlr.settings import LoraSettings

    shifted_sparse_attention.register()
    model = make_joint("jmlr")
    lora = LoraSettings(rank=2, alpha=4, dropout=0.0, targets=("q_proj",))
    model.reader = add_lora(make_tiny_reader(attention="shifted_sparse"), lora)
    model.train()(rows=ROWS, draw_seed=1).total.backward()
    assert all(size > 0 for size in norms(model).values())
    assert set(norms(model)) == {"reader", "retriever"}


def test_few_passages_with_gradient_give_the_same_loss_and_a_smaller_but_alike_gradient(make_joint):
    """Stored and live vectors agree before the first step, so only where the gradient flows may differ."""
    whole, part = make_joint("jmlr"), change(make_joint("jmlr"), "sampling", passages_with_gradient=2)
    losses, gradients = [], []
    for model in (whole, part):
        step = model.train()(rows=ROWS, draw_seed=1)
        step.total.backward()
        losses.append(step.retriever.item())
        gradients.append(torch.cat([p.grad.flatten() for p in model.retriever.parameters() if p.grad is not None]))
    assert losses[1] == pytest.approx(losses[0], rel=1e-2)
    assert not torch.equal(gradients[0], gradients[1])
    assert torch.cosine_similarity(gradients[0], gradients[1], dim=0) > 0.3


def test_the_strongest_pulls_are_the_passages_whose_gradient_is_largest(make_joint):
    model = make_joint("jmlr")
    scores, losses = torch.tensor([[0.0, 1.0, 2.0, 3.0]]), torch.tensor([[0.1, 5.0, 5.1, 5.2]])
    still = scores.clone().requires_grad_()
    retriever_loss(model.settings.objective, still, losses).backward()
    expected = set(still.grad.abs()[0].topk(2).indices.tolist())
    rows, columns = strongest_pulls(model.settings.objective, scores, losses, 2)
    assert rows.tolist() == [0, 0]
    assert set(columns.tolist()) == expected
