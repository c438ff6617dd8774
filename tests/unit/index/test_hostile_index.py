"""A pickle put in the place of an index's file is refused, and what it holds is not run."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from jmlr.errors import DataError
from jmlr.index.build import build
from jmlr.index.generation import current
from jmlr.index.search import Searcher

FILES = ("embeddings.npy", "offsets.npy", "centroids.pt", "ivf.pid.pt", "0.codes.pt")
"""What a search reads."""


class Hostile:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


@pytest.fixture(scope="module")
def plaid_index(tmp_path_factory, retriever_folder, passages, settings) -> Path:
    folder = tmp_path_factory.mktemp("plaid") / "index"
    build(retriever_folder, passages, settings.model_copy(update={"backend": "plaid"}), folder, 1)
    return folder


@pytest.mark.parametrize("name", FILES)
def test_a_pickle_in_an_index_is_not_run(plaid_index, retriever_folder, retriever, passages, tmp_path, name):
    folder, marker = Path(shutil.copytree(plaid_index, tmp_path / "index")), tmp_path / "executed"
    (file,) = current(folder).rglob(name)
    hostile = Hostile(marker)
    if name.endswith(".npy"):
        np.save(file, np.array([hostile], dtype=object), allow_pickle=True)
    else:
        file.write_bytes(pickle.dumps(hostile))
    with pytest.raises(DataError, match="cannot be read"):
        Searcher.load(folder, retriever, retriever_folder, passages)
    assert not marker.exists()
