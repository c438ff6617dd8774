"""params.yaml as frozen, typed settings; every fault is reported at once with its full key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError

from jmlr.config_data import Block, IngestSettings, LeakageSettings, SourceSettings, ValidateSettings
from jmlr.config_flows import FlowsSettings
from jmlr.config_promote import PromoteSettings
from jmlr.config_rules import broken_rules
from jmlr.config_schedule import ScheduleSettings
from jmlr.config_serve import ServeSettings
from jmlr.config_track import TrackSettings
from jmlr.config_train import TrainSettings
from jmlr.config_values import Distinct, Name
from jmlr.config_versions import migrated
from jmlr.errors import ConfigError

__all__ = [
    "Block",
    "FlowsSettings",
    "IngestSettings",
    "LeakageSettings",
    "PromoteSettings",
    "ScheduleSettings",
    "ServeSettings",
    "Settings",
    "SourceSettings",
    "ValidateSettings",
    "load",
    "parse",
]

PARAMS_FILE = Path("params.yaml")
ARMS = ("closed_book", "rag", "jmlr")


class BaseRetrieverSettings(Block):
    """`source`: `minilm` (the encoder a locked package carries), a folder or a hub id, both pinned."""

    source: Name
    revision: Name | None
    dimension: int = Field(ge=8)


class StarterReaderSettings(Block):
    """The small Llama pre-trained here on reading items with invented facts; its induction circuit takes two layers."""

    vocabulary_tokens: int = Field(ge=300)
    hidden_size: int = Field(ge=32)
    layers: int = Field(ge=2)
    heads: int = Field(ge=1)
    steps: int = Field(ge=1)
    items_per_step: int = Field(ge=1)
    learning_rate: float = Field(gt=0)


class BaseReaderSettings(Block):
    """`source`: `starter`, a folder (`./NAME`, pinned by its hash) or a hub id with a pinned revision."""

    source: Name
    revision: Name | None
    starter: StarterReaderSettings


class BaseSettings(Block):
    """Where the two models come from before joint training."""

    retriever: BaseRetrieverSettings
    reader: BaseReaderSettings


class PromptSettings(Block):
    """What the reader sees; lengths are reader tokens. One prompt for training, evaluation and serving.

    `layout`: what comes first. With the question first, the reader's judgement of many passages reads it only once.
    `answer`: what is taught; letter_rationale: the letter, then the question's rationale; options are told by letter.
    `context_tokens`: of passages, question and answer together; passages that do not fit are dropped; null: no bound.
    """

    layout: Literal["passages_first", "question_first"]
    options: Literal["hidden", "shown"]
    answer: Literal["text", "letter", "letter_text", "letter_rationale"]
    passage_tokens: int = Field(ge=8)
    question_tokens: int = Field(ge=8)
    answer_tokens: int = Field(ge=1)
    context_tokens: int | None = Field(ge=1)


class IndexSettings(Block):
    """The index; lengths are retriever tokens, `candidates` is the pool size K.

    `backend`: how it is searched; auto: exactly up to 5,000 passages, by PLAID beyond. `bits` and `kmeans_iterations`
    are PLAID's. `hybrid`: rankings are fused with BM25's.
    """

    backend: Literal["auto", "exact", "plaid"]
    hybrid: bool
    query_tokens: int = Field(ge=8)
    passage_tokens: int = Field(ge=8)
    bits: Literal[1, 2, 4]
    kmeans_iterations: int = Field(ge=1)
    candidates: int = Field(ge=1)


class EvaluateSettings(Block):
    """All arms on the same questions; `confidence` is the level of every interval.

    `controls`: further readings by the joint arm's reader: gold passages, those of another question (shuffled), BM25's.
    `option_orders`: every cyclic order of the options is read; `strict_text`: what the reader writes is read too;
    `evidence`: each passage that was read is left out in turn; `rationale_tokens`: of a written rationale, 0: none.
    `abstain_for`: accuracy that a threshold of confidence, chosen on the split dev, shall reach on what is answered.
    `seed`: of intervals and shuffled passages, and of the protocol.
    """

    seed: int = Field(ge=0)
    controls: Annotated[tuple[Literal["gold", "shuffled", "bm25"], ...], Distinct]
    option_orders: bool
    strict_text: bool
    evidence: bool
    rationale_tokens: int = Field(ge=0)
    abstain_for: float = Field(gt=0, le=1)
    splits: Annotated[tuple[Literal["dev", "test", "test_seen"], ...], Field(min_length=1), Distinct]
    questions_per_batch: int = Field(ge=1)
    recall_at: Annotated[tuple[Annotated[int, Field(ge=1, strict=True)], ...], Field(min_length=1), Distinct]
    bootstrap_samples: int = Field(ge=100)
    confidence: float = Field(gt=0.5, lt=1)


class Settings(Block):
    """All of params.yaml; `settings_version`: which keys it has, see jmlr.config_versions."""

    settings_version: Literal[3]
    recipe: Name
    seed: int = Field(ge=0, lt=2**32)  # what the generators of NumPy and torch take
    ingest: IngestSettings
    validate_: ValidateSettings = Field(alias="validate")
    base: BaseSettings
    prompt: PromptSettings
    index: IndexSettings
    train: TrainSettings
    evaluate: EvaluateSettings
    track: TrackSettings
    promote: PromoteSettings
    serve: ServeSettings
    flows: FlowsSettings
    schedule: ScheduleSettings


def parse(raw: object, where: str = "params", rules: bool = True) -> Settings:
    """Typed settings of a parsed params.yaml, of this release or an earlier one.

    Args:
        raw: the YAML document.
        where: the file's name for messages.
        rules: whether keys may not contradict each other; a registered version is done with most of them.

    Raises:
        ConfigError: naming every unknown, missing or wrong key, or every broken rule between keys.
    """
    try:
        settings = Settings.model_validate(migrated(raw, where))
    except ValidationError as error:
        faults = faults_of(error)
    else:
        faults = broken_rules(settings) if rules else []
    if faults:
        raise ConfigError(
            f"{len(faults)} broken setting(s):\n  " + "\n  ".join(faults),
            expected="the keys described in docs/settings.md",
            where=where,
            next_step=f"edit {where}, or `dvc exp run -S recipe=starter` for a recipe that works",
        )
    return settings


def faults_of(error: ValidationError) -> list[str]:
    """One line a fault: the key's full name, and what is wrong with its value."""
    return [
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}"
        + ("; in YAML a text like this needs quotes" if fault["type"] == "string_type" else "")
        for fault in error.errors()
    ]


def load(path: Path = PARAMS_FILE, rules: bool = True) -> Settings:
    """Typed settings of the file `path`; `rules` as in `parse`.

    Raises:
        ConfigError: if the file is missing or cannot be read, is not YAML, or breaks a rule.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            "no such file", expected="a params.yaml", where=str(path), next_step="run jmlr in the repository's root"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", expected="UTF-8 text", where=str(path)) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"not YAML: {error}", where=str(path), next_step=f"fix {path}") from error
    return parse(raw, str(path), rules)
