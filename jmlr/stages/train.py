"""Stage train: every arm from the same base models, on the same questions, for the same number of steps."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from jmlr import fingerprint
from jmlr.console import CONSOLE
from jmlr.data.tables import read_passages, read_questions, write_rows
from jmlr.errors import DataError, MissingResource
from jmlr.files import read_json, sync, write_json
from jmlr.index import build, candidates, generation, manifest
from jmlr.index.bm25 import Bm25
from jmlr.index.embeddings import StoredEmbeddings
from jmlr.models import adapters
from jmlr.models.prompt import PromptWriter
from jmlr.models.retriever import Retriever
from jmlr.models.trainable_reader import load_for_training
from jmlr.settings import Settings
from jmlr.settings.training import ARMS
from jmlr.stages import layout
from jmlr.tracking.gpu_hours import count_devices
from jmlr.tracking.reference import RunReference
from jmlr.tracking.run import TrainingRun
from jmlr.training import checkpoint, identity, processes
from jmlr.training.cost.budget import CostMeter
from jmlr.training.cost.tries import Tries
from jmlr.training.identity import Identity
from jmlr.training.joint import Corpus, JointModel
from jmlr.training.ledger import describe_components, describe_rationales
from jmlr.training.pools import PassageStore, Pools
from jmlr.training.sink import History, MetricSink
from jmlr.training.trainer import ArmRun, train_arm, whole_weights
from jmlr.types import Passage, Question

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DONE_FILE = "done.json"
_MARKER = layout.TRAIN / "training.json"
_ANEW = f"rm -r {layout.TRAIN}, then dvc repro train"


@dataclass(frozen=True)
class TrainingData:
    """What every arm reads, and what the training is (see `jmlr.training.identity`)."""

    questions: list[Question]
    passages: list[Passage]
    identity: Identity


def run(settings: Settings) -> None:
    """Writes build/train: the pair with its own index, the other arms' readers, ledger.json, history.parquet, run.json.

    After a try that was cut off, an arm that was finished with the same settings, code, data and base models is not
    trained again, and the one that was under way goes on from its last checkpoint. Started by a launcher, every process
    trains, and the first one alone writes, removes and tracks.

    Raises:
        MissingResource: if the settings need a GPU and there is none.
        DataError: if the joint arm has fewer than two passages.
        FingerprintMismatch: if the index is not the base retriever's.
        TrainingFailed: if something that trains does not move or the retriever collapses, or if a checkpoint was
            written by another number of processes.
        BudgetReached: if all tries together have used up train.budget_device_hours.
    """
    _require_devices(settings)
    data = _load_data(settings)
    _require_something_to_rank(settings.train.arms, data.passages)
    manifest.check(generation.current(layout.INDEX), layout.BASE_RETRIEVER, data.passages)
    processes.join()
    if processes.is_first():
        _move_others_aside(data.identity, settings.train.arms)
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
    known = {"settings_hash": fingerprint.of_json(data.identity), "device_hours": hours, "tries": tries.rows()}
    write_json(layout.LEDGER, {**entries, **known})
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


def _require_something_to_rank(arms: Sequence[str], passages: Sequence[Passage]) -> None:
    if "jmlr" in arms and len(passages) < 2:
        raise DataError(
            f"{len(passages)} passage(s): every pool is of one, and there is nothing to rank",
            expected="2 passages or more for the arm jmlr",
            where=str(layout.PASSAGES),
            next_step="add passages to ingest.sources, or take jmlr out of train.arms",
        )


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
    passages = read_passages(layout.PASSAGES)
    pools = candidates.read(layout.CANDIDATES)
    made_of = identity.of_settings(settings) | identity.of_code()
    made_of |= identity.of_data(questions, passages, pools, settings.index.candidates)
    made_of["base models"] = fingerprint.of_folder(layout.BASE)
    return TrainingData(questions, passages, made_of)


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
            adapters.merge_and_save(model.reader, folder / "reader", training.reader.dtype)
            if arm == "jmlr" and model.retriever is not None:
                model.retriever.save(layout.TRAINED_RETRIEVER)
    if processes.is_first():
        tokenizer.save_pretrained(folder / "reader")
        for models in [folder / "reader", *([layout.TRAINED_RETRIEVER] if arm == "jmlr" else [])]:
            sync(models)  # before the word that they are there, and before the checkpoints go
        write_json(_done_file(arm), record)
        checkpoint.forget(_checkpoints(arm))
        CONSOLE.print(f"{arm}: {measured['steps']:.0f} steps in {measured['seconds']:.0f} s on {tries.device}")
    return record


def _build_arm(arm: str, settings: Settings, data: TrainingData) -> tuple[JointModel, Pools, PreTrainedTokenizerBase]:
    """An arm from the base models, its pools as the index gives them, and its reader's tokenizer."""
    training = settings.train
    reader, tokenizer = load_for_training(layout.BASE_READER, training.reader)
    writer = PromptWriter(tokenizer, settings.prompt)
    most = max(len(question.options) for question in data.questions)
    writer.refuse_long_prompts(reader.config, training.read_passages, most)
    retriever = None if arm == "closed_book" else Retriever.load(layout.BASE_RETRIEVER, settings.index)
    store = PassageStore.from_index(StoredEmbeddings.open(generation.current(layout.INDEX)))
    pools = Pools(data.questions, data.passages, candidates.read(layout.CANDIDATES), store, settings.index.candidates)
    if settings.index.hybrid and retriever is not None:
        pools.fuse_with(Bm25(data.passages))
    corpus = Corpus(data.questions, data.passages, pools)
    model = JointModel(arm, (retriever, reader), writer, corpus, training)
    return model, pools, tokenizer


def _open_ledger(arm: str, opening: dict[str, dict[str, float | int]]) -> None:
    """Says before the first step what this arm trains, in ledger.json and on the console."""
    file = layout.LEDGER
    others = read_json(file, _ANEW)
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
    record = read_json(file, _ANEW)
    if processes.is_first():
        CONSOLE.print(f"{arm}: finished in an earlier try")
    return record


def _move_others_aside(made_of: Identity, arms: Sequence[str]) -> None:
    """Moves out of build/train what a finished training, another one, or an arm that is no longer asked for left."""
    before = read_json(_MARKER, _ANEW)
    if before.get("identity") == made_of:
        stray = [arm for arm in ARMS if arm not in arms]
        _move_aside([path for arm in stray for path in _files_of(arm)], f"{' and '.join(stray)}, not in train.arms,")
        return
    if not before:
        _move_aside([layout.TRAIN], "the training that was finished before", "finished")
    elif "identity" in before:
        differing = identity.difference(before["identity"], made_of)
        _move_aside([layout.TRAIN], f"another training ({differing} changed)")
    else:
        _move_aside([layout.TRAIN], "a training of an older release")
    write_json(_MARKER, {"identity": made_of})


def _files_of(arm: str) -> list[Path]:
    """What an arm may have left in build/train."""
    own = [layout.TRAINED_RETRIEVER, layout.TRAINED_READER, layout.TRAINED_INDEX, _checkpoints(arm)]
    return [layout.TRAIN_ARMS / arm, *(own if arm == "jmlr" else [])]


def _move_aside(paths: Sequence[Path], of_what: str, name: str = "") -> None:
    """Moves what there is of `paths`, in build/train, beside it, out of DVC's sight, and says so.

    Without a name it is moved to a place of its own; of one name only the newest is kept.
    """
    there = [path for path in paths if path.exists() and any(path.iterdir())]
    if not there:
        return
    place = layout.TRAIN_ASIDE / (name or time.strftime("%Y%m%d-%H%M%S") + f"-{os.getpid()}")
    shutil.rmtree(place, ignore_errors=True)
    for path in there:
        target = place / path.relative_to(layout.TRAIN)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    CONSOLE.print(f"what {of_what} left in {layout.TRAIN} was moved to {place}; remove it if you do not need it")
