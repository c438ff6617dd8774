from __future__ import annotations

import re
from pathlib import Path

import pytest

from jmlr.errors import ConfigError
from jmlr.settings import Settings, recipes

ROOT = Path(__file__).parents[3]
CONF = ROOT / "conf"
NAMES = recipes.names(CONF)


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_loads_under_its_own_name(name: str) -> None:
    assert recipes.load(name, CONF).recipe == name


def test_the_promised_recipes_are_there() -> None:
    assert {"starter", "pubmedqa", "medquad", "exams", "jmlr-7b", "jmlr-13b"} <= set(NAMES)


def test_every_recipe_has_a_summary() -> None:
    assert [recipe.name for recipe in recipes.describe(CONF) if not recipe.summary] == []


@pytest.mark.parametrize("name", ["starter", "pubmedqa", "medquad", "exams"])
def test_recipes_for_a_bare_machine_need_neither_hub_nor_gpu(name: str) -> None:
    settings = recipes.load(name, CONF)
    assert not recipes.uses_hub(settings)
    assert not settings.train.needs_gpu


@pytest.mark.parametrize(("name", "reader"), [("jmlr-7b", "Llama-2-7b-hf"), ("jmlr-13b", "Llama-2-13b-hf")])
def test_the_papers_recipes_have_the_papers_settings(name: str, reader: str) -> None:
    settings = recipes.load(name, CONF)
    train, base = settings.train, settings.base
    assert recipes.uses_hub(settings)
    assert (settings.index.candidates, train.sampling.passages, train.read_passages) == (30, 10, 7)
    assert (train.objective.name, train.objective.scores, train.objective.pair_weight) == (
        "llm_rank",
        "minmax",
        "uniform",
    )
    assert (train.sampling.sharpness, train.objective.temperature, train.objective.weight) == (1, 1, 1)
    assert train.sampling.passages_with_gradient is None
    assert (settings.prompt.options, settings.prompt.answer) == ("shown", "letter_rationale")
    assert (train.retriever.learning_rate, train.reader.learning_rate) == (3e-6, 2e-5)
    assert (train.reader.attention, train.reader.dtype, train.needs_gpu) == ("shifted_sparse", "bfloat16", True)
    assert base.reader.source.endswith(reader)
    assert all(re.fullmatch("[0-9a-f]{40}", model.revision or "") for model in (base.reader, base.retriever))
    needs = " ".join(recipes.needs(settings))
    assert "model hub: colbert-ir/colbertv2.0" in needs
    assert needs.endswith("GPU")


def prompt_tokens(settings: Settings) -> int:
    """The longest prompt with its answer, in reader tokens."""
    prompt = settings.prompt
    passages = settings.train.read_passages * prompt.passage_tokens
    return passages + prompt.question_tokens + prompt.answer_tokens


@pytest.mark.parametrize("name", ["jmlr-7b", "jmlr-13b"])
def test_the_longest_prompt_fits_llama_2(name: str) -> None:
    settings = recipes.load(name, CONF)
    assert prompt_tokens(settings) <= 4096
    assert settings.prompt.context_tokens == 4096


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"(?s)no recipe 'llama'; expected one of exams, jmlr-13b, jmlr-7b.*jmlr recipes"
    ):
        recipes.compose_text("llama", CONF)


def test_a_folder_without_recipes_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)no recipe; expected NAME\.yaml.*repository's root"):
        recipes.names(tmp_path)


def test_a_broken_recipe_leaves_params_yaml_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "recipe").mkdir()
    (tmp_path / "config.yaml").write_text((CONF / "config.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "recipe" / "starter.yaml").write_text(
        "# @package _global_\nrecipe: starter\nsede: 1\n", encoding="utf-8"
    )
    params = tmp_path / "params.yaml"
    params.write_text("mine\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"(?s)recipe/starter\.yaml: .*sede: Extra inputs are not permitted"):
        recipes.write_params("starter", params, tmp_path)
    assert params.read_text(encoding="utf-8") == "mine\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "params.yaml", "recipe"]
