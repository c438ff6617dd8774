"""Stage train: every arm from the same base models, on the same questions, for the same number of steps."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from jmlr import fingerprint
from jmlr.config import Settings
from jmlr.data.tables import read_passages, read_questions, write_rows
from jmlr.errors import MissingResource
from jmlr.files import write_json
from jmlr.index import build, candidates, generation, manifest
from jmlr.index.embeddings import StoredEmbeddings
from jmlr.models import adapters
from jmlr.models.prompt import PromptWriter
from jmlr.models.retriever import Retriever
from jmlr.models.trainable_reader import load_for_training
from jmlr.stages import layout
from jmlr.stages.console import CONSOLE
from jmlr.tracking.gpu_hours import count_devices
from jmlr.tracking.reference import RunReference
from jmlr.tracking.run import TrainingRun
from jmlr.training import checkpoint, processes
from jmlr.training.cost import CostMeter
from jmlr.training.joint import Corpus, JointModel
from jmlr.training.ledger import describe_components, describe_rationales
from jmlr.training.pools import PassageStore, Pools
from jmlr.training.sink import History, MetricSink
from jmlr.training.trainer import ArmRun, train_arm, whole_weights
from jmlr.training.tries import Tries
from jmlr.types import Passage, Question

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DONE_FILE = "done.json"
_MARKER = layout.TRAIN / "training.json"
# They say what is measured and when to stop, not what is trained: another value goes on from the checkpoints.
_NOT_TRAINING = {"train": {"budget_device_hours", "device_peak_tflops"}}


@dataclass(frozen=True)
class TrainingData:
    """What every arm reads, and the hash of it and of the settings."""

    questions: list[Question]
    passages: list[Passage]
    digest: str


def run(settings: Settings) -> None:
    """Writes build/train: the pair with its own index, the other arms' readers, ledger.json, history.parquet, run.json.

    After a try that was cut off, an arm that was finished with the same settings, code, data and base models is not
    trained again, and the one that was under way goes on from its last checkpoint. Started by a launcher, every process
    trains, and the first one alone writes, removes and tracks.

    Raises:
        MissingResource: if the settings need a GPU and there is none.
        FingerprintMismatch: if the index is not the base retriever's.
        TrainingFailed: if the joint arm's retriever does not move or collapses, or if a checkpoint was written by
            another number of processes.
        BudgetReached: if all tries together have used up train.budget_device_hours.
    """
    _require_devices(settings)
    data = _load_data(settings)
    manifest.check(generation.current(layout.INDEX), layout.BASE_RETRIEVER, data.passages)
    processes.join()
    if processes.is_first():
        _forget_other_trainings(data.digest)
    processes.wait_for_all()
    for arm in settings.train.arms:
        checkpoint.check_world_size(_checkpoints(arm), processes.world_size())
    finished = {arm: record for arm in settings.train.arms if (record := _finished(arm))}
    devices = count_devices()
    tries = Tries(layout.TRIES, devices.kind, devices.count)
    # The first process may only write once all have seen what there was.
    processes.wait_for_all()
    with _tracked(settings) as tracked:
        for arm in settings.train.arms:
            if arm not in finished:
                finished[arm] = _train(arm, settings, data, tracked.for_arm(arm), tries)
        # Nobody waits for the first process, which has the index to make: that may take longer than a barrier holds.
        processes.leave()
        if processes.is_first():
            _write_results(settings, data, {arm: finished[arm] for arm in settings.train.arms}, (tracked, tries))


def _tracked(settings: Settings) -> TrainingRun:
    """The MLflow run of this training; after a try that was cut off, the same one again."""
    params = settings.model_dump(by_alias=True)
    if layout.RUN.exists():
        tracked = TrainingRun.resume(RunReference.read(layout.RUN), params)
    else:
        tracked = TrainingRun.start(settings.track.experiment, params)
        for table in (layout.QUESTIONS, layout.PASSAGES):
            tracked.log_dataset(table, fingerprint.of_file(table), "training")
    if processes.is_first():
        tracked.reference.write(layout.RUN)
    return tracked


def _write_results(
    settings: Settings, data: TrainingData, finished: dict[str, dict[str, Any]], books: tuple[TrainingRun, Tries]
) -> None:
    """Writes the trained retriever's index, ledger and history, then forgets the notes of the tries."""
    tracked, tries = books
    if "jmlr" in settings.train.arms:
        _index(settings, data, tries)
    entries = {arm: record["ledger"] for arm, record in finished.items()}
    hours = tries.device_hours()
    write_json(layout.LEDGER, {**entries, "settings_hash": data.digest, "device_hours": hours, "tries": tries.rows()})
    write_rows(layout.HISTORY, [row for record in finished.values() for row in record["history"]])
    tracked.log_artifacts(layout.LEDGER)
    tracked.log_artifacts(layout.HISTORY)
    tracked.log(settings.train.steps, {"device_hours": hours})
    for note in (_MARKER, layout.TRIES, *(_done_file(arm) for arm in finished)):
        note.unlink(missing_ok=True)


def _index(settings: Settings, data: TrainingData, tries: Tries) -> None:
    """Writes the trained retriever's own index; it costs device hours as an arm does."""
    with tries.open("index"):
        build.build(layout.TRAINED_RETRIEVER, data.passages, settings.index, layout.TRAINED_INDEX, settings.seed)


def _require_devices(settings: Settings) -> None:
    if settings.train.needs_gpu and not torch.cuda.is_available():
        raise MissingResource(
            f"recipe {settings.recipe} needs a GPU and there is none",
            expected="a CUDA device that torch sees",
            where="params.yaml, train.needs_gpu",
            next_step="run it on a GPU machine, or `dvc exp run -S recipe=starter` here",
        )


def _load_data(settings: Settings) -> TrainingData:
    questions = [question for question in read_questions(layout.QUESTIONS) if question.split == "train"]
    parts: list[Any] = [
        settings.model_dump(include={"seed", "prompt", "index", "train"}, exclude=_NOT_TRAINING, mode="json")
    ]
    parts += [fingerprint.of_folder(folder) for folder in (layout.INGEST, layout.BASE)]
    package = Path(__file__).parents[1]
    parts += [fingerprint.of_folder(package / name, "*.py") for name in ("training", "losses", "models")]
    return TrainingData(questions, read_passages(layout.PASSAGES), fingerprint.of_json(parts))


def _train(arm: str, settings: Settings, data: TrainingData, sink: MetricSink, tries: Tries) -> dict[str, Any]:
    """Trains one arm and saves its reader, for the joint arm its retriever too; returns ledger entry and history."""
    meter = CostMeter(arm, settings.train, tries, CONSOLE.print)
    torch.manual_seed(settings.seed)
    model, pools, tokenizer = _build_arm(arm, settings, data)
    training, folder = settings.train, layout.arm_folder(arm)
    opening = describe_components(model, training)
    if processes.is_first():
        _open_ledger(arm, opening)
    taught = _taught(arm, PromptWriter(tokenizer, settings.prompt), data.questions)
    file = _checkpoints(arm) / "history.jsonl" if processes.is_first() else None
    history = History(arm, meter.sink(sink), file)
    run_of_arm = ArmRun(training, settings.seed, _checkpoints(arm), history, meter)
    with meter:
        measured = train_arm(model, pools, len(data.questions), run_of_arm)
    record = {
        "ledger": {**opening, **taught, **measured, "device": tries.device, **tries.cost(arm)},
        "history": history.rows,
    }
    with whole_weights(model):
        if processes.is_first():
            adapters.merge_and_save(model.reader, folder / "reader")
            if arm == "jmlr" and model.retriever is not None:
                model.retriever.save(layout.TRAINED_RETRIEVER)
    if processes.is_first():
        tokenizer.save_pretrained(folder / "reader")
        write_json(_done_file(arm), record)
        checkpoint.forget(_checkpoints(arm))
        CONSOLE.print(f"{arm}: {measured['steps']:.0f} steps in {measured['seconds']:.0f} s on {tries.device}")
    return record


def _build_arm(arm: str, settings: Settings, data: TrainingData) -> tuple[JointModel, Pools, PreTrainedTokenizerBase]:
    """An arm from the base models, its pools as the index gives them, and its reader's tokenizer."""
    training = settings.train
    reader, tokenizer = load_for_training(layout.BASE_READER, training.reader)
    retriever = None if arm == "closed_book" else Retriever.load(layout.BASE_RETRIEVER, settings.index)
    store = PassageStore.from_index(StoredEmbeddings.open(generation.current(layout.INDEX)))
    pools = Pools(data.questions, data.passages, candidates.read(layout.CANDIDATES), store, settings.index.candidates)
    corpus = Corpus(data.questions, data.passages, pools)
    model = JointModel(arm, (retriever, reader), PromptWriter(tokenizer, settings.prompt), corpus, training)
    return model, pools, tokenizer


def _open_ledger(arm: str, opening: dict[str, dict[str, float | int]]) -> None:
    """Says before the first step what this arm trains, in ledger.json and on the console."""
    file = layout.LEDGER
    others = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    write_json(file, {**others, arm: opening})
    for component, counts in opening.items():
        CONSOLE.print(
            f"{arm}: {component} trains {counts['trainable']:,} parameters at rate {counts['learning_rate']:g}, "
            f"{counts['frozen']:,} are frozen"
        )


def _taught(arm: str, writer: PromptWriter, questions: list[Question]) -> dict[str, dict[str, int]]:
    """Says how many rationales an arm is taught, for the ledger; nothing where the prompt asks for none."""
    if writer.settings.answer != "letter_rationale":
        return {}
    found = describe_rationales(writer, questions)
    if processes.is_first():
        CONSOLE.print(
            f"{arm}: {found['with_rationale']:,} of {found['questions']:,} training questions have a rationale, "
            f"{found['cut']:,} are cut at prompt.answer_tokens ({writer.settings.answer_tokens})"
        )
    return {"rationales": found}


def _checkpoints(arm: str) -> Path:
    return layout.arm_folder(arm) / "checkpoints" / arm


def _done_file(arm: str) -> Path:
    return layout.TRAIN_ARMS / arm / DONE_FILE


def _finished(arm: str) -> dict[str, Any] | None:
    """The record of an arm that an earlier try of the same training finished."""
    file = _done_file(arm)
    if not file.exists():
        return None
    record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if processes.is_first():
        CONSOLE.print(f"{arm}: finished in an earlier try")
    return record


def _forget_other_trainings(digest: str) -> None:
    """Removes what a training with other settings, data or base models left, checkpoints included."""
    if _MARKER.exists() and json.loads(_MARKER.read_text(encoding="utf-8"))["digest"] == digest:
        return
    shutil.rmtree(layout.TRAIN, ignore_errors=True)
    layout.TRAIN.mkdir(parents=True)
    write_json(_MARKER, {"digest": digest})
