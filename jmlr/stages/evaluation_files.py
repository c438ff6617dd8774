"""The files of an evaluation: of build/evaluate, and of one model alone in build/evaluations."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jmlr import fingerprint
from jmlr.evaluation import evidence, predictions
from jmlr.evaluation.metrics import measure
from jmlr.evaluation.protocol import protocol
from jmlr.evaluation.report import claim_card, page, plots
from jmlr.files import read_json, reading, write_json
from jmlr.settings import Settings
from jmlr.stages import layout
from jmlr.types import Hit

if TYPE_CHECKING:
    from jmlr.evaluation.session import Session  # which imports torch

HitsById = dict[str, list[Hit]]
"""Hits by question id, best first."""


@dataclass(frozen=True)
class Origin:
    """Where what was evaluated comes from.

    Attributes:
        provenance: hashes, times and names, shown as they are.
        ledger: of its training; empty where that is not known.
        history: rows of its training curves; empty where they are not known.
        alone: the name of the one model that was evaluated; empty where arms were compared.
    """

    provenance: Mapping[str, str]
    ledger: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()
    alone: str = ""


def read_metrics(file: Path, next_step: str = "dvc repro evaluate") -> dict[str, Any]:
    """The metrics of an evaluation by split; none where there is no such file.

    Raises:
        DataError: if the file is damaged; `next_step` makes it again.
    """
    found = read_json(file, next_step)
    with reading(file, next_step):
        for measured in found.values():
            if lacking := {"questions", "accuracy", "difference", "retrieval"} - measured.keys():
                raise LookupError(f"no {', '.join(sorted(lacking))}")
    return found


def write(settings: Settings, folder: Path, session: Session, metrics: Mapping[str, Any], origin: Origin) -> str:
    """Writes metrics.json, protocol.json, predictions.parquet, plots/, page.html and the others into `folder`.

    `folder`: build/evaluate, or one like it.

    Returns:
        The protocol's hash.
    """
    questions = session.questions
    measured_by = protocol(settings, questions)
    provenance = {**origin.provenance, "protocol_hash": fingerprint.of_json(measured_by)}
    write_json(folder / layout.PROTOCOL.name, measured_by)
    write_json(folder / layout.METRICS.name, headline(metrics))
    write_json(folder / layout.SUBGROUPS.name, {split: measured["subgroups"] for split, measured in metrics.items()})
    predictions.write(folder / layout.PREDICTIONS.name, questions, session.readings)
    rows = [row for found in session.readings.evidence.values() for row in found]
    evidence.write(folder / layout.EVIDENCE.name, rows)
    plots.write(folder / layout.PLOTS.name, metrics, origin.history)
    inputs = page.ReportInputs(
        settings=settings,
        metrics=metrics,
        questions=questions,
        passages={passage.passage_id: passage for passage in session.passages},
        answered=session.readings.answered,
        said=session.readings.said if settings.evaluate.rationale_tokens else {},
        data_docs_link=Path(os.path.relpath(layout.DATA_DOCS / "index.html", folder)).as_posix(),
        alone=origin.alone,
        history=origin.history,
        ledger=origin.ledger,
        provenance=provenance,
    )
    page.write(folder, inputs)
    claim_card.write(folder, settings, metrics, provenance)
    return provenance["protocol_hash"]


def measure_all(settings: Settings, session: Session, hits: Mapping[str, HitsById]) -> dict[str, Any]:
    """What `measure` makes of a session."""
    readings = replace(session.readings, passages=session.passages)
    return measure(settings, session.questions, readings, rankings(hits))


def rankings(hits: Mapping[str, HitsById]) -> dict[str, dict[str, list[str]]]:
    """Passage ids, best first, by question id, of every ranking.

    >>> rankings({"after": {"q1": [Hit("p2", 9.0), Hit("p1", 3.5)]}})
    {'after': {'q1': ['p2', 'p1']}}
    """
    return {
        name: {question_id: [hit.passage_id for hit in row] for question_id, row in found.items()}
        for name, found in hits.items()
    }


def headline(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What is compared from run to run: all but the subgroups, hundreds of figures that would hide the others."""
    return {
        split: {name: found for name, found in measured.items() if name != "subgroups"}
        for split, measured in metrics.items()
    }


def answers_folder(root: Path, settings: Settings, made_of: Sequence[Any], indexes: Sequence[Path]) -> Path:
    """The folder of the answers given so far from the same settings, code and files.

    Args:
        root: of the folders of one evaluation, which removes it when it has ended.
        settings: those that change no answer do not count.
        made_of: hashes of what is read.
        indexes: that are searched; each is told by its manifests.
    """
    from jmlr.index import manifest  # which imports torch

    told: list[Any] = [settings.model_dump(include={"index", "prompt"}, mode="json"), *made_of]
    told += [settings.evaluate.seed, settings.evaluate.splits]
    told += [settings.train.read_passages, settings.train.reader.attention, settings.train.reader.dtype]
    told += [fingerprint.of_folder(folder, manifest.FILE) for folder in indexes]
    package = Path(__file__).parents[1]
    told.append(
        fingerprint.of_code(*(package / name for name in ("answering", "index", "models")), package / "types.py")
    )
    return root / fingerprint.of_json(told)[:16]
