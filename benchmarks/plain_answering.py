"""Answering written plainly, as one does it without this project: the yardstick of benchmarks/evaluate.py.

One question after the other is encoded and searched for; every option is a forward of its own over the whole prompt,
with the logits of every token over the whole vocabulary. The released code too reads one prompt at a time, but samples
an answer, so that its speed depends on what it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch.nn import functional

from jmlr.answering.answerer import Answerer
from jmlr.index.fusion import PassageSearch
from jmlr.types import Hit, Question

HitsById = Mapping[str, Sequence[Hit]]


def retrieve(search: PassageSearch, questions: Sequence[Question], count: int) -> dict[str, list[Hit]]:
    """The `count` best passages of each question by its id, one search a question."""
    return {question.question_id: search.search([question.text], count)[0] for question in questions}


@torch.inference_mode()
def read(answerer: Answerer, questions: Sequence[Question], hits: HitsById) -> dict[str, list[float]]:
    """Mean log-likelihood a token of every option, nats, by question id; one forward an option."""
    return {question.question_id: _scores(answerer, question, hits) for question in questions}


def _scores(answerer: Answerer, question: Question, hits: HitsById) -> list[float]:
    best = hits[question.question_id][: answerer.settings.train.read_passages]
    passages = [answerer.passages[hit.passage_id] for hit in best]
    scores = []
    for option in range(len(question.options)):
        item = answerer.writer.write(question, option, passages)
        ids = torch.tensor([item.prompt_ids + item.answer_ids], device=answerer.reader.device)
        logits = answerer.reader(input_ids=ids, use_cache=False).logits[0].float()
        first = len(item.prompt_ids)
        scores.append(-functional.cross_entropy(logits[first - 1 : -1], ids[0, first:]).item())
    return scores
