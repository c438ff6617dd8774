"""Passages and questions of MedQuAD and PubMedQA in any number, and their embeddings, made once and kept.

Up to 30,000 passages are runs of 48 words of the published answers and abstracts, each beginning 40 words after the one
before. Further ones are not encoded, which would take hours on two cores, but put together: two runs of about 14
embeddings of the 30,000 passages, drawn by the seed, and noise on each embedding (cosine with the encoded one: 0.97).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from jmlr.data.formats import FORMATS
from jmlr.files import making, write_text
from jmlr.index import generation
from jmlr.index.build import build
from jmlr.index.embeddings import OFFSETS_FILE, VECTORS_FILE, StoredEmbeddings, write_passages
from jmlr.models import retriever as retrievers
from jmlr.settings import BaseRetrieverSettings, IndexSettings, SourceSettings
from jmlr.types import Passage, Question

SETTINGS = IndexSettings(
    backend="exact", hybrid=False, query_tokens=32, passage_tokens=96, bits=4, kmeans_iterations=4, candidates=30
)
SOURCES = ("medquad", "pubmedqa")
ENCODED = 30_000
WORDS, STEP_WORDS = 48, 40
PUT_TOGETHER, RUN_EMBEDDINGS, NOISE, BLOCK = "puttogether", 14, 0.25, 100_000
_SENTENCE_WORDS = (8, 40)


def embedded(data: Path, work: Path, count: int, seed: int) -> Path:
    """The folder of the generation that holds `count` passages' embeddings; made if it is not there."""
    folder = work / f"index-{count}"
    if not (folder / generation.POINTER).exists():
        if count > ENCODED:
            with making(folder / generation.name(1, PUT_TOGETHER)) as unfinished:
                put_together(StoredEmbeddings.open(embedded(data, work, ENCODED, seed)), count, unfinished, seed)
            write_text(folder / generation.POINTER, generation.name(1, PUT_TOGETHER) + "\n")
        else:
            build(retriever(data, work, seed), passages(data, count, seed), SETTINGS, folder, seed)
    return generation.current(folder)


def put_together(encoded: StoredEmbeddings, count: int, folder: Path, seed: int) -> None:
    """Writes embeddings of `count` passages, each of two runs of embeddings of encoded ones, into `folder`."""
    draw = np.random.default_rng(seed)
    lengths = draw.integers(RUN_EMBEDDINGS - 4, RUN_EMBEDDINGS + 5, size=2 * count)
    ends = lengths.cumsum()
    np.save(folder / OFFSETS_FILE, np.concatenate(([0], ends[1::2])))
    shape = int(ends[-1]), encoded.vectors.shape[1]
    vectors = np.lib.format.open_memmap(folder / VECTORS_FILE, mode="w+", dtype=np.float16, shape=shape)
    starts = (draw.random(2 * count) * (len(encoded.vectors) - RUN_EMBEDDINGS - 5)).astype(np.int64)
    rows = np.repeat(starts - (ends - lengths), lengths) + np.arange(ends[-1])
    for first in range(0, len(rows), BLOCK):
        block = encoded.vectors[rows[first : first + BLOCK]].astype(np.float32)
        block += draw.standard_normal(block.shape, dtype=np.float32) * NOISE / np.sqrt(block.shape[1])
        vectors[first : first + BLOCK] = block / np.linalg.norm(block, axis=1, keepdims=True)
    write_passages(folder, [Passage(f"p{number:06d}", str(number)) for number in range(count)])


def retriever(data: Path, work: Path, seed: int) -> Path:
    """The folder of MiniLM's ColBERT checkpoint; made if it is not there."""
    folder = work / "retriever"
    if not folder.exists():
        source = BaseRetrieverSettings(source="minilm", revision=None, dimension=128)
        texts = [passage.text for passage in passages(data, ENCODED, seed)]
        retrievers.create(source, SETTINGS, folder, texts, seed)
    return folder


def passages(data: Path, count: int, seed: int) -> list[Passage]:
    """`count` passages with texts that differ, in an order drawn by the seed."""
    draw = np.random.default_rng(seed)
    texts = sorted({text for answer in _texts(data) for text in _runs(answer.split())})
    texts = [texts[place] for place in draw.permutation(len(texts))[:count]]
    if len(texts) < count:
        raise ValueError(f"{data} has text for {len(texts)} passages only, not {count}")
    return [Passage(f"p{number:06d}", text) for number, text in enumerate(texts)]


def questions(data: Path, count: int, seed: int) -> list[Question]:
    """Published questions in an order drawn by the seed, and sentences of the answers where there are too few."""
    draw = np.random.default_rng(seed + 1)
    asked = sorted({row.text for row in _rows(data) if isinstance(row, Question)})
    sentences = _sentences(data)
    texts = [asked[place] for place in draw.permutation(len(asked))[:count]]
    texts += [sentences[place] for place in draw.permutation(len(sentences))[: count - len(texts)]]
    return [Question(f"q{number:05d}", text, ("yes", "no"), 0, "train") for number, text in enumerate(texts)]


def _runs(words: list[str]) -> Iterator[str]:
    """Runs of WORDS words; an end of fewer is left out, if it is not the whole text."""
    for start in range(0, max(1, len(words) - WORDS + 1), STEP_WORDS):
        yield " ".join(words[start : start + WORDS])


@cache
def _sentences(data: Path) -> list[str]:
    split = (sentence for text in _texts(data) for sentence in re.split(r"(?<=[.!?])\s+", text))
    fewest, most = _SENTENCE_WORDS
    return sorted({sentence for sentence in split if fewest <= len(sentence.split()) <= most})


def _texts(data: Path) -> list[str]:
    return [row.text for row in _rows(data) if isinstance(row, Passage)]


@cache
def _rows(data: Path) -> list[Passage | Question]:
    rows: list[Passage | Question] = []
    for name in SOURCES:
        source = SourceSettings(path=name, format=name, licence="see the data set")
        for pattern in FORMATS[name].patterns:
            for path in sorted((data / name).rglob(pattern)):
                rows += [row for row in FORMATS[name].load(path, source) if isinstance(row, (Passage, Question))]
    return rows
