"""PDist, LOOP, EMDR2, REPLUG-LSR: hand-worked values, slow loops, gradients, degenerate input."""

from __future__ import annotations

import math

import pytest
import torch

from jmlr.losses.distribution import emdr2_loss, loop_loss, pdist_loss, replug_lsr_loss

pytestmark = pytest.mark.numerical

EVERY = [pdist_loss, loop_loss, emdr2_loss, replug_lsr_loss]
DIVERGENCES = [pdist_loss, loop_loss, replug_lsr_loss]


def normalised(weights: list[float]) -> list[float]:
    return [each / sum(weights) for each in weights]


def divergence(first: list[float], second: list[float]) -> float:
    return sum(p * math.log(p / q) for p, q in zip(first, second, strict=True))


def slow_loss(function, scores, losses, temperature, beta) -> float:
    total = 0.0
    for s, loss in zip(scores.tolist(), losses.tolist(), strict=True):
        retriever = normalised([math.exp(each / temperature) for each in s])
        if function is emdr2_loss:
            total -= math.log(sum(p * math.exp(-beta * each) for p, each in zip(retriever, loss, strict=True)))
        elif function is pdist_loss:
            total += divergence(normalised([math.exp(-beta * each) for each in loss]), retriever)
        elif function is loop_loss:
            total += divergence(normalised([math.exp(beta * each) for each in loss]), retriever)
        else:
            total += divergence(retriever, normalised([math.exp(beta * math.exp(-each)) for each in loss]))
    return total / len(scores)


def random_input(seed: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return 2 * torch.randn((3, 5), generator=draw).to(dtype), 3 * torch.rand((3, 5), generator=draw).to(dtype)


def test_hand_worked_pdist():
    # Reader 3/4, 1/4; retriever 1/2, 1/2: KL = 3/4 log(3/2) + 1/4 log(1/2) = 0.130812.
    losses = torch.tensor([[0.0, math.log(3.0)]])
    assert pdist_loss(torch.zeros(1, 2), losses).item() == pytest.approx(0.130812, rel=1e-5, abs=1e-6)


def test_hand_worked_loop():
    # Without the first passage the loss is log 3, without the second 0: the first one helps, reader 3/4, 1/4.
    losses_without = torch.tensor([[math.log(3.0), 0.0]])
    assert loop_loss(torch.zeros(1, 2), losses_without).item() == pytest.approx(0.130812, rel=1e-5, abs=1e-6)
    # A retriever of 3/4, 1/4 agrees with it.
    assert loop_loss(torch.tensor([[math.log(3.0), 0.0]]), losses_without).item() == pytest.approx(
        0, rel=1e-5, abs=1e-6
    )


def test_hand_worked_emdr2():
    # Retriever 3/4, 1/4; the answer's probability is 1/2 and 1/4: -log(3/8 + 1/16) = -log(7/16) = 0.826679.
    scores, losses = torch.tensor([[math.log(3.0), 0.0]]), torch.tensor([[math.log(2.0), math.log(4.0)]])
    assert emdr2_loss(scores, losses).item() == pytest.approx(0.826679, rel=1e-5, abs=1e-6)
    # With beta 2 the probabilities are 1/4 and 1/16: -log(3/16 + 1/64) = -log(13/64) = 1.593934.
    assert emdr2_loss(scores, losses, beta=2.0).item() == pytest.approx(1.593934, rel=1e-5, abs=1e-6)


def test_hand_worked_replug_lsr():
    # Likelihoods 1 and 1/2 at beta 2 log 3 differ by log 3: reader 3/4, 1/4. Retriever 1/2, 1/2:
    # KL = 1/2 log(2/3) + 1/2 log 2 = 1/2 log(4/3) = 0.143841.
    losses = torch.tensor([[0.0, math.log(2.0)]])
    found = replug_lsr_loss(torch.zeros(1, 2), losses, beta=2 * math.log(3.0))
    assert found.item() == pytest.approx(0.143841, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("function", EVERY)
@pytest.mark.parametrize(("temperature", "beta"), [(1.0, 1.0), (0.5, 3.0), (4.0, 0.5)])
def test_equals_a_slow_loop(function, temperature, beta):
    scores, losses = random_input(1)
    found = function(scores, losses, temperature=temperature, beta=beta)
    assert found.item() == pytest.approx(slow_loss(function, scores, losses, temperature, beta), rel=1e-4)


@pytest.mark.parametrize("function", EVERY)
@pytest.mark.parametrize(("temperature", "beta"), [(1.0, 1.0), (0.3, 3.0)])
def test_gradient_is_right_in_float64(function, temperature, beta):
    scores, losses = random_input(2, torch.float64)
    scores.requires_grad_()
    assert function(scores, losses).dtype == torch.float64
    assert torch.autograd.gradcheck(
        lambda values: function(values, losses, temperature=temperature, beta=beta), (scores,)
    )


@pytest.mark.parametrize("function", EVERY)
def test_a_step_raises_the_helpful_passage(function):
    scores = torch.tensor([[1.0, 1.5, 2.0]], requires_grad=True)
    losses = torch.tensor([[0.1, 1.0, 3.0]])
    function(scores, losses.flip(1) if function is loop_loss else losses, beta=3.0).backward()
    assert -scores.grad[0, 0] > 0 > -scores.grad[0, 2]


@pytest.mark.parametrize("function", EVERY)
def test_equal_scores_and_losses_agree(function):
    scores = torch.full((2, 4), 3.0, requires_grad=True)
    loss = function(scores, torch.full((2, 4), 0.5))
    loss.backward()
    assert loss.item() == pytest.approx(0.5 if function is emdr2_loss else 0.0, rel=1e-5, abs=1e-6)
    assert scores.grad.abs().max() < 1e-7


@pytest.mark.parametrize("function", EVERY)
def test_equal_scores_learn_from_different_losses(function):
    scores = torch.full((1, 3), 7.0, requires_grad=True)
    loss = function(scores, torch.tensor([[0.1, 1.0, 2.0]]))
    loss.backward()
    assert loss.isfinite()
    assert scores.grad.isfinite().all()
    assert scores.grad.abs().max() > 0.01


@pytest.mark.parametrize("function", EVERY)
def test_one_passage_teaches_nothing(function):
    scores = torch.tensor([[5.0]], requires_grad=True)
    loss = function(scores, torch.tensor([[1.0]]))
    loss.backward()
    assert (loss.item(), scores.grad.item()) == (1.0 if function is emdr2_loss else 0.0, 0.0)


@pytest.mark.parametrize("function", EVERY)
@pytest.mark.parametrize("huge", [1e4, 1e30])
def test_a_passage_the_reader_rules_out_is_finite(function, huge):
    scores = torch.zeros(1, 2, requires_grad=True)
    loss = function(scores, torch.tensor([[0.0, huge]]))
    loss.backward()
    expected = {pdist_loss: math.log(2), loop_loss: math.log(2), emdr2_loss: math.log(2)}
    # Softmax of the likelihoods 1 and 0 is 0.731, 0.269: KL = log(1/2) - (log 0.731 + log 0.269) / 2 = 0.120115.
    assert loss.item() == pytest.approx(expected.get(function, 0.120115), rel=1e-5, abs=1e-6)
    assert scores.grad.isfinite().all()
    assert scores.grad.abs().max() > 0.1


@pytest.mark.parametrize("function", EVERY)
def test_huge_losses_and_scores_everywhere_are_finite(function):
    scores = torch.tensor([[-500.0, 500.0, 0.0]], requires_grad=True)
    loss = function(scores, torch.tensor([[1e6, 2e6, 3e6]]))
    loss.backward()
    assert loss.isfinite()
    assert scores.grad.isfinite().all()


def test_emdr2_keeps_the_retrievers_part_beside_huge_losses():
    # 16,384 is so large that adding log 3 to it in float32 would lose three digits of it.
    scores, losses = torch.tensor([[math.log(3.0), 0.0]], requires_grad=True), torch.full((1, 2), 16384.0)
    emdr2_loss(scores, losses).backward()
    assert scores.grad.abs().max() < 1e-6
    step = torch.tensor([[math.log(3.0), 0.0]], requires_grad=True)
    emdr2_loss(step, losses + torch.tensor([[0.0, 0.5]])).backward()
    near = torch.tensor([[math.log(3.0), 0.0]], requires_grad=True)
    emdr2_loss(near, torch.tensor([[0.0, 0.5]])).backward()
    torch.testing.assert_close(step.grad, near.grad)


@pytest.mark.parametrize("function", EVERY)
def test_bfloat16_scores_are_taken_in_float32(function):
    scores, losses = random_input(3)
    found = function(scores.bfloat16(), losses.bfloat16())
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(function(scores.bfloat16().float(), losses.bfloat16().float()).item())


@pytest.mark.parametrize("function", EVERY)
def test_no_gradient_reaches_the_readers_losses(function):
    scores, losses = random_input(4)
    losses.requires_grad_()
    function(scores.requires_grad_(), losses).backward()
    assert losses.grad is None
    assert scores.grad.abs().sum() > 0


@pytest.mark.parametrize("function", DIVERGENCES)
def test_a_divergence_is_never_negative(function):
    for seed in range(5):
        assert function(*random_input(seed)).item() >= 0


def test_the_best_a_retriever_can_do_under_emdr2_is_to_trust_the_best_passage():
    losses = torch.tensor([[0.2, 1.0, 3.0]])
    assert emdr2_loss(torch.tensor([[90.0, 0.0, 0.0]]), losses).item() == pytest.approx(0.2, rel=1e-5, abs=1e-6)
    assert emdr2_loss(torch.tensor([[0.0, 0.0, 90.0]]), losses).item() == pytest.approx(3.0, rel=1e-5, abs=1e-6)
