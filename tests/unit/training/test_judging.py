"""What the reader says of passages does not depend on how its prompts are put together."""

from __future__ import annotations

import pytest
import torch
from closeness import assert_close

from jmlr.models.packing import pad
from jmlr.models.prompt import PromptWriter
from jmlr.models.reader import answer_losses
from jmlr.training import judging
from jmlr.training.judging import judge

pytestmark = pytest.mark.numerical


@pytest.fixture
def prompts(tiny_tokenizer, prompt_settings, tiny_questions, tiny_passages):
    """Prompts of three questions with four passages each, one passage a prompt."""

    def write(layout: str):
        writer = PromptWriter(tiny_tokenizer, prompt_settings.model_copy(update={"layout": layout}))
        return [
            [writer.write(question, 1, [passage]) for passage in tiny_passages[4 * row : 4 * row + 4]]
            for row, question in enumerate(tiny_questions[:3])
        ]

    return write


@pytest.fixture
def calls(monkeypatch):
    """How often each way of judging was taken."""
    counts = dict.fromkeys(("answer_losses", "answer_losses_after"), 0)

    def counted(name, original):
        def call(*args):
            counts[name] += 1
            return original(*args)

        return call

    for name in counts:
        monkeypatch.setattr(judging, name, counted(name, getattr(judging, name)))
    return counts


@pytest.mark.parametrize(
    ("layout", "way"), [("passages_first", "answer_losses"), ("question_first", "answer_losses_after")]
)
@pytest.mark.parametrize(("tokens", "least_batches"), [(8192, 1), (60, 3)])
def test_every_way_gives_the_loss_of_a_prompt_alone(
    make_tiny_reader, prompts, calls, monkeypatch, layout, way, tokens, least_batches
):
    monkeypatch.setattr(judging, "JUDGED_TOKENS", tokens)
    reader, rows = make_tiny_reader().train(), prompts(layout)
    found = judge(reader, rows, 0)
    assert reader.training
    assert calls[way] >= least_batches
    assert sum(calls.values()) == calls[way]
    expected = torch.stack([answer_losses(reader.eval(), pad([item], 0))[0] for row in rows for item in row])
    assert_close(found, expected.detach().view(3, 4))
    assert found.std() > 0.01


def test_a_sharded_reader_is_called_once(make_tiny_reader, prompts, calls, monkeypatch):
    monkeypatch.setattr(judging.processes, "is_sharded", lambda model: True)
    monkeypatch.setattr(judging, "JUDGED_TOKENS", 60)
    found = judge(make_tiny_reader(), prompts("question_first"), 0)
    assert calls == {"answer_losses": 1, "answer_losses_after": 0}
    assert found.shape == (3, 4)
