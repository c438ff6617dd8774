"""MaxSim: a hand-worked value, a slow loop, padding that never counts."""

from __future__ import annotations

import pytest
import torch
from closeness import assert_close
from torch.nn import functional

from jmlr.models.maxsim import maxsim

pytestmark = pytest.mark.numerical


def random_input(seed: int, sizes: tuple[int, int, int, int, int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    questions, passages, query_tokens, passage_tokens, width = sizes
    draw = torch.Generator().manual_seed(seed)
    queries = functional.normalize(torch.randn(questions, query_tokens, width, generator=draw), dim=-1)
    vectors = functional.normalize(torch.randn(questions, passages, passage_tokens, width, generator=draw), dim=-1)
    lengths = torch.randint(1, passage_tokens + 1, (questions, passages), generator=draw)
    return queries, vectors, torch.arange(passage_tokens) < lengths[:, :, None]


def slow_maxsim(queries: torch.Tensor, passages: torch.Tensor, mask: torch.Tensor) -> list[list[float]]:
    scores = []
    for query, pool, pool_mask in zip(queries, passages, mask, strict=True):
        row = []
        for passage, keep in zip(pool, pool_mask, strict=True):
            tokens = [token for token, kept in zip(passage, keep, strict=True) if kept]
            row.append(sum(max(float(one @ token) for token in tokens) for one in query))
        scores.append(row)
    return scores


def test_hand_worked_value():
    # Token (1, 0): best of 0.6 and 0 is 0.6; token (0, 1): best of 0.8 and 1 is 1.
    score = maxsim(
        torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]), torch.tensor([[[[0.6, 0.8], [0.0, 1.0]]]]), torch.ones(1, 1, 2).bool()
    )
    assert score.tolist() == [[pytest.approx(1.6)]]


@pytest.mark.parametrize("sizes", [(3, 4, 5, 6, 8), (1, 1, 1, 1, 2), (2, 1, 7, 3, 4)])
def test_equals_a_slow_loop(sizes):
    queries, passages, mask = random_input(1, sizes)
    assert_close(maxsim(queries, passages, mask), torch.tensor(slow_maxsim(queries, passages, mask)))


def test_padding_never_counts_and_gets_no_gradient():
    queries, passages, mask = random_input(2, (2, 3, 4, 5, 8))
    expected = maxsim(queries, passages, mask)
    changed = torch.where(mask[..., None], passages, 100.0).requires_grad_()
    scores = maxsim(queries, changed, mask)
    assert_close(scores, expected)
    scores.sum().backward()
    assert changed.grad[~mask].abs().sum() == 0
    assert changed.grad[mask].abs().sum() > 0


def test_negative_similarities_are_not_beaten_by_padding():
    score = maxsim(
        torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[[-1.0, 0.0], [0.0, 0.0]]]]), torch.tensor([[[True, False]]])
    )
    assert score.item() == -1.0


def test_bfloat16_input_gives_float32_scores_near_the_exact_ones():
    queries, passages, mask = random_input(3, (2, 3, 6, 5, 16))
    scores = maxsim(queries.bfloat16(), passages.bfloat16(), mask)
    assert scores.dtype == torch.float32
    assert_close(scores, maxsim(queries, passages, mask), share=0.05)
