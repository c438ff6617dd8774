from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from jmlr.errors import ConfigError
from jmlr.settings import params, recipes

ROOT = Path(__file__).parents[3]
CONF = ROOT / "conf"


@pytest.fixture
def raw() -> dict[str, Any]:
    """The starter's settings as plain values, free to be broken."""
    return yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def change(raw: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    """`raw` with the dotted `key` set."""
    *parents, last = key.split(".")
    block = raw
    for parent in parents:
        block = block[parent]
    block[last] = value
    return raw


def test_params_yaml_is_the_starter_recipe_as_dvc_writes_it() -> None:
    """Else `dvc exp run -S recipe=starter` would change a file nobody edited. Mend it with: make params."""
    assert (ROOT / "params.yaml").read_text(encoding="utf-8") == recipes.compose_text("starter", CONF)


def test_params_yaml_loads() -> None:
    assert params.load(ROOT / "params.yaml").recipe == "starter"


@pytest.mark.parametrize("key", ["train.stepz", "speed", "ingest.sources.0.colour"])
def test_an_unknown_key_is_named_in_full(raw: dict[str, Any], key: str) -> None:
    if key.startswith("ingest"):
        raw["ingest"]["sources"][0]["colour"] = "red"
    else:
        change(raw, key, 1)
    with pytest.raises(ConfigError, match=rf"params: 1 broken setting\(s\):\s+{key}: Extra inputs are not permitted"):
        params.parse(raw)


def test_all_faults_are_reported_at_once(raw: dict[str, Any]) -> None:
    del raw["train"]["steps"]
    raw["seed"] = -1
    raw["prompt"]["options"] = "maybe"
    with pytest.raises(ConfigError, match=r"(?s)3 broken.*seed: .*prompt\.options: .*train\.steps: Field required"):
        params.parse(raw)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train.sampling.passages": 31}, r"train\.sampling\.passages: 31 is more than index\.candidates \(30\)"),
        ({"train.read_passages": 31}, r"train\.read_passages: 31 is more than index\.candidates \(30\)"),
        ({"train.sampling.passages": 1}, "needs at least 2"),
        ({"promote.split": "dev"}, r"promote\.split: dev is not one of evaluate\.splits"),
        (
            {
                "train.refresh_drift": {
                    "overlap_at": 31,
                    "below": 0.8,
                    "sample_questions": 8,
                    "check_every_steps": 5,
                }
            },
            r"train\.refresh_drift\.overlap_at: 31 is more than index\.candidates \(30\)",
        ),
        (
            {"train.deepspeed": {"optimizer": {"type": "AdamW"}, "zero_optimization": {"stage": 2}}},
            r"train\.deepspeed: optimizer would replace the parameter groups",
        ),
        (
            {"ingest.overlap_tokens": 46},
            r"ingest\.overlap_tokens: 46 is more than half of ingest\.passage_tokens \(90\)",
        ),
        ({"index.passage_tokens": 80}, r"90 and 3 markers are more than index\.passage_tokens \(80\)"),
        ({"ingest.dev_fraction": 0.5, "ingest.test_fraction": 0.5}, "their sum must stay below 1"),
        ({"prompt.answer": "letter", "prompt.options": "hidden"}, r"prompt\.answer: a letter can only be answered"),
        ({"base.reader.source": "owner/model"}, r"base\.reader\.revision: a hub model needs a pinned revision"),
        ({"base.retriever.source": "owner/model"}, r"base\.retriever\.revision: a hub model needs a pinned revision"),
        ({"base.reader.starter.hidden_size": 100, "base.reader.starter.heads": 8}, "multiple of twice"),
        (
            {"prompt.context_tokens": 279},
            r"prompt\.context_tokens: 279 is below prompt\.passage_tokens \+ .*answer_tokens \(280\), so even the best",
        ),
        (
            {"train.reader.quantise": "4bit"},
            r"quantise: 4bit weights cannot be trained, so train\.reader\.lora",
        ),
    ],
)
def test_keys_that_contradict_each_other_are_refused(
    raw: dict[str, Any], changes: dict[str, object], message: str
) -> None:
    for key, value in changes.items():
        change(raw, key, value)
    with pytest.raises(ConfigError, match=message):
        params.parse(raw)


def test_a_context_that_holds_the_best_passage_and_quantised_weights_under_lora_are_accepted(
    raw: dict[str, Any],
) -> None:
    lora = {"rank": 8, "alpha": 16, "dropout": 0.0, "targets": ["q_proj"]}
    change(change(raw, "prompt.context_tokens", 280), "train.reader.quantise", "8bit")
    settings = params.parse(change(change(raw, "train.reader.lora", lora), "train.reader.rope_scaling", 2))
    assert (settings.prompt.context_tokens, settings.train.reader.rope_scaling) == (280, 2.0)


def test_broken_rules_are_reported_together(raw: dict[str, Any]) -> None:
    change(change(raw, "train.read_passages", 99), "base.reader.source", "owner/model")
    with pytest.raises(ConfigError, match=r"(?s)2 broken.*base\.reader\.revision.*train\.read_passages"):
        params.parse(raw)


def test_settings_cannot_be_changed(raw: dict[str, Any]) -> None:
    settings = params.parse(raw)
    with pytest.raises(ValueError, match="frozen"):
        settings.seed = 2


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)params\.yaml: no such file.*repository's root"):
        params.load(tmp_path / "params.yaml")


def test_a_file_that_is_not_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("seed: [1", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"params\.yaml: not YAML"):
        params.load(tmp_path / "params.yaml")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"params\.yaml: 1 broken setting"):
        params.load(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("flows.notify", ["team"], r"flows\.notify\.0: String should match pattern"),
        ("flows.timeout_hours", {"train": 0}, r"flows\.timeout_hours\.train: Input should be greater than 0"),
        ("flows.when_running", "queue", r"flows\.when_running: Input should be 'wait' or 'refuse'"),
    ],
)
def test_what_flows_are_told_is_checked(raw: dict[str, Any], key: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        params.parse(change(raw, key, value))
