from __future__ import annotations

from mlflow import MlflowClient

from jmlr.registry.version.standing import challenger_and_champion, run_page


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
