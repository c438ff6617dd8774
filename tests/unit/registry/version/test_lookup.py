from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from jmlr.errors import RegistryError
from jmlr.registry.version.lookup import challenger_and_champion, files, resolve, run_page
from jmlr.registry.version.pair import Pair


@pytest.fixture
def registered(enter: Callable[..., tuple], model_name: str) -> str:
    """A registered model of the test's own, with one version."""
    enter()
    return model_name


@pytest.mark.parametrize("spec", ["1", "@challenger", "models:/{name}/1", "models:/{name}@challenger", " 1 "])
def test_every_way_to_name_a_version_finds_it(registered: str, tracked: MlflowClient, spec: str) -> None:
    assert resolve(tracked, registered, spec.format(name=registered)).number == 1


def test_an_address_names_its_own_model(registered: str, tracked: MlflowClient) -> None:
    assert resolve(tracked, "another", f"models:/{registered}/1").name == registered


@pytest.mark.parametrize("spec", ["", "latest", "0", "-1", "1/2", "models:/", "models:/a", "@", "@a b", "1@champion"])
def test_a_spec_that_names_no_version_is_refused(tracked: MlflowClient, spec: str) -> None:
    with pytest.raises(RegistryError, match="names no version; expected a number, @ALIAS, models:/NAME/NUMBER"):
        resolve(tracked, "jmlr", spec)


@pytest.mark.parametrize("spec", ["7", "@champion"])
def test_a_version_that_is_not_there_is_told_with_those_that_are(
    registered: str, tracked: MlflowClient, spec: str
) -> None:
    with pytest.raises(RegistryError, match=f"registered model {registered}, {spec}: no such .* one of the versions 1"):
        resolve(tracked, registered, spec)


def test_a_model_without_versions_is_told(tracked: MlflowClient) -> None:
    with pytest.raises(RegistryError, match=r"(?s)expected a registered version; there is none.*next: jmlr register"):
        resolve(tracked, "never-registered", "1")


def test_files_of_a_store_on_this_machine_are_not_copied(
    registered: str, tracked: MlflowClient, pair: Pair, tmp_path: Path
) -> None:
    found = files(tracked, resolve(tracked, registered, "1"), tmp_path / "kept")
    assert found.pair.pair_hash() == pair.pair_hash()
    assert found.facts is not None
    assert found.facts.pair_hash == pair.pair_hash()
    assert (found.evaluation / "claim_card.md").read_text() == "# Claim card\n"
    assert found.card.read_text() == "# Model card\n"
    assert not (tmp_path / "kept").exists()


def test_files_of_a_store_elsewhere_are_fetched_once(
    registered: str, tracked: MlflowClient, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlflow.utils.uri.is_local_uri", lambda uri: False)
    version = resolve(tracked, registered, "1")
    first = files(tracked, version, tmp_path / "kept")
    assert (tmp_path / "kept") in first.pair.reader.parents
    assert first.pair.pair_hash() == pair.pair_hash()
    monkeypatch.setattr("mlflow.artifacts.download_artifacts", lambda *_, **__: pytest.fail("fetched again"))
    assert files(tracked, version, tmp_path / "kept") == first


def test_files_that_are_gone_are_told_with_their_place(registered: str, tracked: MlflowClient) -> None:
    version = resolve(tracked, registered, "1")
    shutil.rmtree(tracked.get_model_version_download_uri(registered, "1"))
    with pytest.raises(RegistryError, match=r"(?s)version 1, .*its files cannot be read.*or register the pair again"):
        files(tracked, version)


def test_a_version_from_before_facts_and_evaluation_were_kept_still_opens(
    registered: str, tracked: MlflowClient, pair: Pair
) -> None:
    version = resolve(tracked, registered, "1")
    artifacts = Path(tracked.get_model_version_download_uri(registered, "1")) / "artifacts"
    shutil.rmtree(artifacts / "evaluation")
    for name in ("version.json", "model_card.md"):
        (artifacts / name).unlink()
    found = files(tracked, version)
    assert found.pair.pair_hash() == pair.pair_hash()
    assert (found.facts, found.evaluation.exists(), found.card.exists()) == (None, False, False)
    assert found.abstaining.abstains(0.1) is None


def test_the_version_registered_last_and_the_champion_with_their_tags(tracked: MlflowClient) -> None:
    name = "standing"
    assert challenger_and_champion(name) == (None, None)
    tracked.create_registered_model(name)
    for accuracy in ("0.5", "0.75"):
        tracked.create_model_version(name, "nowhere", tags={"test.accuracy.jmlr": accuracy})
    last, champion = challenger_and_champion(name)
    assert champion is None
    assert last is not None
    assert (last.number, last.run_id, last.tags) == (2, "", {"test.accuracy.jmlr": "0.75"})
    tracked.set_registered_model_alias(name, "champion", "1")
    tracked.set_registered_model_alias(name, "challenger", "1")
    last, champion = challenger_and_champion(name)
    assert last is not None
    assert last.number == 1, "the build of an old version was registered again"
    assert champion is not None
    assert (champion.number, champion.tags["test.accuracy.jmlr"]) == (1, "0.5")


def test_a_store_that_is_no_server_has_no_pages() -> None:
    assert run_page("sqlite:///mlflow.db", "abc") == ""
    assert run_page("https://mlflow.example.org", "") == ""
