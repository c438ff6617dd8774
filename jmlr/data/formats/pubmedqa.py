"""PubMedQA (PQA-L): abstracts, and yes/no/maybe questions on them. Source: Jin et al. 2019, arXiv 1909.06146.

An abstract's passages are its sections, as published; all of them are the gold passages of its question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jmlr.settings import SourceSettings
from jmlr.data.raw_files import COMPRESSED, field, json_document
from jmlr.data.rows import agreed, answer_index, clean, text_of, texts_of, unread, usable
from jmlr.errors import DataError
from jmlr.types import Passage, Question, Rejected, Row

OPTIONS = ("yes", "no", "maybe")
_KEYS = {"QUESTION", "CONTEXTS", "LABELS", "MESHES", "YEAR", "final_decision", "LONG_ANSWER"}
_KEYS |= {"reasoning_required_pred", "reasoning_free_pred"}
TEST_IDS_FILES = ("test_ground_truth.json", *(f"test_ground_truth.json{suffix}" for suffix in COMPRESSED))


def _sections(row: dict[str, Any], where: str) -> list[tuple[str, str]]:
    """Label and text of an abstract's sections."""
    texts, labels = texts_of(row, "CONTEXTS", where), texts_of(row, "LABELS", where)
    if len(texts) != len(labels):
        raise DataError(f"{len(texts)} CONTEXTS and {len(labels)} LABELS", expected="as many of each", where=where)
    return list(zip(labels, texts, strict=True))


def load(path: Path, source: SourceSettings) -> Iterator[Row]:
    """Abstract sections and questions of one file; the ids in test_ground_truth.json beside it are split test.

    Raises:
        DataError: naming the PubMed id of a row that is not PubMedQA.
    """
    listed = [path.with_name(name) for name in TEST_IDS_FILES if path.with_name(name).exists()]
    truth = {pubmed_id: answer for file in listed for pubmed_id, answer in json_document(file, dict).items()}
    rows, keys = json_document(path, dict), Counter[str]()
    for pubmed_id in rows:
        where = f"{path}, {pubmed_id}"
        row = field(rows, pubmed_id, dict, str(path))
        keys.update(row.keys())
        index = answer_index(text_of(row, "final_decision", where), OPTIONS)
        document_id = f"pubmedqa:{pubmed_id}"
        gold = []
        for number, (label, text) in enumerate(_sections(row, where), start=1):
            passage = Passage(
                passage_id=f"{document_id}:{number}",
                text=text,
                source="pubmedqa",
                document_id=document_id,
                section=label,
                licence=source.licence,
            )
            yield usable(passage, path, f"{pubmed_id} section {number}")
            gold += [passage.passage_id] if text else []
        question = Question(
            question_id=document_id,
            text=clean(field(row, "QUESTION", str, where)),
            options=OPTIONS,
            answer_index=agreed(index, text_of(truth, pubmed_id, where), OPTIONS, where),
            split="test" if pubmed_id in truth else "",
            source="pubmedqa",
            question_type="yes/no/maybe",
            gold_passage_ids=tuple(gold),
            licence=source.licence,
            origin_id=pubmed_id,
            rationale=text_of(row, "LONG_ANSWER", where),
        )
        yield usable(question, path, pubmed_id)
    yield from unread(keys, _KEYS, path)
    # Other files in the folder (PQA-U, PQA-A) have none of the test ids; one that has some should have all.
    for pubmed_id in sorted(truth.keys() - rows.keys()) if truth.keys() & rows.keys() else ():
        yield Rejected(path.as_posix(), pubmed_id, "test id without a question", listed[0].name)
