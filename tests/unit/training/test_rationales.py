"""Training on letters and rationales: both losses of the step are over all that is taught."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from closeness import FLOAT32

from jmlr.models import reader as readers
from jmlr.models.packing import pad
from jmlr.models.prompt import PromptWriter
from jmlr.training.ledger import describe_rationales
from jmlr.training.shares import _answer_tokens

pytestmark = pytest.mark.numerical

ROWS = torch.tensor([0, 3, 7])


@pytest.fixture
def explained(tiny_questions):
    """The questions, those of even number with a rationale."""
    return [
        dataclasses.replace(question, rationale="gout is pain in the toe" if number % 2 == 0 else "")
        for number, question in enumerate(tiny_questions)
    ]


@pytest.fixture
def make_explained(make_joint, explained, prompt_settings, tiny_tokenizer, tokenizer_of_kind, make_tiny_reader):
    """Builds an arm that is taught letters with rationales; `kind` is of its reader's tokenizer."""
    settings = prompt_settings.model_copy(
        update={"options": "shown", "answer": "letter_rationale", "answer_tokens": 40}
    )

    def make(arm: str, kind: str = "starter"):
        model = make_joint(arm)
        tokenizer = tiny_tokenizer if kind == "starter" else tokenizer_of_kind(kind)
        model.reader = make_tiny_reader(vocab_size=len(tokenizer), pad_token_id=None)
        model.writer = PromptWriter(tokenizer, settings)
        model.corpus = dataclasses.replace(model.corpus, questions=explained)
        return model

    return make


def said_tokens(model, question) -> list[int]:
    """Letter, rationale and end of a question, from the texts alone."""
    tokenizer = model.writer.tokenizer
    before = tokenizer("Answer:")["input_ids"]
    said = f"B. {question.rationale}" if question.rationale else "B"
    return [*tokenizer(f"Answer: {said}")["input_ids"][len(before) :], tokenizer.eos_token_id]


@torch.no_grad()
def slow_losses(model, question, passages) -> list[float]:
    """Loss of every token that is taught after these passages, one pass a token."""
    ids = list(model.writer.write(question, 1, passages).prompt_ids)
    losses = []
    for token in said_tokens(model, question):
        losses.append(-model.reader(torch.tensor([ids])).logits[0, -1].log_softmax(-1)[token].item())
        ids.append(token)
    return losses


@pytest.mark.parametrize("kind", ["starter", "llama_legacy"])
def test_the_reader_learns_from_every_token_of_letter_and_rationale(make_explained, explained, kind):
    model = make_explained("closed_book", kind)
    tokens = [loss for row in ROWS.tolist() for loss in slow_losses(model, explained[row], [])]
    assert len(tokens) > 3 * 2
    assert model(rows=ROWS, draw_seed=1).reader.item() == pytest.approx(sum(tokens) / len(tokens), rel=FLOAT32)


def test_passages_are_judged_by_the_mean_over_letter_and_rationale_as_in_the_paper(
    make_explained, explained, tiny_passages
):
    model = make_explained("jmlr")
    sampled = torch.tensor([[0, 5, 9], [2, 4, 6]])
    asked = [explained[0], explained[3]]
    judged = model.judged(asked, sampled, sampled)
    for row, question in enumerate(asked):
        for column, number in enumerate(sampled[row].tolist()):
            tokens = slow_losses(model, question, [tiny_passages[number]])
            assert judged[row, column].item() == pytest.approx(sum(tokens) / len(tokens), rel=FLOAT32)
    letters = [model.writer.write(asked[0], 1, [tiny_passages[number]]) for number in sampled[0].tolist()]
    of_letters = readers.answer_losses(model.reader, pad(letters, 0))
    assert not torch.allclose(judged[0], of_letters, atol=0.1)


@pytest.mark.parametrize("kind", ["llama_legacy", "byte_level_without_ends"])
def test_a_step_teaches_readers_of_other_tokenizers_too(make_explained, kind):
    """SentencePiece with a start token, and a reader without start, end and pad token."""
    model = make_explained("jmlr", kind).train()
    loss = model(rows=ROWS, draw_seed=1)
    loss.total.backward()
    assert loss.reader.isfinite()
    moved = [model.reader.model.embed_tokens.weight, next(iter(model.retriever.parameters()))]
    assert all(weight.grad.abs().max() > 0 for weight in moved)


def test_processes_share_a_step_by_all_that_is_taught(make_explained, explained):
    model = make_explained("closed_book")
    assert _answer_tokens(model).tolist() == [len(said_tokens(model, question)) for question in explained]


def test_the_ledger_counts_rationales_and_those_that_are_cut(make_explained, explained):
    writer = make_explained("closed_book").writer
    explained[2] = dataclasses.replace(explained[2], rationale="gout and kidney stone " * 20)
    assert describe_rationales(writer, explained) == {"questions": 12, "with_rationale": 6, "cut": 1}
