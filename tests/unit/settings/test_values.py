"""Every settings key: a value that works to the end is taken, and one that would fail later is refused with its key."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
import yaml

from jmlr.data.formats import FORMATS
from jmlr.errors import ConfigError
from jmlr.losses import LOSSES
from jmlr.settings import ObjectiveSettings, description, params, recipes
from jmlr.settings.data import Format
from jmlr.settings.evaluation import CONTROLS, Control
from jmlr.settings.rules import DEEPSPEED_KEYS
from jmlr.settings.values import _LANGUAGES
from jmlr.training.objective import retriever_loss

LORA = {"rank": 8, "alpha": 16, "dropout": 0.0, "targets": ["q_proj"]}
DRIFT = {"overlap_at": 5, "below": 0.8, "sample_questions": 8, "check_every_steps": 5}
WITHIN = {"train.reader.lora": LORA, "train.refresh_drift": DRIFT}
"""Blocks that the starter leaves null."""

YES_OR_NO = (False, "maybe")
COUNT = (7, 0)
SECONDS = (3.5, ".inf")
VALUES: dict[str, tuple[Any, Any]] = {
    "settings_version": (2, 4),
    "recipe": ("mine", " "),
    "seed": (2**32 - 1, 2**32),
    "ingest.root": ("../data", ""),
    "ingest.sources": ([{"path": "a.jsonl", "format": "jsonl", "licence": "MIT"}], []),
    "ingest.sources[].path": ("medqa/*.jsonl", "../elsewhere"),
    "ingest.sources[].format": ("medqa", "csv"),
    "ingest.sources[].licence": ("CC-BY-4.0", " "),
    "ingest.sources[].role": ("passages", "answers"),
    "ingest.sources[].split": ("deal", "validation"),
    "ingest.passage_tokens": (80, 94),
    "ingest.overlap_tokens": (45, 46),
    "ingest.drop_copies": YES_OR_NO,
    "ingest.languages": (["en", "de"], ["english"]),
    "ingest.rationales_as_passages": YES_OR_NO,
    "ingest.leakage.similar_questions": (0.8, 0.5),
    "ingest.leakage.ngram_words": (3, 2),
    "ingest.leakage.covered_share": (1, 0),
    "ingest.leakage.drop_from_training": YES_OR_NO,
    "ingest.dev_fraction": (0, 0.75),
    "ingest.test_fraction": (0, 0.9),
    "ingest.max_questions": (50, 49),
    "ingest.max_passages": (50, 49),
    "validate.min_passages": COUNT,
    "validate.min_questions": COUNT,
    "validate.min_options": (2, 11),
    "validate.max_passage_tokens": COUNT,
    "validate.max_answer_letter_share": (1, 1.5),
    "validate.max_leaked_fraction": (0, ".nan"),
    "validate.max_cut.questions": (1, 1.1),
    "validate.max_cut.passages": (0, 5),
    "validate.max_cut.options": (0.5, -0.1),
    "validate.max_cut.tied_options": (0, ".nan"),
    "validate.max_cut.rationales": (1, True),
    "validate.max_drift": (1, 0),
    "validate.severities": ({"phi_email": "off"}, {"phi_email": "none"}),
    "base.retriever.source": ("./imported/retriever", ""),
    "base.retriever.revision": ("0123abc", 123456),
    "base.retriever.dimension": (384, 385),
    "base.reader.source": ("./imported/reader", ""),
    "base.reader.revision": ("0123abc", ""),
    "base.reader.starter.vocabulary_tokens": (300, 100),
    "base.reader.starter.hidden_size": (64, 100),
    "base.reader.starter.layers": (2, 1),
    "base.reader.starter.heads": (2, 3),
    "base.reader.starter.steps": COUNT,
    "base.reader.starter.items_per_step": COUNT,
    "base.reader.starter.learning_rate": ("1e-4", ".inf"),
    "prompt.layout": ("question_first", "last"),
    "prompt.options": ("shown", "none"),
    "prompt.answer": ("text", "letter"),
    "prompt.passage_tokens": (8, 7),
    "prompt.question_tokens": (8, 7),
    "prompt.answer_tokens": COUNT,
    "prompt.context_tokens": (280, 279),
    "index.backend": ("exact", "faiss"),
    "index.hybrid": YES_OR_NO,
    "index.query_tokens": (8, 7),
    "index.passage_tokens": (93, 92),
    "index.bits": (2, 3),
    "index.kmeans_iterations": COUNT,
    "index.candidates": (30, 29),
    "train.arms": (["rag", "jmlr"], ["rag", "rag"]),
    "train.steps": (11, 10),
    "train.questions_per_step": COUNT,
    "train.read_passages": (30, 31),
    "train.sampling.passages": (30, 31),
    "train.sampling.passages_with_gradient": (12, 13),
    "train.sampling.encode_chunk_passages": COUNT,
    "train.sampling.sharpness": (0, -1),
    "train.objective.name": ("pdist", "replug"),
    "train.objective.scores": ("minmax", "scaled"),
    "train.objective.pair_weight": ("uniform", "none"),
    "train.objective.temperature": (0.1, 0),
    "train.objective.beta": (10, ".nan"),
    "train.objective.weight": (1, 0),
    "train.reader.learning_rate": ("2e-5", True),
    "train.reader.lora": (LORA, {**LORA, "targets": []}),
    "train.reader.lora.rank": COUNT,
    "train.reader.lora.alpha": COUNT,
    "train.reader.lora.dropout": (0.5, 1),
    "train.reader.lora.targets": (["q_proj", "v_proj"], ["q_proj", "q_proj"]),
    "train.reader.attention": ("eager", "flash"),
    "train.reader.dtype": ("bfloat16", "float16"),
    "train.reader.rope_scaling": (2, 0.5),
    "train.reader.quantise": (None, "4bit"),
    "train.retriever.learning_rate": (3e-6, 0),
    "train.max_gradient_norm": (0.5, 0),
    "train.warmup_steps": (119, 120),
    "train.refresh_every_steps": (999, 0),  # longer than the training: never
    "train.refresh_drift": (DRIFT, {}),
    "train.refresh_drift.overlap_at": (30, 31),
    "train.refresh_drift.below": (1, 1.5),
    "train.refresh_drift.sample_questions": COUNT,
    "train.refresh_drift.check_every_steps": COUNT,
    "train.collapse": (None, False),
    "train.collapse.min_distinct_top_1": (0, 2),
    "train.collapse.min_score_spread": (0, ".inf"),
    "train.collapse.patience_steps": COUNT,
    "train.collapse.action": ("stop", "end"),
    "train.save_every_steps": COUNT,
    "train.needs_gpu": YES_OR_NO,
    "train.deepspeed": ({"zero_optimization": {"stage": 2}}, {"zero_optimization": {"stage": 4}}),
    "train.budget_device_hours": (0.5, 0),
    "train.device_peak_tflops": (989, 0),
    "evaluate.seed": (0, -1),
    "evaluate.controls": ([], ["oracle"]),
    "evaluate.option_orders": YES_OR_NO,
    "evaluate.strict_text": YES_OR_NO,
    "evaluate.evidence": YES_OR_NO,
    "evaluate.rationale_tokens": (32, -1),
    "evaluate.abstain_for": (1, 0),
    "evaluate.splits": (["test"], ["test", "test"]),
    "evaluate.questions_per_batch": COUNT,
    "evaluate.recall_at": ([1, 30], [0, 5]),
    "evaluate.bootstrap_samples": (100, 99),
    "evaluate.confidence": (0.9, 1),
    "track.experiment": ("team/mine", "a" * 501),
    "track.registered_model": ("mine", "team/mine"),
    "track.stages": YES_OR_NO,
    "track.index_store": ("/srv/indexes", ""),
    "promote.needs_approval": YES_OR_NO,
    "promote.split": ("test_seen", "dev"),
    "promote.allow_prompt_change": YES_OR_NO,
    "promote.max_accuracy_loss": (0, 5),
    "promote.must_improve": YES_OR_NO,
    "promote.min_net_helped": (-3, 0.5),
    "promote.max_subgroup_loss": (1, -0.1),
    "promote.latency_questions": COUNT,
    "promote.max_p50_seconds": SECONDS,
    "promote.max_size_gigabytes": (20, 0),
    "serve.host": ("0.0.0.0", "http://localhost"),
    "serve.port": (0, 70_000),
    "serve.hosts": (["*", "example.org"], ["example.org:80"]),
    "serve.batch_questions": COUNT,
    "serve.batch_wait_milliseconds": (0, 1e15),
    "serve.queue_questions": COUNT,
    "serve.patience_seconds": SECONDS,
    "serve.drain_seconds": (0, 1e15),
    "serve.finish_seconds": SECONDS,
    "serve.body_seconds": (1, 0),
    "serve.body_bytes": (1024, 1023),
    "serve.question_characters": COUNT,
    "serve.option_characters": COUNT,
    "serve.options": (10, 11),
    "flows.when_running": ("refuse", "queue"),
    "flows.timeout_hours": ({"train": 0.5}, {"trian": 72}),
    "flows.retries": (0, -1),
    "flows.retry_delay_seconds": (0, 1e15),
    "flows.budget_device_hours": (10, 0),
    "flows.budget_days": (7, 1e9),
    "flows.notify": (["slack-webhook/team"], ["team"]),
    "schedule.cron": ("*/5 * * * MON-FRI", "0 25 * * *"),
    "schedule.time_zone": ("Europe/Berlin", "CET/Berlin"),
    "schedule.watch_seconds": (5, 1e15),
    "schedule.work_pool": ("gpu-pool", "a pool"),
}
TOGETHER: dict[str, dict[str, Any]] = {
    "base.retriever.source": {"base.retriever.revision": "0123abc"},
    "base.reader.source": {"base.reader.revision": "0123abc"},
}
"""What a good value needs beside it."""


@pytest.fixture(scope="module")
def starter() -> dict[str, Any]:
    raw = yaml.safe_load(recipes.compose_text("starter", Path(__file__).parents[3] / "conf"))
    return dict(raw)


def changed(starter: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The starter's settings with these keys set, the blocks around them made."""
    raw = copy.deepcopy(starter)
    for key, value in changes.items():
        block: Any = raw
        *parents, last = re.findall(r"[^.\[\]]+|\[\]", key)
        for depth, part in enumerate(parents):
            above = ".".join(parents[: depth + 1])
            if part == "[]":
                block = block[0]
            else:
                if block[part] is None:
                    block[part] = copy.deepcopy(WITHIN[above])
                block = block[part]
        block[last] = yaml.safe_load(value) if value in (".nan", ".inf") else value
    return raw


def test_every_key_has_an_entry() -> None:
    assert sorted(VALUES) == sorted(key.name for key in description.keys())


@pytest.mark.parametrize("key", VALUES)
def test_a_value_that_works_is_taken_and_one_that_fails_later_is_refused_with_its_key(
    starter: dict[str, Any], key: str
) -> None:
    good, bad = VALUES[key]
    params.parse(changed(starter, {**TOGETHER.get(key, {}), key: good}))
    with pytest.raises(ConfigError, match=re.escape(key.replace("[]", ".0"))):
        params.parse(changed(starter, {key: bad}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evaluate.recall_at": [1, 31]}, r"evaluate\.recall_at: 31 is more than index\.candidates \(30\)"),
        ({"evaluate.recall_at": [5, 5]}, r"evaluate\.recall_at: 5 comes twice"),
        ({"evaluate.recall_at": [True]}, r"evaluate\.recall_at\.0: Input should be a valid integer"),
        ({"train.steps": True}, r"train\.steps: a number is wanted, not true"),
        ({"ingest.languages": [False]}, r"languages\.0: Input should be a valid string; in YAML .* needs quotes"),
        ({"ingest.sources[].licence": 4.0}, r"licence: Input should be a valid string; in YAML .* needs quotes"),
        ({"ingest.sources[].path": "/data/a.jsonl"}, r"path: '/data/a\.jsonl' leads out of ingest\.root"),
        ({"train.arms": ["rag"]}, r"evaluate\.controls: shuffled needs jmlr among train\.arms"),
        ({"train.arms": ["closed_book"]}, r"evaluate\.controls: gold needs jmlr or rag among train\.arms"),
        ({"train.objective.name": "replug_lsr"}, r"train\.objective\.beta: 1 is known to ruin .* its paper has 10"),
        ({"evaluate.strict_text": False, "evaluate.rationale_tokens": 8}, r"rationale_tokens: nothing is written"),
        ({"index.backend": "plaid", "base.retriever.dimension": 40}, r"dimension: 40 is no multiple of 32"),
        ({"train.deepspeed": {"zero": {"stage": 2}}}, r"train\.deepspeed\.zero: no key that this training uses"),
        ({"train.deepspeed": {"zero_optimization": 2}}, r"zero_optimization: a block whose stage is 0, 1, 2 or 3"),
        ({"schedule.cron": "0 0 30 2 *"}, r"schedule\.cron: '0 0 30 2 \*' is no time that comes"),
        ({"schedule.cron": "0 0 LW * *"}, r"schedule\.cron: .* is no time that comes"),
        ({"schedule.cron": "@daily"}, r"schedule\.cron: String should match pattern"),
        ({"track.registered_model": "Jane's"}, r"track\.registered_model: a name without / .* as MLflow takes it"),
        ({"track.registered_model": "é" * 101}, r"track\.registered_model: a name of at most 200 bytes"),
        ({"track.registered_model": 5}, r"track\.registered_model: Input should be a valid string"),
        ({"track.experiment": ""}, r"track\.experiment: '' is no name"),
        ({"ingest.max_questions": 40}, r"ingest\.max_questions: 40 is less than validate\.min_questions \(50\)"),
    ],
)
def test_what_would_fail_hours_later_is_refused_at_load(
    starter: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        params.parse(changed(starter, changes))


def test_replug_at_its_papers_beta_is_taken(starter: dict[str, Any]) -> None:
    params.parse(changed(starter, {"train.objective.name": "replug_lsr", "train.objective.beta": 10}))


def test_what_a_registered_pair_was_made_with_is_not_held_to_rules_between_keys(starter: dict[str, Any]) -> None:
    raw = changed(starter, {"train.arms": ["rag"], "index.candidates": 20})
    assert params.parse_own(raw, "params.yaml")["index"].candidates == 20


def test_every_name_has_what_it_names() -> None:
    """A format, objective or control without its code, or code that no setting can name."""
    assert set(FORMATS) == set(get_args(Format))
    assert set(CONTROLS) == set(get_args(Control))
    scores, losses = torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 1.0]])
    for name in LOSSES:
        asked = {**starter_objective(), "name": name, "beta": 10}
        assert retriever_loss(ObjectiveSettings(**asked), scores, losses).isfinite()


def starter_objective() -> dict[str, Any]:
    return recipes.load("starter", Path(__file__).parents[3] / "conf").train.objective.model_dump()


def test_languages_are_those_that_are_told_apart() -> None:
    from py3langid import langid

    told = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE).nb_classes
    assert {code for code in told if len(code) == 2} == _LANGUAGES


def test_every_deepspeed_key_of_the_recipes_is_known(repository: Path) -> None:
    named = [recipes.load(name, repository / "conf").train.deepspeed or {} for name in ("jmlr-7b", "jmlr-13b")]
    assert all(block and set(block) <= DEEPSPEED_KEYS for block in named)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, r"cannot be read: .*Is a directory"), (b"seed: \xe9", "cannot be read: 'utf-8' codec")],
)
def test_params_that_cannot_be_read_are_no_traceback(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        params.load(path)
