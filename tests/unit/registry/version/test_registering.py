from __future__ import annotations

import importlib.metadata
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from jmlr.errors import RegistryError
from jmlr.registry.version import registering
from jmlr.registry.version.contents import Abstaining, Contents
from jmlr.registry.version.lookup import Version
from jmlr.registry.version.registering import INPUT_EXAMPLE, MODEL_DESCRIPTION, NewVersion, signature

Enter = Callable[..., tuple]
ASKED = pd.DataFrame([{"question": "Which test?", "options": ["MRI", "ECG"]}])


def test_a_version_answers_with_cited_passages_and_says_who_it_is(
    enter: Enter, unit: Contents, model_name: str, tracked: MlflowClient
) -> None:
    version, is_new = enter(recipe="starter")
    assert is_new
    loaded = mlflow.pyfunc.load_model(f"models:/{model_name}@challenger")
    [answer] = loaded.predict(ASKED)
    assert (answer["answer"], answer["answer_index"]) == ("MRI", 0)
    assert answer["option_probabilities"] == [0.75, 0.25]
    assert [(row["passage_id"], row["read"]) for row in answer["passages"]] == [("p1", True), ("p2", False)]
    assert (round(answer["confidence"], 3), answer["abstained"]) == (0.731, False)
    pair_hash = unit.pair.pair_hash()
    assert answer["model"] == {
        "name": model_name, "version": str(version.number), "pair_hash": pair_hash, "run_id": version.run_id,
    }  # fmt: skip
    assert loaded.metadata.signature == signature()
    assert set(answer) == set(signature().outputs.input_names())
    stored = tracked.get_model_version(model_name, str(version.number))
    assert (stored.tags["recipe"], stored.tags["pair_hash"], stored.description) == ("starter", pair_hash, "In short.")
    assert tracked.get_registered_model(model_name).description == MODEL_DESCRIPTION


def test_a_version_pins_what_it_needs_and_all_that_this_needs(
    enter: Enter, model_name: str, tracked: MlflowClient
) -> None:
    version, _ = enter()
    folder = Path(tracked.get_model_version_download_uri(model_name, str(version.number)))
    wanted = (folder / "requirements.txt").read_text().splitlines()
    assert f"transformers=={importlib.metadata.version('transformers')}" in wanted
    assert "-c constraints.txt" in wanted
    locked = (folder / "constraints.txt").read_text().splitlines()
    assert f"tokenizers=={importlib.metadata.version('tokenizers')}" in locked
    assert not [line for line in locked if "+" in line or "==" not in line]


def test_a_model_that_is_not_loaded_from_the_registry_has_no_number(
    enter: Enter, model_name: str, tracked: MlflowClient
) -> None:
    version, _ = enter()
    [answer] = mlflow.pyfunc.load_model(version.source).predict(ASKED)
    assert answer["model"]["version"] is None
    assert answer["model"]["run_id"] == version.run_id


@pytest.mark.parametrize(("abstaining", "says"), [(Abstaining(3.0, 0.7, 0.95), True), (Abstaining(1.0), None)])
def test_an_unsure_answer_is_flagged_at_the_versions_own_threshold(
    enter: Enter, unit: Contents, model_name: str, abstaining: Abstaining, says: bool | None
) -> None:
    enter(replace(unit, abstaining=abstaining))
    [answer] = mlflow.pyfunc.load_model(f"models:/{model_name}@challenger").predict(ASKED)
    assert answer["abstained"] is says


def test_what_cannot_be_answered_is_told_by_row_and_column(enter: Enter, model_name: str) -> None:
    enter()
    loaded = mlflow.pyfunc.load_model(f"models:/{model_name}@challenger")
    with pytest.raises(MlflowException, match=r"row 0, column options: 1 options; expected question a text") as found:
        loaded.predict(pd.DataFrame([{"question": "Which test?", "options": ["MRI"]}]))
    assert found.value.get_http_status_code() == 400


def test_a_unit_that_does_not_answer_when_it_is_loaded_is_not_registered(
    enter: Enter, unit: Contents, model_name: str, tracked: MlflowClient
) -> None:
    (unit.pair.reader / "weights.bin").unlink()
    (unit.pair.reader / "other.bin").write_bytes(b"what the answerer does not look for")
    with pytest.raises(RegistryError, match=r"(?s)does not answer when it is loaded \(.+\).*nothing was registered"):
        enter()
    assert not tracked.search_model_versions(f"name = '{model_name}'")


def test_the_same_unit_twice_is_one_version_and_another_a_second(
    enter: Enter, unit: Contents, model_name: str, tracked: MlflowClient
) -> None:
    first, _ = enter(recipe="starter")
    again, is_new = enter(recipe="renamed")
    assert (again.number, is_new) == (first.number, False)
    assert tracked.get_model_version(model_name, str(first.number)).tags["recipe"] == "renamed"
    (unit.pair.reader / "weights.bin").write_bytes(b"other weights")
    second, is_new = enter()
    assert (second.number, is_new) == (first.number + 1, True)
    assert int(tracked.get_model_version_by_alias(model_name, "challenger").version) == second.number


@pytest.mark.parametrize(
    "part", ["retriever/weights.bin", "reader/weights.bin", "index/generation-1-abc/manifest.json"]
)
def test_every_part_changes_the_hash_of_the_pair(unit: Contents, part: str) -> None:
    before = unit.pair.pair_hash()
    (unit.pair.retriever.parent / part).write_bytes(b"changed")
    assert unit.pair.pair_hash() != before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("params.yaml", "hybrid: false", "hybrid: true"),
        ("params.yaml", "read_passages: 2", "read_passages: 3"),
        ("params.yaml", "layout: passages_first", "layout: question_first"),
        ("evaluation/metrics.json", "{}", '{"test": {}}'),
    ],
)
def test_another_way_to_answer_or_another_evaluation_is_another_unit(
    unit: Contents, tmp_path: Path, file: str, old: str, new: str
) -> None:
    before = unit.unit_hash("pair")
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new))
    assert unit.unit_hash("pair") != before


def test_settings_that_answer_nothing_make_no_other_unit(unit: Contents, tmp_path: Path) -> None:
    before = unit.unit_hash("pair")
    params = tmp_path / "params.yaml"
    params.write_text(params.read_text().replace("experiment: jmlr", "experiment: other"))
    assert unit.unit_hash("pair") == before


def test_an_untrained_pair_is_refused_with_the_command(unit: Contents) -> None:
    unit.pair.passages.unlink()
    with pytest.raises(RegistryError, match=r"(?s)passages\.parquet: missing; expected a trained pair.*dvc repro"):
        unit.find_facts("run")


def test_a_pair_that_is_not_evaluated_is_refused_with_the_command(unit: Contents) -> None:
    (unit.evaluation / "metrics.json").unlink()
    with pytest.raises(RegistryError, match=r"(?s)metrics\.json: missing; expected an evaluated.*dvc repro evaluate"):
        unit.find_facts("run")


def test_no_answer_fits_the_signature() -> None:
    outputs = signature().outputs
    assert [column.name for column in outputs if not column.required] == ["answer", "answer_index", "abstained"]


def test_the_input_example_fits_the_signature() -> None:
    assert set(INPUT_EXAMPLE) == set(signature().inputs.input_names())


def test_two_that_register_one_unit_at_once_make_one_version(
    unit: Contents, model_name: str, tracked: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = NewVersion(model_name, unit.find_facts("run"), {}, "# Card\n", "In short.")
    both_looked, find = threading.Barrier(2), registering.find

    def look(*asked: Any) -> Any:
        found = find(*asked)
        try:
            both_looked.wait(1.0)  # nobody comes where one registers at a time
        except threading.BrokenBarrierError:
            pass
        return found

    def make(_: Contents, told: NewVersion) -> Any:
        return Version.of(
            tracked.create_model_version(told.name, "file:///x", tags={"unit_hash": told.facts.unit_hash})
        )

    tracked.create_registered_model(model_name)
    monkeypatch.setattr(registering, "find", look)
    monkeypatch.setattr(registering, "_make_version", make)
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda _: registering.register(unit, told), range(2)))
    assert sorted(is_new for _, is_new in made) == [False, True]
    assert {version.number for version, _ in made} == {1}
