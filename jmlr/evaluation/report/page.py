"""report.html: the whole evaluation on one page that needs nothing else, not even a network."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from jmlr.answering.answered import Answered
from jmlr.evaluation import notation
from jmlr.evaluation.groups.public_sets import PAPER_SETS, paper_table
from jmlr.evaluation.metrics import ANSWER_METRICS
from jmlr.evaluation.report import figures, plots
from jmlr.evaluation.report.examples import worked_examples
from jmlr.evaluation.report.headline import headline
from jmlr.evaluation.report.table import result_rows
from jmlr.files import write_text
from jmlr.settings import Settings
from jmlr.types import OPTION_LETTERS, Passage, Question

REPORT_FILE = "report.html"
TEMPLATE = "report.html.j2"
_LOCAL_TRACKING = "sqlite:///mlflow.db"
_WEB = ("http://", "https://")


@dataclass(frozen=True)
class ReportInputs:
    """All that the report shows.

    Attributes:
        settings: what it was run with.
        metrics: what `measure` returned.
        questions: at least the questions of the evaluated splits.
        passages: the passages that were read, by id.
        answered: per arm its answers.
        history: rows of history.parquet: arm, step, name, value.
        ledger: content of ledger.json; a dict per arm, of any depth, or numbers and texts.
        provenance: shown as it is (hashes, device, seconds); `tracking_uri` becomes the hint on MLflow, without its
            password.
        said: per arm the rationales it wrote, by question id.
        data_docs_link: path of Data Docs, relative to the report.
        alone: the one model that was evaluated; empty where arms were compared.
    """

    settings: Settings
    metrics: Mapping[str, Any]
    questions: Sequence[Question]
    passages: Mapping[str, Passage]
    answered: Mapping[str, Sequence[Answered]]
    history: Sequence[Mapping[str, Any]]
    ledger: Mapping[str, Any]
    provenance: Mapping[str, str]
    said: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    data_docs_link: str = "../validate/data_docs/index.html"
    alone: str = ""


def _flat(value: object, name: str = "") -> dict[str, str]:
    """Nested dicts as one level of dotted names.

    >>> _flat({"reader": {"trainable": 1200}, "seconds": 3.0})
    {'reader.trainable': '1,200', 'seconds': '3'}
    """
    if not isinstance(value, Mapping):
        return {name: notation.quantity(value)}
    return {
        key: text
        for part, inner in value.items()
        for key, text in _flat(inner, f"{name}.{part}" if name else str(part)).items()
    }


def ledger_table(ledger: Mapping[str, Any]) -> tuple[list[str], list[list[str]], dict[str, str]]:
    """The ledger as a table with a column for each arm, and what belongs to no arm.

    >>> ledger_table({"rag": {"seconds": 90.0}, "jmlr": {"seconds": 150.0, "steps": 120}, "device": "cpu"})
    (['rag', 'jmlr'], [['seconds', '90', '150'], ['steps', '', '120']], {'device': 'cpu'})
    >>> ledger_table({"device": "cpu", "tries": [{"seconds": 9.0}]})  # lists stay in the file
    ([], [], {'device': 'cpu'})
    """
    by_arm = {arm: _flat(ledger[arm]) for arm in notation.ordered_arms(ledger) if isinstance(ledger[arm], Mapping)}
    names = list(dict.fromkeys(name for found in by_arm.values() for name in found))
    rows = [[name, *(found.get(name, "") for found in by_arm.values())] for name in names]
    rest = {name: value for name, value in ledger.items() if not isinstance(value, (Mapping, list))}
    return list(by_arm), rows, _flat(rest)


def without_password(uri: str) -> str:
    """A tracking address without user and password: people share reports.

    >>> without_password("postgresql://ann:secret@db/mlflow"), without_password("sqlite:///mlflow.db")
    ('postgresql://db/mlflow', 'sqlite:///mlflow.db')
    """
    return re.sub(r"//[^/]*@", "//", uri, count=1)


def _as_image(svg: str) -> str:
    """A data URI: an image can neither load nor run anything."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = "percent points p_value arm_label ranking_label split_label measure_label measure_value".split()
    environment.filters.update({name: getattr(notation, name) for name in shown})
    return environment


def _context(inputs: ReportInputs) -> dict[str, Any]:
    """What the template shows."""
    settings, metrics = inputs.settings, inputs.metrics
    first_split = next(iter(metrics), "")
    provenance = dict(inputs.provenance)
    tracking_uri = without_password(provenance.pop("tracking_uri", _LOCAL_TRACKING))
    ledger_arms, ledger_rows, ledger_rest = ledger_table(inputs.ledger)
    chance = {split: measured["chance"] for split, measured in metrics.items()}
    drawn = figures.draw(plots.plot_records(metrics, inputs.history), chance)
    confidence = settings.evaluate.confidence
    return {
        "recipe": settings.recipe,
        "seed": settings.seed,
        "evaluate": settings.evaluate,
        "metrics": metrics,
        "headlines": [headline(split, measured, confidence) for split, measured in metrics.items()],
        "first_split": first_split,
        "answer_metrics": ANSWER_METRICS,
        "summaries": result_rows(metrics)[2],
        "images": {name: _as_image(svg) for name, svg in drawn.items()},
        "examples": worked_examples(
            [question for question in inputs.questions if question.split == first_split],
            inputs.answered,
            inputs.passages,
            inputs.said,
        ),
        "any_paper_set": any(name in PAPER_SETS for found in metrics.values() for name in found.get("by_set", {})),
        "arm_colours": figures.ARM_COLOURS,
        "letters": OPTION_LETTERS,
        "plain_arms": notation.PLAIN_ARMS,
        "paper_table": paper_table(
            metrics[first_split].get("by_set", {}) if first_split else {},
            {arm: notation.arm_label(arm) for arm in notation.PLAIN_ARMS if arm in inputs.answered},
        ),
        "ledger_arms": ledger_arms,
        "ledger_rows": ledger_rows,
        "run_with": {**ledger_rest, **provenance},
        "data_docs_link": inputs.data_docs_link,
        "alone": inputs.alone,
        "tracking_uri": tracking_uri,
        "tracking_is_web": tracking_uri.startswith(_WEB),
    }


def write(folder: Path, inputs: ReportInputs) -> None:
    """Writes report.html into `folder`; all texts are escaped, and the page makes no request."""
    page = _environment().get_template(TEMPLATE).render(_context(inputs))
    write_text(folder / REPORT_FILE, page)
