"""`jmlr evaluate --refreshed`: build/refreshed, and the version it comes from, on the same questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from jmlr.commands.evaluate.alone import Contender, evaluate_alone, folder_of, is_evaluated
from jmlr.commands.evaluate.version import evaluate_version
from jmlr.commands.passages.refreshed import Refreshed
from jmlr.console import CONSOLE
from jmlr.data.tables import batches_of, read_questions
from jmlr.errors import MissingResource
from jmlr.evaluation.notation import p_value, points
from jmlr.evaluation.protocol import protocol_hash
from jmlr.evaluation.reliance.changed_answers import compare_answers, read_arm
from jmlr.files import write_json
from jmlr.registry.version.pair import hash_rule
from jmlr.settings import Settings
from jmlr.stages import layout

_ARM = "jmlr"
_SHOWN = 10


def run(settings: Settings) -> None:
    """Writes build/refreshed/evaluation and comparison.json: accuracy before and after, and the answers that changed.

    The version it comes from answers the same questions, into build/evaluations/version-NUMBER. An evaluation of the
    same pair under the same protocol that is there already is not made again.

    Raises:
        MissingResource: if nothing is refreshed, or it has the version's passages.
        RegistryError: if the version's files are gone.
    """
    made = Refreshed.read()
    if not made.is_other:
        raise MissingResource(
            f"build/refreshed has the passages of version {made.version}",
            expected="other passages",
            next_step="change the data or withdrawn.yaml, then dvc repro validate and jmlr refresh",
        )
    before = _evaluate_source(settings, made)
    _evaluate(settings, made)
    after = layout.REFRESHED_EVALUATION
    gone = _passage_ids(made.source_pair().passages) - _passage_ids(layout.REFRESHED_PASSAGES)
    found = compare_answers(read_arm(before, _ARM), read_arm(after, _ARM), settings.evaluate, gone)
    write_json(layout.COMPARISON, {"model": made.name, "refreshed_from": made.version, **found})
    _show(made, found)


def _evaluate_source(settings: Settings, made: Refreshed) -> Path:
    """The folder of the evaluation of the version that it comes from."""
    folder, pair = folder_of(f"version-{made.version}"), made.source_pair()
    its_hash = pair.pair_hash(hash_rule(made.source().tags))
    if not _is_of(folder, its_hash, pair.settings(settings)):
        evaluate_version(settings, f"models:/{made.name}/{made.version}", folder)
    return folder


def _evaluate(settings: Settings, made: Refreshed) -> None:
    pair = made.pair()
    its_settings, pair_hash = pair.settings(settings), pair.pair_hash()
    if _is_of(layout.REFRESHED_EVALUATION, pair_hash, its_settings):
        return
    source = made.source()
    told = {
        "model": f"models:/{made.name}/{made.version} with other passages",
        "pair_hash": pair_hash,
        "run_id": source.run_id,
        **made.as_tags(source),
    }
    contender = Contender(_ARM, pair.reader, pair.retriever, pair.index, pair.passages, told=told)
    evaluate_alone(its_settings, contender, layout.REFRESHED_EVALUATION)


def _is_of(folder: Path, pair_hash: str, settings: Settings) -> bool:
    """Whether the evaluation in `folder` is of this pair, on the current questions asked in the same way."""
    return is_evaluated(folder, pair_hash, protocol_hash(settings, read_questions(layout.QUESTIONS)))


def _passage_ids(table: Path) -> set[str]:
    return {name for batch in batches_of(table, ["passage_id"]) for name in batch["passage_id"].to_pylist()}


def _show(made: Refreshed, found: dict[str, Any]) -> None:
    table = Table(
        title=f"Version {made.version}, and its models with today's passages: right answers, %",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for name in ("split", "questions", "before", "after", "points", "p", "helped", "hurt", "by loss"):
        table.add_column(name, justify="left" if name == "split" else "right", no_wrap=True)
    for split, one in found["splits"].items():
        change = points(one["difference"]["value"]), p_value(one["difference"]["mcnemar_p"]).removeprefix("= ")
        shares = (f"{100 * one[when]['value']:.1f}" for when in ("before", "after"))
        counts = (str(one[name]) for name in ("helped", "hurt", "hurt_by_loss"))
        table.add_row(split, str(one["questions"]), *shares, *change, *counts)
    CONSOLE.print(table)
    for one in found["changed"][:_SHOWN]:
        marks = {True: "right", False: "wrong"}
        CONSOLE.print(
            f"  {one['question_id']}: {one['before']} ({marks[one['was_right']]}) -> "
            f"{one['after']} ({marks[one['is_right']]})"
        )
    CONSOLE.print(
        f"{len(found['changed'])} answers changed; {found['read_others']} questions read other passages.\n-> "
        f"{layout.COMPARISON}, {layout.REFRESHED_EVALUATION / layout.REPORT.name}"
    )
