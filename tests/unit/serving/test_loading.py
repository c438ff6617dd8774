"""A version of the registry as it is served: who it is, when it abstains, and which settings it answers with."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from jmlr.errors import RegistryError
from jmlr.registry.version.contents import Abstaining
from jmlr.registry.version.lookup import Version
from jmlr.serving import loading
from jmlr.serving.model import Label
from jmlr.settings import params


class Pair:
    params = Path("params.yaml")

    def pair_hash(self) -> str:
        return "counted anew"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A registry whose version 4 is champion; `loaded` is what a pair was loaded with."""
    store = SimpleNamespace(tags={"pair_hash": "kept"}, loaded=[], asked=[])

    def resolve(client: object, name: str, spec: str) -> SimpleNamespace:
        store.asked.append((name, spec))
        if spec == "@nobody":
            raise RegistryError("no such version")
        return Version(4, "", store.tags, "jmlr")

    opened = SimpleNamespace(pair=Pair(), abstaining=Abstaining(1.3, 0.6))
    monkeypatch.setattr(loading, "connect", lambda: None)
    monkeypatch.setattr(loading, "resolve", resolve)
    monkeypatch.setattr(loading, "files", lambda client, version: opened)
    monkeypatch.setattr(loading, "load_pair", lambda *arguments: store.loaded.append(arguments))
    return store


@pytest.mark.parametrize(("spec", "role"), [("@champion", "champion"), ("4", "version"), ("models:/m@blue", "blue")])
def test_a_version_knows_its_name_number_role_and_threshold(
    repository: Path, store: SimpleNamespace, spec: str, role: str
) -> None:
    settings = params.load(repository / "params.yaml")
    loading.load_version(spec, settings)
    [(pair, label, abstaining, current)] = store.loaded
    assert label == Label("jmlr", "4", role, "kept")
    assert abstaining == Abstaining(1.3, 0.6)
    assert current is settings
    assert store.asked == [(settings.track.registered_model, spec)]


def test_a_version_without_a_kept_hash_is_hashed(repository: Path, store: SimpleNamespace) -> None:
    store.tags.clear()
    loading.load_version("4", params.load(repository / "params.yaml"))
    assert store.loaded[0][1].pair_hash == "counted anew"


def test_a_version_that_is_not_there_is_told(repository: Path, store: SimpleNamespace) -> None:
    with pytest.raises(RegistryError, match="no such version"):
        loading.load_version("@nobody", params.load(repository / "params.yaml"))
