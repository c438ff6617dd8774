"""The stage register on a tiny trained pair: what the registry then shows."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from jmlr.commands.registry import register
from jmlr.errors import RegistryError
from jmlr.registry.version.contents import Contents
from jmlr.registry.version.lookup import files, resolve
from jmlr.settings import Settings, params
from jmlr.stages import layout


@pytest.fixture
def settings(trained_with_lora: Contents, model_name: str) -> Settings:
    raw = yaml.safe_load(Path("params.yaml").read_text())
    raw["track"] |= {"registered_model": model_name, "index_store": "kept"}
    Path("params.yaml").write_text(yaml.safe_dump(raw))
    return params.load()


def test_a_version_has_card_description_tags_and_a_kept_index(
    settings: Settings, model_name: str, tracked: MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    register.run(settings)
    register.run(settings)
    said = capsys.readouterr().out
    assert f"registered {model_name} version 1, alias challenger, run " in said
    assert f"already registered: {model_name} version 1" in said
    version = resolve(tracked, model_name, "@challenger")
    assert {"git_commit", "pair_hash", "unit_hash", "protocol_hash", "recipe"} <= version.tags.keys()
    assert tracked.get_model_version(model_name, str(version.number)).description.startswith(
        "Recipe starter, seed 1, 4 steps."
    )
    found = files(tracked, version)
    card = found.card.read_text()
    assert "- Reader adapters: LoRA of rank 2, merged into the reader's weights" in card
    assert f"| MLflow run | `{version.run_id}` |" in card
    assert found.pair.index.parent.parent == Path("kept").resolve()
    assert found.evaluation.exists()


def test_a_pair_that_is_not_evaluated_is_refused(settings: Settings) -> None:
    layout.METRICS.unlink()
    with pytest.raises(RegistryError, match=r"metrics\.json: missing; expected an evaluated pair"):
        register.run(settings)
