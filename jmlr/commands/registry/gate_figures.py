"""The figures that the gates of a promotion are held against: of a version's papers, its files, and its answers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jmlr import fingerprint
from jmlr.commands.evaluate.alone import EVALUATED_FILE
from jmlr.commands.evaluate.version import evaluate_version
from jmlr.console import CONSOLE
from jmlr.data.tables import read_made, read_passages
from jmlr.errors import JmlrError, MissingResource, RegistryError
from jmlr.evaluation.protocol import require_same
from jmlr.failure import may_pass
from jmlr.files import read_json
from jmlr.index import generation, manifest
from jmlr.registry.promotion import comparison, gates
from jmlr.registry.promotion.gates import Comparison, Gate
from jmlr.registry.version import record
from jmlr.registry.version.lookup import files
from jmlr.registry.version.pair import PAIR_HASH_TAG, Pair, hash_rule
from jmlr.registry.version.record import Record
from jmlr.registry.withdrawal.versions import withdrawn_passages
from jmlr.settings import Settings
from jmlr.stages import layout
from jmlr.tracking.store import connect
from jmlr.types import Question

if TYPE_CHECKING:
    from jmlr.registry.version.lookup import ModelVersion

Reevaluate = Callable[[Settings, str, Path], object]
"""Evaluates a version (`3`) on the current questions into a folder with the files of build/evaluate."""

_ANSWERS_ALONE = {
    "controls": (),
    "option_orders": False,
    "strict_text": False,
    "evidence": False,
    "rationale_tokens": 0,
}


def judge(
    settings: Settings,
    challenger: ModelVersion,
    champion: ModelVersion | None,
    reevaluate: Reevaluate | None = None,
) -> list[Gate]:
    """What every gate finds.

    Args:
        settings: the bounds.
        challenger: the version that would become champion.
        champion: the present one, if there is one.
        reevaluate: how a champion is evaluated on test data that came after it.
    """
    client = connect()
    papers, pair = record.fetch(client, challenger), files(client, challenger).pair
    report, counts = papers.validation_report(), papers.counts() or {}
    fault = _fault_of(pair, challenger)
    return [
        gates.validation(report),
        gates.leakage(report, int(counts.get("questions", 0)), settings.validate_.max_leaked_fraction),
        gates.pair(fault),
        gates.withdrawn(withdrawn_passages(challenger)),
        *_against(settings, papers, champion, reevaluate or _evaluate_version),
        gates.latency(None if fault else _p50_seconds(settings, pair, papers), settings.promote.max_p50_seconds),
        gates.size(_bytes_of(pair), settings.promote.max_size_gigabytes),
    ]


def _fault_of(pair: Pair, version: ModelVersion) -> str:
    """What is wrong with the version's files; empty if they belong together and are the registered ones."""
    try:
        manifest.check(generation.current(pair.index), pair.retriever, read_passages(pair.passages))
        found = pair.pair_hash(hash_rule(version.tags))
    except JmlrError as error:
        if may_pass(error):
            raise
        return error.found
    registered = version.tags.get(PAIR_HASH_TAG)
    return "" if found == registered else f"its files hash to {found[:12]}, registered were {str(registered)[:12]}"


def _against(settings: Settings, papers: Record, champion: ModelVersion | None, reevaluate: Reevaluate) -> list[Gate]:
    """The gates that hold the challenger against the champion."""
    if champion is None:
        return [gates.protocol("", gates.NO_CHAMPION), *_compared(settings, None)]
    try:
        if papers.evaluation is None:
            raise RegistryError("the version carries no evaluation", next_step="jmlr register")
        theirs, told = _champions_evaluation(settings, papers.evaluation, champion, reevaluate)
        compared = comparison.compare(papers.evaluation, theirs, settings.promote.split, settings.evaluate)
    except JmlrError as error:
        passing = may_pass(error) or isinstance(error, MissingResource)  # of this machine, not of a version
        fault = gates.protocol(str(error).splitlines()[0], "", passing)
        return [fault, *gates.uncompared("see protocol", passing)]
    return [gates.protocol("", told), *_compared(settings, compared)]


def _compared(settings: Settings, compared: Comparison | None) -> list[Gate]:
    return [gate(compared, settings.promote) for gate in (gates.accuracy, gates.helped, gates.subgroups)]


def _champions_evaluation(
    settings: Settings, challenger: Path, champion: ModelVersion, reevaluate: Reevaluate
) -> tuple[Path, str]:
    """The folder of the champion's evaluation under the challenger's protocol, and how it came by it.

    Where the test data have changed since, or the champion carries no evaluation, it is evaluated again.

    Raises:
        ProtocolMismatch: if the two cannot be compared.
    """
    ours = comparison.read_protocol(challenger)
    allowed = {"prompt"} if settings.promote.allow_prompt_change else set()
    theirs, told = record.fetch(connect(), champion).evaluation, "the same questions, asked in the same way"
    if theirs is None or comparison.differing(ours, comparison.read_protocol(theirs)) & comparison.ITEMS:
        theirs = layout.EVALUATIONS / f"gates-version-{champion.version}"  # not that of jmlr evaluate --version
        if not _was_evaluated(theirs, champion, ours):
            reevaluate(settings, str(champion.version), theirs)
        told = f"champion version {champion.version} evaluated on the challenger's questions"
    protocol = comparison.read_protocol(theirs)
    if not comparison.differing(ours, protocol) <= allowed:
        require_same(ours, protocol, ("the challenger", f"champion version {champion.version}"))
    return theirs, told if ours == protocol else f"{told}, each with its own prompt"


def _was_evaluated(folder: Path, version: ModelVersion, protocol: Mapping[str, Any]) -> bool:
    """Whether an earlier promotion evaluated this very pair under this protocol; the folder is whole or not there."""
    told = read_json(folder / EVALUATED_FILE, f"rm -r {folder}, then jmlr promote evaluates it again")
    made_of = version.tags.get(PAIR_HASH_TAG), fingerprint.of_json(protocol)
    return (told.get("pair_hash"), told.get("protocol_hash")) == made_of


def _evaluate_version(settings: Settings, version: str, folder: Path) -> object:
    """Only the answers that are compared: controls, other orders, words and evidence are no part of a protocol."""
    CONSOLE.print(f"version {version} carries no evaluation on the challenger's questions: evaluating it on them")
    answers = settings.evaluate.model_copy(update=_ANSWERS_ALONE)
    return evaluate_version(settings.model_copy(update={"evaluate": answers}), version, folder)


def _p50_seconds(settings: Settings, pair: Pair, papers: Record) -> float | None:
    """The median seconds of an answer, one question at a time, after one that is not counted."""
    from jmlr.answering.answerer import Answerer

    if papers.evaluation is None:
        return None
    columns, file = ["question_id", "text", "options"], papers.evaluation / layout.PREDICTIONS.name
    table = read_made(file, "dvc repro evaluate, then jmlr register", columns=columns).to_pandas()
    rows = table.drop_duplicates("question_id").head(settings.promote.latency_questions + 1)
    asked = [Question(row.question_id, row.text, tuple(row.options), 0, "test") for row in rows.itertuples()]
    its = pair.settings(settings)
    answerer = Answerer.load(pair.retriever, pair.reader, pair.index, pair.passages, its)
    seconds = []
    for question in asked:
        start = time.perf_counter()
        answerer.answer([question])
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:] or seconds)


def _bytes_of(pair: Pair) -> int:
    places = [pair.retriever, pair.reader, pair.index, pair.passages]
    found = [path for place in places for path in ([place] if place.is_file() else place.rglob("*"))]
    return sum(path.stat().st_size for path in found if path.is_file())
