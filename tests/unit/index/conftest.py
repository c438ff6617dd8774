"""A seeded ColBERT checkpoint of two thin layers, a few dozen passages, and their index."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from jmlr.index import generation
from jmlr.index.build import build
from jmlr.models.retriever import Retriever
from jmlr.settings import IndexSettings
from jmlr.types import Passage

WORDS = (
    "gout joint swelling uric acid crystal toe pain fever cough lung infection heart failure oedema breath kidney "
    "stone blood urine liver bile skin rash itch headache vision nerve muscle weak bone fracture thyroid gland sugar "
    "insulin thirst weight loss sleep anxiety drug dose test scan biopsy treatment surgery cause risk smoking age"
).split()


@pytest.fixture(scope="session")
def settings() -> IndexSettings:
    return IndexSettings(
        backend="plaid", hybrid=False, query_tokens=16, passage_tokens=24, bits=4, kmeans_iterations=3, candidates=10
    )


@pytest.fixture(scope="session")
def passages() -> list[Passage]:
    draw = random.Random(5)
    return [
        Passage(f"p{number:02d}", " ".join(draw.choices(WORDS, k=draw.randint(5, 18))) + ".") for number in range(48)
    ]


@pytest.fixture(scope="session")
def save_retriever(save_tiny_colbert: Callable[..., Path]) -> Callable[..., Path]:
    return partial(save_tiny_colbert, words=WORDS, width=64, dimension=32)


@pytest.fixture(scope="session")
def retriever_folder(save_retriever: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_retriever(tmp_path_factory.mktemp("one") / "retriever", seed=1)


@pytest.fixture(scope="session")
def other_retriever_folder(save_retriever: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_retriever(tmp_path_factory.mktemp("other") / "retriever", seed=2)


@pytest.fixture
def retriever(retriever_folder: Path, settings: IndexSettings) -> Retriever:
    return Retriever.load(retriever_folder, settings)


@pytest.fixture(scope="session")
def index_folder(
    tmp_path_factory: pytest.TempPathFactory, retriever_folder: Path, passages: list[Passage], settings: IndexSettings
) -> Path:
    folder = tmp_path_factory.mktemp("built") / "index"
    build(retriever_folder, passages, settings, folder, seed=3)
    return folder


@pytest.fixture(scope="session")
def generation_folder(index_folder: Path) -> Path:
    """The one generation of the index."""
    return generation.current(index_folder)
