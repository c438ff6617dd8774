"""LLM-Rank: hand-worked values, a slow loop, degenerate input, and the direction of the gradient."""

from __future__ import annotations

import math

import pytest
import torch

from jmlr.losses.llm_rank import likelihood, llm_rank_loss, scale_minmax

pytestmark = pytest.mark.numerical

FORMS = [
    ("uniform", 1.0, 3.0),
    ("probability_gap", 1.0, 1.0),
    ("likelihood_gap", 1.0, 3.0),
    ("likelihood_gap", 0.5, 1.0),
]


def slow_loss(scores, losses, pair_weight, temperature, beta) -> float:
    total, (questions, passages) = 0.0, scores.shape
    for s, loss in zip(scores.tolist(), losses.tolist(), strict=True):
        whole = 1.0 if pair_weight == "probability_gap" else sum(math.exp(-beta * other) for other in loss)
        trust = [math.exp(-beta * each) / whole for each in loss]
        for i in range(passages):
            for j in range(i + 1, passages):
                if loss[i] == loss[j]:
                    continue
                weight = 1.0 if pair_weight == "uniform" else abs(trust[i] - trust[j])
                sigmoid = 1 / (1 + math.exp(-(s[i] - s[j]) / temperature))
                target = float(loss[i] < loss[j])
                total -= weight * (target * math.log(sigmoid) + (1 - target) * math.log(1 - sigmoid))
    return total / questions / (passages * (passages - 1) / 2)


def random_input(seed: int, shape=(3, 5)) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(shape, generator=draw), 3 * torch.rand(shape, generator=draw)


def test_hand_worked_uniform():
    # s_0 - s_1 = 1 and passage 0 is the better one: softplus(-1) = 0.313262; were it the worse, softplus(1) = 1.313262.
    scores = torch.tensor([[2.0, 1.0], [2.0, 1.0]])
    losses = torch.tensor([[0.5, 0.7], [0.7, 0.5]])
    both = (0.3132617 + 1.3132617) / 2
    assert llm_rank_loss(scores, losses, pair_weight="uniform").item() == pytest.approx(both, rel=1e-5, abs=1e-6)


def test_hand_worked_likelihood_gap():
    # Losses 0 and log 3 at beta 1 give trusts 3/4 and 1/4: the pair weighs 1/2, and log 2 becomes 0.346574.
    losses = torch.tensor([[0.0, math.log(3.0)]])
    assert llm_rank_loss(torch.zeros(1, 2), losses, beta=1.0).item() == pytest.approx(
        math.log(2) / 2, rel=1e-5, abs=1e-6
    )


def test_hand_worked_probability_gap():
    # Losses 0 and log 2 are probabilities 1 and 1/2: the pair weighs 1/2. Two useless passages weigh almost nothing.
    losses = torch.tensor([[0.0, math.log(2.0)], [8.0, 12.0]])
    found = [
        llm_rank_loss(torch.zeros(1, 2), row[None], pair_weight="probability_gap", beta=1.0).item() for row in losses
    ]
    assert found[0] == pytest.approx(math.log(2) / 2, rel=1e-5)
    assert found[1] < 3e-4


def test_hand_worked_minmax():
    assert scale_minmax(torch.tensor([[1.0, 3.0, 2.5]])).tolist() == [pytest.approx([-1.0, 1.0, 0.5], rel=1e-5)]


def test_likelihood_sums_to_one_and_prefers_the_smaller_loss():
    trust = likelihood(torch.tensor([[1.0, 2.0, 0.5]]), beta=2.0)
    assert trust.sum().item() == pytest.approx(1.0)
    assert trust.argsort(descending=True).tolist() == [[2, 0, 1]]


@pytest.mark.parametrize(("pair_weight", "temperature", "beta"), FORMS)
@pytest.mark.parametrize("shape", [(3, 5), (1, 2), (4, 3)])
def test_equals_a_slow_loop(pair_weight, temperature, beta, shape):
    scores, losses = random_input(1, shape)
    losses[0, 1] = losses[0, 0]
    found = llm_rank_loss(scores, losses, pair_weight=pair_weight, temperature=temperature, beta=beta)
    assert found.item() == pytest.approx(slow_loss(scores, losses, pair_weight, temperature, beta), rel=1e-4)


@pytest.mark.parametrize(("pair_weight", "temperature", "beta"), FORMS)
def test_gradient_equals_finite_differences(pair_weight, temperature, beta):
    options = {"pair_weight": pair_weight, "temperature": temperature, "beta": beta}
    scores, losses = random_input(2)
    scores.requires_grad_()
    llm_rank_loss(scores, losses, **options).backward()
    step = 0.01
    for place in [(0, 0), (1, 3), (2, 4)]:
        up, down = scores.detach().clone(), scores.detach().clone()
        up[place] += step
        down[place] -= step
        slope = (llm_rank_loss(up, losses, **options) - llm_rank_loss(down, losses, **options)) / (2 * step)
        assert scores.grad[place].item() == pytest.approx(slope.item(), abs=2e-4)


@pytest.mark.parametrize("pair_weight", ["uniform", "likelihood_gap", "probability_gap"])
def test_a_step_raises_the_helpful_passage_and_lowers_the_useless_one(pair_weight):
    scores = torch.tensor([[1.0, 1.5, 2.0]], requires_grad=True)
    losses = torch.tensor([[0.1, 1.0, 3.0]])
    llm_rank_loss(scores, losses, pair_weight=pair_weight).backward()
    step = -scores.grad[0]
    assert step[0] > 0 > step[2]
    assert step.sum().item() == pytest.approx(0, abs=1e-6)


def test_the_order_of_two_useless_passages_hardly_counts():
    scores = torch.zeros(1, 3, requires_grad=True)
    llm_rank_loss(scores, torch.tensor([[0.1, 4.0, 4.5]])).backward()
    helpful, useless, worse = scores.grad[0].abs().tolist()
    assert helpful > 1.9 * useless
    assert abs(useless - worse) < 0.01 * helpful


@pytest.mark.parametrize("pair_weight", ["uniform", "likelihood_gap", "probability_gap"])
def test_equal_losses_carry_no_order(pair_weight):
    scores = torch.tensor([[3.0, 1.0, 2.0]], requires_grad=True)
    loss = llm_rank_loss(scores, torch.full((1, 3), 0.7), pair_weight=pair_weight)
    loss.backward()
    assert loss.item() == 0
    assert scores.grad.abs().sum() == 0


def test_equal_scores_are_finite_through_minmax():
    scores = torch.full((1, 4), 2.0, requires_grad=True)
    loss = llm_rank_loss(scale_minmax(scores), torch.tensor([[0.1, 0.2, 0.3, 0.4]]), pair_weight="uniform")
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2))
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize(("pair_weight", "temperature", "beta"), FORMS)
def test_gradient_is_right_in_float64(pair_weight, temperature, beta, scaled):
    scores, losses = (part.double() for part in random_input(6))
    settings = {"pair_weight": pair_weight, "temperature": temperature, "beta": beta}

    def loss(values: torch.Tensor) -> torch.Tensor:
        return llm_rank_loss(scale_minmax(values) if scaled else values, losses, **settings)

    assert loss(scores).dtype == torch.float64
    assert torch.autograd.gradcheck(loss, (scores.requires_grad_(),))


def test_one_passage_gives_zero_with_a_gradient_of_zero():
    scores = torch.tensor([[5.0], [1.0]], requires_grad=True)
    loss = llm_rank_loss(scores, torch.tensor([[1.0], [2.0]]))
    loss.backward()
    assert loss.item() == 0
    assert scores.grad.tolist() == [[0.0], [0.0]]


def test_far_apart_scores_do_not_overflow():
    scores = torch.tensor([[-500.0, 500.0]], requires_grad=True)
    loss = llm_rank_loss(scores, torch.tensor([[0.0, 1.0]]), pair_weight="uniform")
    loss.backward()
    assert loss.item() == pytest.approx(1000.0)
    assert scores.grad.tolist() == [[-1.0, 1.0]]


def test_bfloat16_scores_are_taken_in_float32():
    scores, losses = random_input(4)
    found = llm_rank_loss(scores.bfloat16(), losses.bfloat16())
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(llm_rank_loss(scores.bfloat16().float(), losses.bfloat16().float()).item())


def test_no_gradient_reaches_the_readers_losses():
    scores, losses = random_input(5)
    losses.requires_grad_()
    llm_rank_loss(scores.requires_grad_(), losses).backward()
    assert losses.grad is None
