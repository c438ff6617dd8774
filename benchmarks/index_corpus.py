"""Passages and questions of MedQuAD and PubMedQA in any number, and their embeddings, made once and kept.

Up to 30,000 passages are runs of 48 words of the published answers and abstracts, each beginning 40 words after the one
before. More are short: the first half of a published sentence and the second half of another, both drawn by the seed,
so that 300,000 passages are encoded in minutes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from jmlr.config import BaseRetrieverSettings, IndexSettings
from jmlr.config_data import SourceSettings
from jmlr.data.formats import FORMATS
from jmlr.index import generation, manifest
from jmlr.index.build import build
from jmlr.models import retriever as retrievers
from jmlr.types import Passage, Question

SETTINGS = IndexSettings(
    backend="exact", hybrid=False, query_tokens=32, passage_tokens=96, bits=4, kmeans_iterations=4, candidates=30
)
SOURCES = ("medquad", "pubmedqa")
LONG_UP_TO = 30_000
WORDS, STEP_WORDS = 48, 40
_SENTENCE_WORDS = (8, 40)


def embedded(data: Path, work: Path, count: int, seed: int) -> Path:
    """The folder of the generation that holds `count` passages' embeddings; made if it is not there."""
    folder = work / f"index-{count}"
    if not (folder / generation.POINTER).exists():
        build(retriever(data, work, seed), passages(data, count, seed), SETTINGS, folder, seed)
    return generation.current(folder)


def retriever(data: Path, work: Path, seed: int) -> Path:
    """The folder of MiniLM's ColBERT checkpoint; made if it is not there."""
    folder = work / "retriever"
    if not folder.exists():
        source = BaseRetrieverSettings(source="minilm", revision=None, dimension=128)
        texts = [passage.text for passage in passages(data, LONG_UP_TO, seed)]
        retrievers.create(source, SETTINGS, folder, texts, seed)
    return folder


def passages(data: Path, count: int, seed: int) -> list[Passage]:
    """`count` passages with texts that differ, in an order drawn by the seed."""
    draw = np.random.default_rng(seed)
    if count <= LONG_UP_TO:
        texts = sorted({text for answer in _texts(data) for text in _runs(answer.split())})
        texts = [texts[place] for place in draw.permutation(len(texts))[:count]]
    else:
        texts = _joined_halves(_sentences(data), count, draw)
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


def bytes_of(folder: Path) -> int:
    """Size of all files of a generation that a search needs."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and file.name != manifest.FILE)


def _joined_halves(sentences: list[str], count: int, draw: np.random.Generator) -> list[str]:
    halves: dict[str, None] = {}
    while len(halves) < count:
        first, second = (sentences[place].split() for place in draw.integers(len(sentences), size=2))
        halves[" ".join(first[: len(first) // 2] + second[len(second) // 2 :])] = None
    return list(halves)


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
        source = SourceSettings(path=name, format=name, licence="")
        for pattern in FORMATS[name].patterns:
            for path in sorted((data / name).rglob(pattern)):
                rows += [row for row in FORMATS[name].load(path, source) if isinstance(row, (Passage, Question))]
    return rows
