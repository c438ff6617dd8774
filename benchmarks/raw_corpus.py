"""Raw files of made-up passages and questions, the same for the same seed: what ingest is measured on.

Words are whole words of the retriever's vocabulary, drawn after Zipf's law, so that a text has about as many tokens
a word as English has. 3 % of the passages repeat an earlier one but for a word, 1 % were decoded wrongly, 5 % are four
times as long. Every other file is compressed.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

QUESTIONS = 1_000
WORDS = 100
_FILE_PASSAGES = 12_500
_REPEATED, _MISREAD, _LONG = 0.03, 0.01, 0.05
_SENTENCE_WORDS = 14


def write_corpus(folder: Path, passages: int, tokenizer: str, seed: int) -> None:
    """Writes passages-NN.jsonl or .jsonl.gz, and questions.jsonl, to `folder`; nothing where it is there already."""
    if folder.exists():
        return
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    unfinished.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    texts = Texts(tokenizer, rng)
    gold: list[tuple[str, str]] = []
    asked_each = -(-QUESTIONS * _FILE_PASSAGES // passages)
    for number, first in enumerate(range(0, passages, _FILE_PASSAGES)):
        rows = list(_passages(texts, rng, first, min(_FILE_PASSAGES, passages - first)))
        asked = rng.choice(len(rows), min(asked_each, len(rows)), replace=False)
        gold += [(rows[row]["passage_id"], rows[row]["text"]) for row in sorted(asked.tolist())]
        _write(unfinished / f"passages-{number:03d}.jsonl{'.gz' if number % 2 else ''}", rows)
    _write(unfinished / "questions.jsonl", list(_questions(texts, rng, gold[:QUESTIONS])))
    unfinished.rename(folder)


class Texts:
    """Draws made-up texts.

    Args:
        tokenizer: the retriever's, as the text of its tokenizer.json.
        rng: of the draws.
    """

    def __init__(self, tokenizer: str, rng: np.random.Generator) -> None:
        vocabulary = json.loads(tokenizer)["model"]["vocab"]
        words = sorted(word for word in vocabulary if word.isascii() and word.isalpha() and len(word) > 1)
        self._words = rng.permutation(np.array(words, object))
        self._shares = np.cumsum(1 / (np.arange(len(words)) + 2.7))
        self._rng = rng

    def draw(self, count: int) -> str:
        """A text of `count` words, in sentences."""
        places = np.searchsorted(self._shares, self._rng.random(count) * self._shares[-1])
        words = self._words[places].tolist()
        for start in range(0, count, _SENTENCE_WORDS):
            words[start] = words[start].capitalize()
            words[min(start + _SENTENCE_WORDS, count) - 1] += "."
        return " ".join(words)


def _passages(texts: Texts, rng: np.random.Generator, first: int, count: int) -> Iterator[dict[str, Any]]:
    kinds, earlier = rng.random(count), [("", "")] * count
    lengths = rng.integers(WORDS // 2, WORDS * 3 // 2, count)
    for row in range(count):
        title, text = texts.draw(3).rstrip("."), texts.draw(int(lengths[row]) * (4 if kinds[row] > 1 - _LONG else 1))
        if kinds[row] < _REPEATED and row:
            title, repeated = earlier[int(rng.integers(row))]
            words = repeated.split()
            text = " ".join([*words[:-1], "otherwise."])
        elif kinds[row] < _REPEATED + _MISREAD:
            text += " The patient\u00e2\u20ac\u2122s fever."
        earlier[row] = (title, text)
        yield {"passage_id": f"made-{first + row:07d}", "title": title, "text": text}


def _questions(texts: Texts, rng: np.random.Generator, gold: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    for number, (passage_id, text) in enumerate(gold):
        words = text.split()
        answer = " ".join(words[:6])
        options = [texts.draw(6), texts.draw(6), texts.draw(6)]
        right = int(rng.integers(4))
        yield {
            "question_id": f"asked-{number:04d}",
            # One in fifty quotes its passage: a leak to be found.
            "question": " ".join(words[10:40]) if number % 50 == 0 else texts.draw(25),
            "options": [*options[:right], answer, *options[right:]],
            "answer_index": right,
            "subject": f"subject {number % 200}",
            "gold_passage_ids": [passage_id],
        }


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    content = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    path.write_bytes(gzip.compress(content, 6, mtime=0) if path.suffix == ".gz" else content)
