"""The joint step written plainly, as the released JMLR code works: the yardstick of benchmarks/joint_step.py.

One question at a time; all K pool passages are encoded with gradient; the reader reads one passage after another,
each time with the logits of every token over the whole vocabulary. It has none of the released code's errors
(docs/architecture.md), so that its losses can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from synthetic import Bench

from jmlr.losses.llm_rank import scale_minmax
from jmlr.models.maxsim import maxsim
from jmlr.models.packing import pad
from jmlr.models.prompt import Prompted
from jmlr.training.objective import retriever_loss


@dataclass(frozen=True)
class Chosen:
    """Passage numbers of one question: `sampled` for the ranking loss, `read` before the question, best first."""

    sampled: tuple[int, ...]
    read: tuple[int, ...]


def step(bench: Bench, chosen: Sequence[Chosen]) -> tuple[float, float]:
    """Accumulates the gradients of all questions one by one; returns the reader's and the ranking loss, nats.

    Args:
        bench: models and texts.
        chosen: the passages of each question, so that both steps draw the same.
    """
    answer_tokens = [len(_prompt(bench, row, ()).answer_ids) for row in range(len(chosen))]
    reading_sum = ranking_sum = 0.0
    for row, choice in enumerate(chosen):
        scores = _pool_scores(bench, row)
        losses = torch.stack([_loss_alone(bench, row, number) for number in choice.sampled])[None]
        places = torch.tensor([number - row * bench.sizes.pool_passages for number in choice.sampled])
        ranking = retriever_loss(bench.settings.objective, scores[:, places], losses) / len(chosen)
        share = answer_tokens[row] / sum(answer_tokens)
        reading = _answer_loss(bench, _prompt(bench, row, choice.read)) * share
        (reading + ranking).backward()
        reading_sum, ranking_sum = reading_sum + float(reading.detach()), ranking_sum + float(ranking.detach())
    return reading_sum, ranking_sum


def _pool_scores(bench: Bench, row: int) -> torch.Tensor:
    """MaxSim of the question with all its pool, gradient through every passage, float32 (1, K)."""
    retriever, pool = bench.model.retriever, bench.sizes.pool_passages
    queries = retriever.encode_queries([bench.corpus.questions[row].text])
    passages = bench.corpus.passages[row * pool : (row + 1) * pool]
    vectors, mask = retriever.encode_passages([passage.indexed_text for passage in passages])
    scores = maxsim(queries, vectors[None], mask[None])
    # The draw costs its time too; what it gives is replaced by the passages that the other step drew.
    torch.multinomial(torch.softmax(scale_minmax(scores.detach()), dim=1), bench.sizes.sampled_passages)
    return scores


@torch.no_grad()
def _loss_alone(bench: Bench, row: int, number: int) -> torch.Tensor:
    """The reader's loss given one passage, in evaluation mode as in the other step, nats."""
    reader = bench.model.reader
    training = reader.training
    reader.eval()
    loss = _answer_loss(bench, _prompt(bench, row, [number]))
    reader.train(training)
    return loss


def _answer_loss(bench: Bench, prompted: Prompted) -> torch.Tensor:
    """Mean answer-token loss by transformers' own way, with logits at every token."""
    batch = pad([prompted], 0).to(torch.device(bench.hardware.device))
    loss: torch.Tensor = bench.model.reader(
        input_ids=batch.input_ids, attention_mask=batch.attention_mask, labels=batch.labels, use_cache=False
    ).loss
    return loss


def _prompt(bench: Bench, row: int, numbers: Sequence[int]) -> Prompted:
    question = bench.corpus.questions[row]
    return bench.writer.write(question, question.answer_index, [bench.corpus.passages[number] for number in numbers])
