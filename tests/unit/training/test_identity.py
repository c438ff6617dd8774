"""What makes a training another one: every key of the settings is on one side, and so is every change of code."""

from __future__ import annotations

import typing

import pytest
from pydantic import BaseModel

from jmlr import fingerprint
from jmlr.settings import CollapseSettings, LoraSettings, RefreshDriftSettings, Settings, recipes
from jmlr.training import identity
from jmlr.types import Hit

LEARNT = {
    "seed",
    *(f"prompt.{key}" for key in ("layout", "options", "answer", "passage_tokens", "question_tokens")),
    *(f"prompt.{key}" for key in ("answer_tokens", "context_tokens")),
    *(f"index.{key}" for key in ("hybrid", "query_tokens", "passage_tokens", "bits", "candidates")),
    *(f"train.{key}" for key in ("steps", "questions_per_step", "read_passages", "max_gradient_norm")),
    *(f"train.{key}" for key in ("warmup_steps", "refresh_every_steps", "deepspeed")),
    *(f"train.sampling.{key}" for key in ("passages", "passages_with_gradient", "encode_chunk_passages", "sharpness")),
    *(f"train.objective.{key}" for key in ("name", "scores", "pair_weight", "temperature", "beta", "weight")),
    *(f"train.reader.{key}" for key in ("learning_rate", "lora", "attention", "dtype", "rope_scaling", "quantise")),
    *(f"train.reader.lora.{key}" for key in ("rank", "alpha", "dropout", "targets")),
    "train.retriever.learning_rate",
    "train.refresh_drift",
    *(f"train.refresh_drift.{key}" for key in ("overlap_at", "below", "sample_questions", "check_every_steps")),
}
"""Keys of which another value is another training."""

NOT_LEARNT = {
    "settings_version",
    "recipe",
    "index.backend",  # the base index counts by the candidates it gave; the trained one is made afterwards
    "index.kmeans_iterations",
    "train.arms",
    "train.save_every_steps",
    "train.collapse",
    *(f"train.collapse.{key}" for key in ("min_distinct_top_1", "min_score_spread", "patience_steps", "action")),
    "train.needs_gpu",
    "train.budget_device_hours",
    "train.device_peak_tflops",
}
OTHER_BLOCKS = ("ingest.", "validate_.", "base.", "evaluate.", "track.", "promote.", "serve.", "flows.", "schedule.")
"""Blocks that training does not read; data and base models count by what is in their files."""


def keys(block: type[BaseModel], above: str = "") -> list[str]:
    """Every key of a block, those of blocks inside it and of blocks that may be null included."""
    found = []
    for name, field in block.model_fields.items():
        inner = [one for one in (field.annotation, *typing.get_args(field.annotation)) if isinstance(one, type)]
        blocks = [one for one in inner if issubclass(one, BaseModel)]
        if not blocks or type(None) in inner:
            found.append(f"{above}{name}")
        found += [key for one in blocks for key in keys(one, f"{above}{name}.")]
    return found


def changed(settings: BaseModel, path: list[str]) -> BaseModel:
    """The settings with another value at a key, whatever its type."""
    name, *rest = path
    value = changed(getattr(settings, name), rest) if rest else "another"
    return settings.model_copy(update={name: value})


@pytest.fixture(scope="module")
def settings(repository) -> Settings:
    """With no block left null."""
    starter = recipes.load("starter", repository / "conf")
    drift = RefreshDriftSettings(overlap_at=10, below=0.8, sample_questions=8, check_every_steps=5)
    collapse = CollapseSettings(min_distinct_top_1=0, min_score_spread=0, patience_steps=1, action="warn")
    lora = LoraSettings(rank=1, alpha=1, dropout=0, targets=("q_proj",))
    reader = starter.train.reader.model_copy(update={"lora": lora})
    blocks = {"refresh_drift": drift, "collapse": collapse, "reader": reader}
    return starter.model_copy(update={"train": starter.train.model_copy(update=blocks)})


def test_every_key_of_the_settings_is_on_one_side():
    asked = {key for key in keys(Settings) if not key.startswith(OTHER_BLOCKS)}
    assert sorted(LEARNT & NOT_LEARNT) == []
    assert asked == LEARNT | NOT_LEARNT, "say of a new key whether another value of it is another training"


@pytest.mark.parametrize(("side", "is_another"), [(LEARNT, True), (NOT_LEARNT, False)])
@pytest.mark.filterwarnings("ignore::UserWarning")  # "another" is of no type that the keys have
def test_only_keys_that_change_what_is_learnt_make_another_training(settings, side, is_another):
    before = identity.of_settings(settings)
    found = {key: identity.of_settings(changed(settings, key.split("."))) != before for key in side}
    assert found == dict.fromkeys(side, is_another)


def test_other_blocks_make_no_other_training(settings):
    values = {block.rstrip("."): None for block in OTHER_BLOCKS}
    assert identity.of_settings(settings.model_copy(update=values)) == identity.of_settings(settings)


def test_only_what_code_does_counts(tmp_path):
    file = tmp_path / "loss.py"

    def code(text: str) -> str:
        file.write_text(text, encoding="utf-8")
        return fingerprint.of_code(file)

    first = code('"""The loss."""\n\n\ndef loss(a, b):\n    """Their sum."""\n    return a + b\n')
    assert code("def loss(a,\n         b):  # as in the paper\n    return (a + b)\n") == first
    assert code("def loss(a, b):\n    return a - b\n") != first


def test_code_that_computes_counts_and_code_that_tells_does_not():
    named = {name.removeprefix("code of ") for name in identity.of_code()}
    assert {"jmlr/training/joint.py", "jmlr/losses/llm_rank.py", "jmlr/models/prompt.py"} <= named
    telling = {f"jmlr/training/{name}.py" for name in identity._BOOKKEEPING}
    assert not telling & named
    here = identity.Path(identity.__file__).parents[2]
    assert [name for name in telling if not (here / name).exists()] == []


def test_only_what_training_reads_of_the_data_counts(tiny_questions, tiny_passages):
    import dataclasses

    pools = {tiny_questions[0].question_id: [Hit("p1", 2.0), Hit("p2", 1.0)]}
    before = identity.of_data(tiny_questions, tiny_passages, pools, 1)
    same = [dataclasses.replace(question, subject="other", licence="other") for question in tiny_questions]
    rest = {tiny_questions[0].question_id: [Hit("p1", 9.0), Hit("p3", 1.0)], "asked elsewhere": [Hit("p4", 1.0)]}
    assert identity.of_data(same, tiny_passages, rest, 1) == before
    other = [dataclasses.replace(tiny_questions[0], rationale="because"), *tiny_questions[1:]]
    differing = identity.difference(before, identity.of_data(other, tiny_passages[1:], {}, 1))
    assert differing == "candidates of training questions, passages, training questions"
