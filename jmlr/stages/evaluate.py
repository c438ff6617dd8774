"""Stage evaluate: every arm on the same questions, by option likelihood; retrieval by every ranking."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from jmlr import fingerprint
from jmlr.data.tables import read_made, read_passages, read_questions
from jmlr.evaluation.session import Session, ranking_read, retrieve
from jmlr.files import read_json, reading
from jmlr.settings import Settings
from jmlr.stages import evaluation_files, layout
from jmlr.stages.evaluation_files import HitsById
from jmlr.tracking.provenance import provenance
from jmlr.tracking.run import RunReference, TrainingRun, flatten
from jmlr.types import Passage, Question

_TRAIN = "dvc repro train"


_OWN_RANKING = {"rag": "before", "jmlr": "after"}
"""The ranking of each reading arm's own retriever."""


def run(settings: Settings) -> None:
    """Writes build/evaluate: metrics.json, predictions.parquet, report.html and the other files of docs/evaluation.md.

    All of it is logged in the training's run. An interrupted evaluation of the same models, index, questions and
    settings continues where it was.

    Raises:
        FingerprintMismatch: if an index is not its retriever's.
        MissingResource: if an arm is not trained.
    """
    start = time.monotonic()
    splits = set(settings.evaluate.splits)
    everything = read_questions(layout.QUESTIONS)
    questions = [question for question in everything if question.split in splits]
    dev = [question for question in everything if question.split == "dev"]
    passages = read_passages(layout.PASSAGES)
    hits = _retrieve(settings, questions if "dev" in splits else questions + dev, passages)
    session = Session(settings, questions, dev, passages, _answers(settings))
    _read(session, hits)
    metrics = evaluation_files.measure_all(settings, session, hits)
    evaluation_files.write(settings, layout.EVALUATE, session, metrics, _origin(time.monotonic() - start))
    _track(settings, evaluation_files.headline(metrics))
    shutil.rmtree(layout.JOURNALS, ignore_errors=True)


def _answers(settings: Settings) -> Path:
    """The folder of the answers that this evaluation has given so far."""
    read = [layout.INGEST, *(layout.arm_folder(arm) / "reader" for arm in settings.train.arms)]
    indexes = [layout.INDEX, layout.TRAINED_INDEX]
    return evaluation_files.answers_folder(layout.JOURNALS, settings, [*map(fingerprint.of_folder, read)], indexes)


def _retrieve(settings: Settings, questions: Sequence[Question], passages: Sequence[Passage]) -> dict[str, HitsById]:
    """Every ranking that is reported: `before` and `after` are the base and the trained retriever; see `retrieve`."""
    pairs = {"before": (layout.BASE_RETRIEVER, layout.INDEX)}
    if "jmlr" in settings.train.arms:
        pairs["after"] = (layout.TRAINED_RETRIEVER, layout.TRAINED_INDEX)
    return retrieve(settings, pairs, questions, passages)


def _read(session: Session, hits: Mapping[str, HitsById]) -> None:
    """All arms' answers, with the controls of those that read passages."""
    settings = session.settings
    nothing: HitsById = {question.question_id: [] for question in (*session.questions, *session.dev)}
    for arm in settings.train.arms:
        found = hits[ranking_read(settings, _OWN_RANKING[arm], hits)] if arm in _OWN_RANKING else nothing
        answerer = session.read_arm(arm, layout.arm_folder(arm) / "reader", found)
        if arm in _OWN_RANKING:
            session.read_controls(answerer, arm, found, hits["bm25"])


def _origin(seconds: float) -> evaluation_files.Origin:
    ledger = read_json(layout.LEDGER, _TRAIN)
    with reading(layout.LEDGER, _TRAIN):
        hours = float(ledger["device_hours"])
    told = {
        **provenance(),
        "evaluation_seconds": f"{seconds:.0f}",
        "training_device_hours": f"{hours:.3f}",
        "tracking_uri": RunReference.read(layout.RUN).tracking_uri,
    }
    return evaluation_files.Origin(told, ledger, read_made(layout.HISTORY, _TRAIN).to_pylist())


def _track(settings: Settings, metrics: Mapping[str, object]) -> None:
    """Logs the numbers and files of the evaluation in the run of the training."""
    with TrainingRun.resume(RunReference.read(layout.RUN), settings.model_dump(by_alias=True)) as tracked:
        values = {_metric_name(name): text for name, text in flatten(metrics)}
        numbers = {name: float(text) for name, text in values.items() if _is_number(text)}
        tracked.log(settings.train.steps, numbers)
        tracked.log_artifacts(layout.EVALUATE, "evaluation")
        tracked.log_artifacts(layout.DATA_DOCS, "data_docs")


def _metric_name(name: str) -> str:
    """A name that MLflow takes, whatever question types and sets are called.

    >>> _metric_name("test.by_set.Surgery (UK) & more.questions")
    'test/by_set/Surgery _UK_ _ more/questions'
    """
    return re.sub(r"[^\w/ :-]", "_", name.replace(".", "/"), flags=re.ASCII)


def _is_number(text: str) -> bool:
    """Whether a metric has a value; unknown ones are None.

    >>> _is_number("0.5"), _is_number("None")
    (True, False)
    """
    try:
        float(text)
    except ValueError:
        return False
    return True
