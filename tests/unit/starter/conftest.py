"""The starter's conditions, passages and questions, made once."""

from __future__ import annotations

import pytest

from jmlr.settings import StarterReaderSettings
from jmlr.starter import dataset
from jmlr.starter.knowledge import Condition, load


@pytest.fixture(scope="session")
def conditions() -> tuple[Condition, ...]:
    return load()


@pytest.fixture(scope="session")
def passage_rows(conditions) -> dict[str, dict[str, str]]:
    """Passages by id."""
    rows = dataset.make_passages(conditions)
    assert len({row["passage_id"] for row in rows}) == len(rows)
    return {row["passage_id"]: row for row in rows}


@pytest.fixture(scope="session")
def question_rows(conditions) -> list[dict]:
    return dataset.make_questions(conditions)


@pytest.fixture
def starter_reader_settings() -> StarterReaderSettings:
    return StarterReaderSettings(
        vocabulary_tokens=400, hidden_size=64, layers=2, heads=2, steps=3, items_per_step=4, learning_rate=1e-3
    )
