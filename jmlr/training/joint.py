"""The joint step: retrieve, sample, ask the reader which passages help, and teach both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from jmlr.losses import retriever_loss
from jmlr.models.maxsim import maxsim
from jmlr.models.prompt import Prompted, PromptWriter, ReaderBatch, pad
from jmlr.models.reader import answer_token_losses
from jmlr.models.retriever import Retriever
from jmlr.settings import TrainSettings
from jmlr.training import processes
from jmlr.training.chunked_encoding import encode_in_chunks
from jmlr.training.judging import judge
from jmlr.training.pools import Pools
from jmlr.training.sampling import sample_passages
from jmlr.types import Passage, Question

NEGLIGIBLE_PULL = 0.02


@dataclass(frozen=True)
class Corpus:
    """What a training reads: its questions, all passages, and each question's pool."""

    questions: Sequence[Question]
    passages: Sequence[Passage]
    pools: Pools


@dataclass(frozen=True)
class StepLoss:
    """Float32 scalars of one step; `total` carries the gradient. Nats.

    `sampled_reader` is the mean of what the reader says of the sampled passages: its loss given one alone, or for the
    objective loop given all but one.
    """

    total: torch.Tensor
    reader: torch.Tensor
    retriever: torch.Tensor | None = None
    sampled_reader: torch.Tensor | None = None
    score_spread: float | None = None


class JointModel(nn.Module):
    """Retriever and reader under one roof, so that one optimizer, Trainer and checkpoint hold both.

    Args:
        arm: `closed_book` reads nothing; `rag` reads what the frozen retriever finds; `jmlr` trains both.
        retriever: ColBERT; None for the closed book.
        reader: a causal language model.
        writer: of the prompts.
        corpus: questions, passages and pools.
        settings: of the step.
    """

    def __init__(
        self,
        arm: str,
        models: tuple[Retriever | None, nn.Module],
        writer: PromptWriter,
        corpus: Corpus,
        settings: TrainSettings,
    ) -> None:
        super().__init__()
        self.arm, self.settings = arm, settings
        self.retriever, self.reader = models
        self._writer, self._corpus = writer, corpus
        if self.retriever is not None:
            self.retriever.requires_grad_(arm == "jmlr")

    @property
    def training_components(self) -> tuple[str, ...]:
        """What this arm trains: the reader, the joint arm the retriever too."""
        return ("reader", "retriever") if self.arm == "jmlr" else ("reader",)

    def train(self, mode: bool = True) -> JointModel:
        """Training mode for the reader; the retriever's dropout stays off, so that stored and live scores compare."""
        super().train(mode)
        if self.retriever is not None:
            self.retriever.eval()
        return self

    def forward(self, rows: torch.Tensor, draw_seed: int) -> StepLoss:
        """Losses of the questions numbered `rows`, int64 (B,); `draw_seed` seeds the sampling of passages.

        Source: arXiv 2402.17887, section 3, steps 1 to 6; docs/architecture.md, The joint step.
        """
        questions = [self._corpus.questions[row] for row in rows.tolist()]
        if self.retriever is None:
            return self._sum(self._reading_loss(questions, [[] for _ in questions]))
        with torch.set_grad_enabled(self.arm == "jmlr" and torch.is_grad_enabled()):
            queries = self.retriever.encode_queries([question.text for question in questions])
        places, scores = self._corpus.pools.scored(rows, queries)
        reading = self._reading_loss(questions, self._best(places))
        if self.arm == "rag":
            return self._sum(reading)
        return self._ranked(questions, queries, (places, scores), reading, draw_seed)

    def _ranked(
        self,
        questions: list[Question],
        queries: torch.Tensor,
        pool: tuple[torch.Tensor, torch.Tensor],
        reading: torch.Tensor,
        draw_seed: int,
    ) -> StepLoss:
        """Adds the retriever's loss on M sampled passages a question, encoded with gradient."""
        places, pool_scores = pool
        sampling = self.settings.sampling
        generator = torch.Generator().manual_seed(draw_seed)
        drawn = sample_passages(pool_scores, sampling.passages, sampling.sharpness, generator)
        sampled = places.gather(1, drawn.to(places.device))
        if self.settings.objective.name == "loop":
            losses = self._losses_without_each(questions, sampled, drawn)
        else:
            losses = self._losses_alone(questions, sampled)
        scores = self._live_scores(queries, sampled, losses)
        ranking = retriever_loss(self.settings.objective, scores, losses)
        return StepLoss(
            total=reading + ranking,
            reader=reading.detach(),
            retriever=ranking.detach(),
            sampled_reader=losses.mean(),
            score_spread=float(scores.detach().std(dim=1, correction=0).mean()),
        )

    def _live_scores(self, queries: torch.Tensor, sampled: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
        """MaxSim with gradient of sampled passages, float32 (B, M).

        Every question's vectors get the gradient of all its passages. Passages are encoded with gradient where the
        loss pulls at them most (`passages_with_gradient` a question, all for None); a pull below
        NEGLIGIBLE_PULL of the strongest is not worth an encoding. The others keep their stored vectors.
        """
        if self.retriever is None:
            raise RuntimeError("the closed book has no retriever")
        store = self._corpus.pools.store
        limit = self.settings.sampling.passages_with_gradient
        if limit is None:
            rows, columns = torch.ones_like(sampled, dtype=torch.bool).nonzero(as_tuple=True)
            scores = torch.zeros(sampled.shape, device=sampled.device)
        else:
            scores = maxsim(queries, store.embeddings[sampled].float(), store.mask[sampled])
            rows, columns = self._strongest_pulls(scores, losses, limit)
        if not len(rows):
            if not processes.is_sharded(self.retriever):
                return scores
            # One passage, pulled at or not: other processes run the encoder now, and wait for this one.
            rows, columns = torch.zeros(2, 1, dtype=torch.long, device=sampled.device)
        unique, inverse = sampled[rows, columns].unique(return_inverse=True)
        texts = [self._corpus.passages[number].indexed_text for number in unique.tolist()]
        chunk = None if processes.is_sharded(self.retriever) else self.settings.sampling.encode_chunk_passages
        vectors, mask = encode_in_chunks(self.retriever, texts, chunk)
        live = maxsim(queries[rows], vectors[inverse][:, None], mask[inverse][:, None])[:, 0]
        return scores.index_put((rows, columns), live)

    def _strongest_pulls(
        self, scores: torch.Tensor, losses: torch.Tensor, limit: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows and columns of the `limit` passages of each question whose score the loss would change most."""
        still = scores.detach().requires_grad_()
        (pull,) = torch.autograd.grad(retriever_loss(self.settings.objective, still, losses), still)
        pull = pull.abs()
        bar = pull.topk(min(limit, pull.shape[1]), dim=1).values[:, -1:].clamp_min(NEGLIGIBLE_PULL * pull.max())
        return torch.nonzero((pull >= bar) & (pull > 0), as_tuple=True)

    def _losses_alone(self, questions: list[Question], sampled: torch.Tensor) -> torch.Tensor:
        """The reader's mean answer-token loss given each sampled passage alone, float32 (B, M), nats.

        The loss l_i is over all that the reader is taught to say, the rationale too where there is one: as in the
        paper, a passage helps if it helps to explain the answer, not only to name its letter.
        """
        prompted = [
            [self._write(question, [number]) for number in row]
            for question, row in zip(questions, sampled.tolist(), strict=True)
        ]
        return self._judge(prompted)

    def _losses_without_each(
        self, questions: list[Question], sampled: torch.Tensor, ranks: torch.Tensor
    ) -> torch.Tensor:
        """The reader's mean answer-token loss given all sampled passages of a question but one, float32 (B, M), nats.

        The passages are read best last; `ranks`, int64 (B, M), are their places in the pool, 0 for its best. A passage
        that the bound on the context leaves out anyway changes nothing by its absence.
        """
        prompted = []
        for question, numbers, places in zip(questions, sampled.tolist(), ranks.tolist(), strict=True):
            best_first = [number for _, number in sorted(zip(places, numbers, strict=True))]
            rest = [[number for number in best_first if number != absent] for absent in numbers]
            prompted.append([self._write(question, row) for row in rest])
        return self._judge(prompted)

    def _judge(self, prompted: list[list[Prompted]]) -> torch.Tensor:
        return judge(self.reader, prompted, self._writer.pad_id)

    def _reading_loss(self, questions: list[Question], read: list[list[int]]) -> torch.Tensor:
        """Mean loss of all answer tokens of the batch, float32 scalar, nats: a rationale counts by its tokens."""
        prompted = [self._write(question, numbers) for question, numbers in zip(questions, read, strict=True)]
        return answer_token_losses(self.reader, self._batch(prompted))[0].mean()

    def _best(self, places: torch.Tensor) -> list[list[int]]:
        """The k best passages of each pool, best first; places that a small pool leaves empty are skipped."""
        return [[number for number in row if number >= 0] for row in places[:, : self.settings.read_passages].tolist()]

    def _write(self, question: Question, numbers: list[int]) -> Prompted:
        passages = [self._corpus.passages[number] for number in numbers]
        return self._writer.write_taught(question, passages)

    def _batch(self, prompted: list[Prompted]) -> ReaderBatch:
        device = next(self.reader.parameters()).device
        return pad(prompted, self._writer.pad_id).to(device)

    def _sum(self, reading: torch.Tensor) -> StepLoss:
        return StepLoss(total=reading, reader=reading.detach())
