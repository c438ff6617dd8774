"""One reader with one pair's passages on the current questions: a version of the registry, or an untrained reader."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jmlr import fingerprint
from jmlr.console import CONSOLE
from jmlr.data.tables import read_passages, read_questions
from jmlr.errors import ConfigError
from jmlr.evaluation.notation import arm_label
from jmlr.evaluation.report.table import result_table
from jmlr.evaluation.session import Session, ranking_read, retrieve
from jmlr.files import making, read_json, write_json
from jmlr.settings import Settings
from jmlr.stages import evaluation_files, layout
from jmlr.tracking.provenance import provenance
from jmlr.types import Passage, Question

EVALUATED_FILE = "evaluated.json"
_CODE_TAGS = ("git_commit", "git_dirty", "data_dvc_hash")


@dataclass(frozen=True)
class Contender:
    """The one model that is evaluated.

    Attributes:
        arm: under which its answers stand: jmlr for a trained pair, untrained for a reader as it comes.
        reader: its folder.
        retriever: folder of what finds the passages.
        index: of that retriever.
        passages: the table that is indexed.
        ranking: under which retrieval is reported: after joint training, or before.
        told: what evaluated.json says of it.
        name: for people; empty: the arm's.
    """

    arm: str
    reader: Path
    retriever: Path
    index: Path
    passages: Path
    ranking: str = "after"
    told: Mapping[str, str] = field(default_factory=dict)
    name: str = ""


def evaluate_alone(settings: Settings, contender: Contender, folder: Path) -> dict[str, Any]:
    """Writes into `folder` what build/evaluate holds, whole or not at all; an interrupted run continues.

    `settings`: with the prompt and the index of the contender and the current `evaluate`. `folder`: replaced where it
    is there.

    Returns:
        The content of metrics.json.

    Raises:
        FingerprintMismatch: if retriever, index and passages of the contender do not belong together.
        MissingResource: if a model of it is not there.
    """
    start = time.monotonic()
    everything, passages = read_questions(layout.QUESTIONS), read_passages(contender.passages)
    questions = [one for one in everything if one.split in settings.evaluate.splits]
    dev = [one for one in everything if one.split == "dev"]
    settings = _without_unknown_gold(settings, questions, passages)
    asked = list({one.question_id: one for one in (*questions, *dev)}.values())
    hits = retrieve(settings, {contender.ranking: (contender.retriever, contender.index)}, asked, passages)
    answers = folder.with_name(f".{folder.name}.answers")
    session = Session(settings, questions, dev, passages, _answers(settings, contender, answers))
    found = hits[ranking_read(settings, contender.ranking, hits)]
    answerer = session.read_arm(contender.arm, contender.reader, found)
    session.read_controls(answerer, contender.arm, found, hits["bm25"])
    metrics = evaluation_files.measure_all(settings, session, hits)
    here = provenance()
    told = {**contender.told, **{name: here[name] for name in _CODE_TAGS}}
    shown = {**told, "evaluation_seconds": f"{time.monotonic() - start:.0f}"}
    origin = evaluation_files.Origin(shown, alone=contender.name or arm_label(contender.arm))
    with making(folder) as unfinished:
        protocol_hash = evaluation_files.write(settings, unfinished, session, metrics, origin)
        write_json(unfinished / EVALUATED_FILE, {**told, "protocol_hash": protocol_hash})
    shutil.rmtree(answers, ignore_errors=True)
    return evaluation_files.headline(metrics)


def is_evaluated(folder: Path, pair_hash: str | None, protocol_hash: str) -> bool:
    """Whether `folder` has the evaluation of this very pair under this protocol; it is whole or not there."""
    found = read_json(folder / EVALUATED_FILE, f"rm -r {folder}, then the same command evaluates it again")
    return bool(found) and (found.get("pair_hash"), found.get("protocol_hash")) == (pair_hash, protocol_hash)


def folder_of(name: str) -> Path:
    """Where the evaluation of this name goes, build/evaluations/NAME.

    Raises:
        ConfigError: if it is no plain name.

    >>> folder_of("version-3").as_posix()
    'build/evaluations/version-3'
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ConfigError(f"{name!r}", expected="letters, digits, dots, - and _", where="--name")
    return layout.EVALUATIONS / name


def show(metrics: Mapping[str, Any], folder: Path) -> None:
    """Prints the result table, and where to look next."""
    CONSOLE.print(result_table(metrics))
    CONSOLE.print(f"-> {folder / layout.REPORT.name}\n   jmlr compare {layout.EVALUATE} {folder}")


def _answers(settings: Settings, contender: Contender, root: Path) -> Path:
    """The folder of the answers that this evaluation has given so far."""
    made_of = [
        fingerprint.of_folder(contender.reader),
        *map(fingerprint.of_file, (contender.passages, layout.QUESTIONS)),
    ]
    return evaluation_files.answers_folder(root, settings, made_of, [contender.index])


def _without_unknown_gold(settings: Settings, questions: Sequence[Question], passages: Sequence[Passage]) -> Settings:
    """The settings without the control that reads gold passages, where the contender's passages do not hold them all.

    Its retrieval misses those passages, which is counted as such.
    """
    known = {passage.passage_id for passage in passages}
    unknown = {name for one in questions for name in one.gold_passage_ids} - known
    if not unknown or "gold" not in settings.evaluate.controls:
        return settings
    CONSOLE.print(f"{len(unknown)} gold passages of the questions are not among its passages: no reading of gold ones")
    controls = tuple(name for name in settings.evaluate.controls if name != "gold")
    return settings.model_copy(update={"evaluate": settings.evaluate.model_copy(update={"controls": controls})})
