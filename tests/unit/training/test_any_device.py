"""The joint step, its pools and its figures where the models lie on a GPU are those of the CPU."""

from __future__ import annotations

import pytest
import torch

from jmlr.settings import RefreshDriftSettings
from jmlr.training.drift import Drift
from jmlr.training.movement import WeightChange, gradient_norms

pytestmark = pytest.mark.numerical

ROWS = torch.tensor([0, 3, 7])
DRIFT = RefreshDriftSettings(overlap_at=3, below=0.5, sample_questions=4, check_every_steps=1)


def figures(model, where: torch.device, texts: list[str]) -> dict[str, float]:
    """Two steps, with all pools refreshed between them, and all that is measured on the way."""
    change = WeightChange(model)  # before the move, as under DeepSpeed
    model = model.train().to(where)
    pools, found = model.corpus.pools, {}
    drift = Drift(model.corpus.questions, texts, DRIFT, seed=1)
    stored = drift.ranking(model.retriever, pools.store)
    for number in (1, 2):
        model.zero_grad()
        step = model(rows=ROWS.to(where), draw_seed=number)
        step.total.backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.01 * parameter.grad if parameter.grad is not None else 0
        found |= {f"loss {number}": step.total.item(), f"judged {number}": float(step.sampled_reader)}
        found |= {f"{name} {number}": norm for name, norm in gradient_norms(model).items()}
        found[f"distinct {number}"] = pools.share(ROWS.to(where))
        found[f"overlap {number}"] = drift.overlap(model.retriever, pools.store, stored)
        pools.refresh(model.retriever)
    return found | change.measure(model)


@pytest.mark.parametrize(
    "sampling", [{}, {"passages_with_gradient": 2, "encode_chunk_passages": 2}], ids=["all", "some in chunks"]
)
@pytest.mark.parametrize("objective", ["llm_rank", "loop"])
def test_joint_steps_are_those_of_the_cpu(request, make_joint, tiny_passages, sampling, objective):
    texts = [passage.indexed_text for passage in tiny_passages]
    changes = {"sampling": sampling, "objective": {"name": objective}}
    expected = figures(make_joint("jmlr", **changes), torch.device("cpu"), texts)
    model = make_joint("jmlr", **changes)
    elsewhere = request.getfixturevalue("elsewhere")
    assert figures(model, elsewhere, texts) == pytest.approx(expected, rel=1e-4)
