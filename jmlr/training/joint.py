"""Joint training on one page: the step (`JointModel.forward`), and the loop around it (`train_arm`).

A step: pools, reading, the reader's loss, sampling, judging, the retriever's loss. The loop: questions, step, backward,
optimizer, refresh, metrics, checkpoint. Each is one line here, which names the room that does it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from jmlr.errors import TrainingFailed
from jmlr.losses import LOSSES
from jmlr.models.packing import pad
from jmlr.models.prompt import PromptWriter
from jmlr.models.reader import answer_token_losses
from jmlr.models.retriever import Retriever
from jmlr.seeds import seed_of
from jmlr.settings import TrainSettings
from jmlr.training import checkpoint, processes
from jmlr.training.collapse import CollapseGuard
from jmlr.training.cost.budget import CostMeter
from jmlr.training.engine import Engine, whole_weights
from jmlr.training.judging import judge, passages_read
from jmlr.training.live_scores import Judged, live_scores
from jmlr.training.movement import WeightChange, require_movement
from jmlr.training.objective import retriever_loss
from jmlr.training.pools import Pools
from jmlr.training.refresh import PoolRefresh
from jmlr.training.rows import rows_of_steps
from jmlr.training.sampling import sample_passages
from jmlr.training.shares import Shares
from jmlr.training.sink import MetricSink
from jmlr.types import Passage, Question


@dataclass(frozen=True)
class Corpus:
    """What a training reads: its questions, all passages, and each question's pool."""

    questions: Sequence[Question]
    passages: Sequence[Passage]
    pools: Pools


@dataclass(frozen=True)
class StepLoss:
    """Float32 scalars of one step; `total` carries the gradient. Nats.

    `sampled_reader` is the reader's mean loss over its judgements of the sampled passages.
    """

    total: torch.Tensor
    reader: torch.Tensor
    retriever: torch.Tensor | None = None
    sampled_reader: torch.Tensor | None = None
    score_spread: float | None = None

    def metrics(self) -> dict[str, float]:
        """What is logged of it."""
        named = {
            "reader_loss": self.reader,
            "retriever_loss": self.retriever,
            "sampled_reader_loss": self.sampled_reader,
            "score_spread": self.score_spread,
        }
        return {name: float(value) for name, value in named.items() if value is not None}


class JointModel(nn.Module):
    """Retriever and reader in one module, so that one optimizer and one checkpoint hold both.

    Args:
        arm: `closed_book` reads nothing; `rag` reads what the frozen retriever finds; `jmlr` trains both.
        models: the retriever, a ColBERT (None for the closed book), and the reader, a causal language model.
        writer: of the reader's prompts.
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
        self.writer, self.corpus = writer, corpus
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
        questions = [self.corpus.questions[row] for row in rows.tolist()]
        best: list[list[int]] = [[] for _ in questions]

        # Pools: K candidates of each question, int64 (B, K), best first under the live question vectors.
        if self.retriever is not None:
            with torch.set_grad_enabled(self.arm == "jmlr" and torch.is_grad_enabled()):
                queries = self.retriever.encode_queries([question.text for question in questions])
            pool, pool_scores = self.corpus.pools.scored(rows, queries)
            read = pool[:, : self.settings.read_passages].tolist()
            best = [[number for number in row if number >= 0] for row in read]

        # Reading, and the reader's loss. Before judging: in bfloat16 the other order has other gradients.
        reading = self.reading_loss(questions, best)
        if self.retriever is None or self.arm != "jmlr":
            return StepLoss(total=reading, reader=reading.detach())

        # Sampling: M of the pool, drawn without replacement.
        sampling, generator = self.settings.sampling, torch.Generator().manual_seed(draw_seed)
        drawn = sample_passages(pool_scores, sampling.passages, sampling.sharpness, generator)
        sampled = pool.gather(1, drawn.to(pool.device))

        # Judging: the reader's loss with each sampled passage, float32 (B, M), without gradient.
        losses = self.judged(questions, sampled, drawn)

        # The retriever's loss: live scores, float32 (B, M), against what the reader says.
        scores = live_scores(self.retriever, queries, Judged(sampled, losses), self.corpus.pools, self.settings)
        ranking = retriever_loss(self.settings.objective, scores, losses)

        return StepLoss(
            total=reading + ranking,
            reader=reading.detach(),
            retriever=ranking.detach(),
            sampled_reader=losses.mean(),
            score_spread=float(scores.detach().std(dim=1, correction=0).mean()),
        )

    def judged(self, questions: Sequence[Question], sampled: torch.Tensor, ranks: torch.Tensor) -> torch.Tensor:
        """The reader's mean answer-token loss for each sampled passage, float32 (B, M), nats.

        The loss is over all that the reader is taught to say, the rationale too where there is one. As in the paper, a
        passage helps if it helps to explain the answer, not only to name its letter.

        Args:
            questions: B of them.
            sampled: passage numbers, int64 (B, M).
            ranks: their places in the pool, int64 (B, M), 0 for its best.
        """
        evidence = LOSSES[self.settings.objective.name].evidence
        prompted = [
            [self.writer.write_taught(question, self._passages(read)) for read in passages_read(evidence, *row)]
            for question, *row in zip(questions, sampled.tolist(), ranks.tolist(), strict=True)
        ]
        return judge(self.reader, prompted, self.writer.pad_id)

    def reading_loss(self, questions: Sequence[Question], read: Sequence[Sequence[int]]) -> torch.Tensor:
        """Mean loss of all answer tokens of the batch, float32 scalar, nats: a rationale counts by its tokens."""
        prompted = [
            self.writer.write_taught(question, self._passages(numbers))
            for question, numbers in zip(questions, read, strict=True)
        ]
        batch = pad(prompted, self.writer.pad_id).to(next(self.reader.parameters()).device)
        return answer_token_losses(self.reader, batch)[0].mean()

    def _passages(self, numbers: Sequence[int]) -> list[Passage]:
        return [self.corpus.passages[number] for number in numbers]


@dataclass(frozen=True)
class ArmRun:
    """How an arm is trained: its seed, where checkpoints lie, where metrics go, and what counts its cost."""

    seed: int
    checkpoints: Path
    sink: MetricSink
    cost: CostMeter | None = None


def train_arm(model: JointModel, run: ArmRun) -> dict[str, float]:
    """Trains `model` in place, going on from the last checkpoint where there is one.

    The checkpoints stay, so that nothing is lost before the caller has saved the models; `checkpoint.forget` removes
    them. Every process of a launcher calls this.

    Returns:
        seconds (of this process), the costs of refreshes, steps, and how far each component moved.

    Raises:
        TrainingFailed: if something that trains does not move or the retriever collapses, or if the last checkpoint,
            or the number of questions, does not fit the number of processes.
        BudgetReached: if the device hours of `run.cost` are spent; the checkpoint is saved then.
    """
    started, settings, pools = time.monotonic(), model.settings, model.corpus.pools
    count, share = len(model.corpus.questions), (processes.rank(), processes.world_size())
    _check_processes(run, min(settings.questions_per_step, count))
    processes.join()
    torch.manual_seed(run.seed)
    if settings.deepspeed is None:
        model.to(processes.device())
    change, shares, engine = WeightChange(model), Shares(model), Engine(model.train(), settings)
    refresh, guard, cost = PoolRefresh(model, run.seed), CollapseGuard(settings.collapse), run.cost
    done = checkpoint.go_on(run.checkpoints, engine, pools, (refresh, guard))
    refresh.begin()
    if cost is not None:
        cost.begin(model, done, lambda: refresh.costs["refresh_seconds"])

    questions = rows_of_steps(count, settings.questions_per_step, seed=run.seed, share=share)
    bar = tqdm(total=settings.steps, initial=done, desc=f"training {model.arm}", disable=not processes.is_first())
    for step, rows in enumerate(islice(questions, done, settings.steps), start=done + 1):
        shares.of_step(rows)
        loss = engine.forward(rows, seed_of(run.seed, "passages of a step", step - 1, processes.rank()))
        metrics = shares.mean(loss.metrics())
        if model.arm == "jmlr":
            metrics["distinct_top_1"] = pools.share(rows)
        engine.backward(loss.total)
        metrics |= engine.step(step)
        metrics |= refresh.after(step)
        is_spent = cost is not None and cost.after(step)
        with whole_weights(model):
            moved = change.measure(model)
        metrics |= moved | engine.rates()
        if processes.is_first():
            run.sink.log(step, metrics)
        if step > max(1, settings.warmup_steps):  # the first step of a warm-up has rate 0
            require_movement(moved, model.training_components)
        guard.check(step, metrics)
        bar.set_postfix(loss=f"{loss.total.item():.3f}", refresh=False)
        bar.update()
        if is_spent or step == settings.steps or step % settings.save_every_steps == 0:
            checkpoint.save(run.checkpoints, step, engine, pools, (refresh, guard))
        if cost is not None and is_spent:
            raise cost.spent()
    bar.close()
    with whole_weights(model):
        moved = change.measure(model)
    require_movement(moved, model.training_components)
    return {"seconds": time.monotonic() - started, **refresh.costs, "steps": settings.steps, **moved}


def _check_processes(run: ArmRun, questions_of_step: int) -> None:
    together = processes.world_size()
    checkpoint.check_world_size(run.checkpoints, together)
    if questions_of_step < together:
        raise TrainingFailed(
            f"a step has {questions_of_step} question(s) for {together} processes",
            expected="at least one for each",
            where="params.yaml, train.questions_per_step",
            next_step="raise it, or start fewer processes",
        )
