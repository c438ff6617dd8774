"""Ingest as one would write it first: the same job with pandas and ftfy, all rows in memory.

A yardstick for benchmarks/ingest.py. It reads, repairs, cuts, drops copies, maps gold passages, looks
for test questions in passages, and writes both tables; it has no checks, no rejected rows, no splits by subject.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import ftfy
import pandas as pd
from tokenizers import Tokenizer

_WORD, _STOPS = re.compile(r"\w+"), re.compile(r"[.,;:!]+(?!\S)")


def plain_ingest(root: Path, out: Path, tokenizer: str, passage_tokens: int, overlap_tokens: int) -> dict[str, int]:
    """Writes passages.parquet and questions.parquet to `out`; how many rows there are."""
    files = sorted(root.glob("passages-*.jsonl*"))
    passages = pd.concat([pd.read_json(file, lines=True) for file in files], ignore_index=True)
    questions = pd.read_json(root / "questions.jsonl", lines=True)
    for column in ("title", "text"):
        passages[column] = passages[column].map(ftfy.fix_text).str.split().str.join(" ")
    passages = passages.drop_duplicates("passage_id").drop_duplicates(["title", "text"])
    counter = Tokenizer.from_str(tokenizer)
    counter.no_truncation()
    counter.no_padding()
    rows = [
        row for passage in passages.to_dict("records") for row in cut(passage, counter, passage_tokens, overlap_tokens)
    ]
    chunks = without_copies(pd.DataFrame(rows))
    of_row = chunks.groupby("row_id")["passage_id"].agg(list)
    questions["gold_passage_ids"] = [
        [chunk for gold in golds for chunk in of_row.get(gold, [])] for golds in questions["gold_passage_ids"]
    ]
    test = questions.sample(frac=0.25, random_state=1)
    chunks["leaks"] = leaking(chunks["text"], test["question"])
    chunks.to_parquet(out / "passages.parquet")
    questions.to_parquet(out / "questions.parquet")
    return {"passages": len(chunks), "questions": len(questions), "leaks": int(chunks["leaks"].sum())}


def cut(passage: dict[str, Any], counter: Tokenizer, most: int, overlap: int) -> list[dict[str, Any]]:
    """Windows of `most` tokens, title included, that share `overlap`."""
    title_tokens = len(counter.encode(passage["title"], add_special_tokens=False).ids)
    offsets = counter.encode(passage["text"], add_special_tokens=False).offsets
    length, named = most - title_tokens, {**passage, "row_id": passage["passage_id"]}
    if len(offsets) <= length:
        return [named]
    pieces = []
    for number, start in enumerate(range(0, len(offsets) - overlap, length - overlap), start=1):
        window = offsets[start : start + length]
        text = passage["text"][window[0][0] : window[-1][1]]
        pieces.append({**named, "passage_id": f"{passage['passage_id']}#{number}", "text": text})
    return pieces


def without_copies(chunks: pd.DataFrame) -> pd.DataFrame:
    """The rows that no earlier row says already: case, spaces and stops at the end of words do not count."""
    said = (chunks["title"] + "\n" + chunks["text"]).str.casefold()
    said = said.str.replace(_STOPS, "", regex=True).str.split().str.join(" ")
    return chunks[~said.duplicated()].reset_index(drop=True)


def leaking(texts: pd.Series, questions: pd.Series) -> list[bool]:
    """Which texts share 13 words in a row with one of the questions."""
    asked = {run for question in questions for run in runs(question)}
    return [not asked.isdisjoint(runs(text)) for text in texts]


def runs(text: str) -> set[str]:
    """All runs of 13 words."""
    words = words_of(text)
    return {" ".join(words[at : at + 13]) for at in range(len(words) - 12)}


def words_of(text: str) -> list[str]:
    """The words without case and punctuation."""
    return _WORD.findall(text.casefold())
