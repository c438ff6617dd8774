"""Raw rows loaded and whole sources ingested, in memory, for tests to look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from jmlr.settings import IngestSettings, SourceSettings
from jmlr.data.ingest import Places, ingest
from jmlr.data.runners import run_here
from jmlr.data.tables import read_leaks, read_passages, read_questions
from jmlr.types import Passage, Question, Row


def by_kind(rows: list[Row]) -> SimpleNamespace:
    return SimpleNamespace(
        passages=[row for row in rows if isinstance(row, Passage)],
        questions=[row for row in rows if isinstance(row, Question)],
        rejected=[row for row in rows if not isinstance(row, (Passage, Question))],
    )


@pytest.fixture(scope="session")
def load() -> Callable[..., SimpleNamespace]:
    """The rows of one file or several in a format, by kind."""

    def loaded(data_format: ModuleType, files: Path | list[Path], source: SourceSettings) -> SimpleNamespace:
        files = files if isinstance(files, list) else [files]
        return by_kind([row for file in files for row in data_format.load(file, source)])

    return loaded


@pytest.fixture(scope="session")
def word_tokenizer() -> str:
    """A tokenizer to which each word and each mark is one token, as the text of its tokenizer.json."""
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer.to_str()


@pytest.fixture(scope="session")
def ingest_settings() -> Callable[..., IngestSettings]:
    """Settings of sources below a root; keyword arguments replace keys."""

    def made(root: Path | str, *sources: dict[str, Any], **changes: Any) -> IngestSettings:
        values: dict[str, Any] = {
            "root": str(root),
            "sources": [{"format": "jsonl", "licence": "MIT", **source} for source in sources],
            "passage_tokens": 50,
            "overlap_tokens": 5,
            "drop_copies": True,
            "languages": None,
            "rationales_as_passages": False,
            "leakage": {"similar_questions": 0.9, "ngram_words": 13, "covered_share": 0.5},
            "dev_fraction": 0.0,
            "test_fraction": 0.5,
            "max_questions": None,
            "max_passages": None,
        }
        return IngestSettings.model_validate({**values, **changes})

    return made


@pytest.fixture
def ingested(tmp_path, word_tokenizer) -> Callable[..., SimpleNamespace]:
    """Ingests into a temporary folder and reads back what was written."""

    def run(settings: IngestSettings, seed: int = 1, tokenizer: str = word_tokenizer) -> SimpleNamespace:
        out = tmp_path / "out"
        tables = ("passages.parquet", "questions.parquet", "leaks.parquet", "rejects.csv", "counts.json")
        places = Places(tmp_path / "shards", *(out / name for name in tables))
        counts = ingest(settings, seed, tokenizer, places, run_here)
        return SimpleNamespace(
            counts=counts,
            passages=read_passages(places.passages),
            questions=read_questions(places.questions),
            leaks=read_leaks(places.leaks),
            rejects=places.rejects.read_text(encoding="utf-8"),
            places=places,
        )

    return run
