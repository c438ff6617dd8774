"""Stage train: every arm from the same base models, on the same questions, for the same number of steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from jmlr.stages import layout, needs, train_folder
from jmlr.tracking.run import RunReference, TrainingRun
from jmlr.training import checkpoint, identity, processes
from jmlr.training.cost.budget import CostMeter
from jmlr.training.cost.tries import Tries
from jmlr.training.engine import whole_weights
from jmlr.training.identity import Identity
from jmlr.training.joint import ArmRun, Corpus, JointModel, train_arm
from jmlr.training.ledger import describe_components, describe_rationales
from jmlr.training.pools import PassageStore, Pools
from jmlr.training.sink import History, MetricSink
from jmlr.types import Passage, Question

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


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
        train_folder.move_others_aside(data.identity, settings.train.arms)
    processes.wait_for_all()
    for arm in settings.train.arms:
        checkpoint.check_world_size(train_folder.checkpoints(arm), processes.world_size())
    finished = train_folder.finished(settings.train.arms)
    if finished and processes.is_first():
        CONSOLE.print(f"{' and '.join(finished)}: finished in an earlier try")
    tries = Tries(layout.TRIES, processes.device().type, processes.world_size())
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
    for note in (train_folder.MARKER, layout.TRIES, *(train_folder.done_file(arm) for arm in finished)):
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
    if lacks := needs.missing(settings):
        raise MissingResource(
            "; ".join(lacks),
            expected=f"a machine for recipe {settings.recipe}",
            where="params.yaml",
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
    meter = CostMeter(arm, settings.train, tries, sink, CONSOLE.print)
    torch.manual_seed(settings.seed)
    model, tokenizer = _build_arm(arm, settings, data)
    training, folder = settings.train, layout.arm_folder(arm)
    opening = describe_components(model, training)
    if processes.is_first():
        _open_ledger(arm, opening)
    taught = _taught(arm, PromptWriter(tokenizer, settings.prompt), data.questions)
    file = train_folder.checkpoints(arm) / "history.jsonl" if processes.is_first() else None
    history = History(arm, meter, file)
    with meter:
        measured = train_arm(model, ArmRun(settings.seed, train_folder.checkpoints(arm), history, meter))
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
        write_json(train_folder.done_file(arm), record)
        checkpoint.forget(train_folder.checkpoints(arm))
        CONSOLE.print(f"{arm}: {measured['steps']:.0f} steps in {measured['seconds']:.0f} s on {tries.device}")
    return record


def _build_arm(arm: str, settings: Settings, data: TrainingData) -> tuple[JointModel, PreTrainedTokenizerBase]:
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
    return model, tokenizer


def _open_ledger(arm: str, opening: dict[str, dict[str, float | int]]) -> None:
    """Says before the first step what this arm trains, in ledger.json and on the console."""
    file = layout.LEDGER
    others = read_json(file, train_folder.ANEW)
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
