from __future__ import annotations

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient

from jmlr.errors import RegistryError
from jmlr.registry.package import INPUT_EXAMPLE, Pair, register, signature
from jmlr.tracking.run import TrainingRun


def test_a_version_answers_with_cited_passages(pair: Pair) -> None:
    run = TrainingRun.start("exam", {})
    version, is_new = register(pair, "pair-a", run.run_id, {"recipe": "starter"})
    assert is_new
    assert version.run_id == run.run_id
    loaded = mlflow.pyfunc.load_model("models:/pair-a@challenger")
    [answer] = loaded.predict(pd.DataFrame([{"question": "Which test?", "options": ["MRI", "ECG"]}]))
    assert (answer["answer"], answer["answer_index"]) == ("MRI", 0)
    assert answer["option_probabilities"] == [0.75, 0.25]
    assert [(row["passage_id"], row["read"]) for row in answer["passages"]] == [("p1", True), ("p2", False)]
    assert loaded.metadata.signature == signature()
    stored = MlflowClient().get_model_version("pair-a", version.version)
    assert stored.tags["recipe"] == "starter"
    assert stored.tags["pair_hash"] == pair.pair_hash()


def test_the_same_build_twice_is_one_version_and_another_build_a_second(pair: Pair) -> None:
    run = TrainingRun.start("exam", {})
    first, _ = register(pair, "pair-b", run.run_id, {"recipe": "starter"})
    again, is_new = register(pair, "pair-b", run.run_id, {"recipe": "renamed"})
    assert (again.version, is_new) == (first.version, False)
    assert MlflowClient().get_model_version("pair-b", first.version).tags["recipe"] == "renamed"
    (pair.reader / "weights.bin").write_bytes(b"other weights")
    second, is_new = register(pair, "pair-b", run.run_id, {})
    assert (int(second.version), is_new) == (int(first.version) + 1, True)
    assert MlflowClient().get_model_version_by_alias("pair-b", "challenger").version == second.version


@pytest.mark.parametrize("part", ["retriever/weights.bin", "reader/weights.bin", "index/manifest.json"])
def test_every_part_changes_the_hash(pair: Pair, part: str) -> None:
    before = pair.pair_hash()
    (pair.retriever.parent / part).write_bytes(b"changed")
    assert pair.pair_hash() != before


def test_an_untrained_pair_is_refused_with_the_command(pair: Pair) -> None:
    (pair.passages).unlink()
    with pytest.raises(RegistryError, match=r"(?s)passages\.parquet: missing; expected a trained pair.*dvc repro"):
        register(pair, "pair-c", "run", {})


def test_the_input_example_fits_the_signature() -> None:
    assert set(INPUT_EXAMPLE) == set(signature().inputs.input_names())
