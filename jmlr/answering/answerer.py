"""The one path from a question to an answer with its passages: evaluation, `jmlr ask` and serving all take it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from tqdm import tqdm

from jmlr.answering.answered import Answered, Journal
from jmlr.data.tables import read_passages
from jmlr.errors import DataError
from jmlr.index.candidates import check_questions
from jmlr.index.fusion import Hybrid, PassageSearch
from jmlr.index.search import Searcher
from jmlr.models import device
from jmlr.models import reader as readers
from jmlr.models.packing import pack
from jmlr.models.prompt import Prompted, PromptWriter
from jmlr.models.reader_check import check_reader
from jmlr.models.retriever import Retriever
from jmlr.settings import Settings
from jmlr.types import Hit, Passage, Question

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load_search(
    retriever_folder: Path, index_folder: Path, passages: Sequence[Passage], settings: Settings
) -> PassageSearch:
    """The search of a bound pair of retriever and index, fused with BM25 if `index.hybrid` says so.

    Raises:
        FingerprintMismatch: if retriever, index and passages do not belong together.
    """
    return with_words(load_searcher(retriever_folder, index_folder, passages, settings), passages, settings)


def with_words(searcher: Searcher, passages: Sequence[Passage], settings: Settings) -> PassageSearch:
    """The search, fused with BM25 if `index.hybrid` says so."""
    if not settings.index.hybrid:
        return searcher
    from jmlr.index.bm25 import Bm25

    return Hybrid(searcher, Bm25(passages))


def load_searcher(
    retriever_folder: Path, index_folder: Path, passages: Sequence[Passage], settings: Settings
) -> Searcher:
    """The retriever's own search, whatever `index.hybrid` says.

    Raises:
        FingerprintMismatch: if retriever, index and passages do not belong together.
    """
    retriever = Retriever.load(retriever_folder, settings.index)
    retriever.to(device.best())
    return Searcher.load(index_folder, retriever, retriever_folder, list(passages))


@dataclass
class Answerer:
    """Retrieves passages, reads the best of them, and weighs the options by their likelihood.

    Attributes:
        reader: a causal language model, in evaluation mode.
        writer: of the prompts.
        passages: all passages by id.
        settings: of the whole project.
        search: None for the closed book.
        journal: keeps the answers of `read`, and answers from what it kept; None: nothing is kept.
    """

    reader: PreTrainedModel
    writer: PromptWriter
    passages: Mapping[str, Passage]
    settings: Settings
    search: PassageSearch | None = None
    journal: Journal | None = None

    @classmethod
    def load(
        cls, retriever_folder: Path, reader_folder: Path, index_folder: Path, passages_file: Path, settings: Settings
    ) -> Answerer:
        """The trained pair with its index.

        Raises:
            FingerprintMismatch: if retriever, index and passages do not belong together.
            MissingResource: if a model is not there.
        """
        passages = read_passages(passages_file)
        search = load_search(retriever_folder, index_folder, passages, settings)
        return cls.load_reader(reader_folder, passages, settings, search)

    @classmethod
    def load_reader(
        cls, reader_folder: Path, passages: Sequence[Passage], settings: Settings, search: PassageSearch | None = None
    ) -> Answerer:
        """A reader with given passages; no search, no retrieval.

        Raises:
            MissingResource: if the reader is not there.
            ConfigError: if it has fewer positions than the settings ask for.
            TrainingFailed: if it does something with its logits or positions that jmlr.models.reader does not know.
        """
        # Shifted sparse attention is for training alone; answering attends fully.
        attention = "sdpa" if settings.train.reader.attention == "shifted_sparse" else settings.train.reader.attention
        reader, tokenizer = readers.load(reader_folder, attention=attention, dtype=settings.train.reader.dtype)
        reader.to(device.best()).eval()
        check_reader(reader)
        by_id = {passage.passage_id: passage for passage in passages}
        writer = PromptWriter(tokenizer, settings.prompt)
        writer.refuse_long_prompts(reader.config, settings.train.read_passages)
        return cls(reader, writer, by_id, settings, search)

    def answer(self, questions: Sequence[Question]) -> list[Answered]:
        """Retrieve, then read; in the order of `questions`.

        Raises:
            DataError: if a question id comes twice.
        """
        return self.read(questions, self.retrieve(questions))

    def retrieve(self, questions: Sequence[Question]) -> dict[str, list[Hit]]:
        """The best passages of each question by its id, at most `index.candidates`; none without a search.

        Raises:
            DataError: if a question id comes twice.
        """
        check_questions(questions)
        if self.search is None:
            return {question.question_id: [] for question in questions}
        found = self.search.search([question.text for question in questions], self.settings.index.candidates)
        return {question.question_id: hits for question, hits in zip(questions, found, strict=True)}

    def read(
        self, questions: Sequence[Question], hits: Mapping[str, Sequence[Hit]], progress: str = ""
    ) -> list[Answered]:
        """Weighs the options of each question after reading its best `train.read_passages` hits.

        `hits`: by question id, best first; an empty list for a question that is to be read without passages.

        Raises:
            DataError: if a question has no list of hits, or a question id comes twice.
        """
        check_questions(questions)
        for question in questions:
            if question.question_id not in hits:
                raise DataError(
                    "nothing was retrieved for it",
                    expected="a list of hits, empty to read without passages",
                    where=f"question {question.question_id}",
                )
        kept = self.journal.kept if self.journal else {}
        answered = {one.question_id: kept[one.question_id] for one in questions if one.question_id in kept}
        left = self.longest_first([one for one in questions if one.question_id not in kept], hits)
        size = self.settings.evaluate.questions_per_batch
        for start in tqdm(range(0, len(left), size), desc=progress, disable=not progress, unit="batch"):
            batch = list(self._read_batch(left[start : start + size], hits))
            answered.update((one.question_id, one) for one in batch)
            if self.journal:
                self.journal.keep(batch)
        return [answered[question.question_id] for question in questions]

    def longest_first(self, questions: Sequence[Question], hits: Mapping[str, Sequence[Hit]]) -> list[Question]:
        """The questions by the tokens of their prompts: little of a batch is padding, and the first needs most memory.

        `hits`: by question id, best first; as many are read as in `read`.
        """
        tokens = {
            one.question_id: len(self.writer.write(one, 0, self._to_read(one, hits)).prompt_ids) for one in questions
        }
        return sorted(questions, key=lambda one: tokens[one.question_id], reverse=True)

    def _to_read(self, question: Question, hits: Mapping[str, Sequence[Hit]]) -> Sequence[Passage]:
        """The passages that are put before the question: of its best hits those that fit."""
        best = hits[question.question_id][: self.settings.train.read_passages]
        return self.writer.fitting(question, [self.passages[hit.passage_id] for hit in best])

    @torch.inference_mode()
    def _read_batch(self, questions: Sequence[Question], hits: Mapping[str, Sequence[Hit]]) -> Iterator[Answered]:
        found = [hits[question.question_id] for question in questions]
        read = [self._to_read(question, hits) for question in questions]
        rows = [
            [self.writer.write(question, option, passages) for option in range(len(question.options))]
            for question, passages in zip(questions, read, strict=True)
        ]
        packed = pack(rows).to(self.reader.device)
        scores = -readers.mean_by_item(*readers.packed_answer_losses(self.reader, packed)).double().cpu()
        parts = [
            _equal_for_equals(part, row) for part, row in zip(scores.split(list(map(len, rows))), rows, strict=True)
        ]
        return (
            Answered(
                question_id=question.question_id,
                option_scores=tuple(part.tolist()),
                option_probabilities=tuple(part.softmax(0).tolist()),
                hits=tuple(retrieved),
                read_passage_ids=tuple(passage.passage_id for passage in passages),
            )
            for question, part, retrieved, passages in zip(questions, parts, found, read, strict=True)
        )


def _equal_for_equals(scores: torch.Tensor, row: Sequence[Prompted]) -> torch.Tensor:
    """Scores where options of the same tokens have the same score, not two that differ by rounding."""
    answers = [item.answer_ids for item in row]
    return scores[[answers.index(one) for one in answers]]
