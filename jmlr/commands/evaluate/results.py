"""What `jmlr results` shows: the result table, what it cost, and where to look next."""

from __future__ import annotations

from jmlr.console import CONSOLE
from jmlr.errors import MissingResource
from jmlr.evaluation.report.table import result_table
from jmlr.settings import Settings
from jmlr.stages import costs, layout
from jmlr.stages.evaluation_files import read_metrics
from jmlr.tracking.store import tracking_uri


def where_to_look(uri: str) -> list[tuple[str, str]]:
    """What there is to see, and its file or command.

    >>> where_to_look("sqlite:///mlflow.db")[0]
    ('report', 'build/evaluate/report.html')
    >>> where_to_look("https://mlflow.example.org")[-1]
    ('runs and registry', 'https://mlflow.example.org')
    """
    is_server = uri.startswith(("http://", "https://"))
    return [
        ("report", layout.REPORT.as_posix()),
        ("data checks", (layout.DATA_DOCS / "index.html").as_posix()),
        ("ask it", 'jmlr ask "VIGNETTE" --option A --option B'),
        ("runs and registry", uri if is_server else f"mlflow ui --backend-store-uri {uri}"),
    ]


def run(settings: Settings) -> None:
    """Prints the table of build/evaluate/metrics.json for the recipe in params.yaml.

    Raises:
        MissingResource: if nothing is evaluated yet.
        DataError: if the metrics are damaged.
    """
    if not (metrics := read_metrics(layout.METRICS)):
        raise MissingResource(
            "missing", expected="the metrics of an evaluation", where=str(layout.METRICS), next_step="dvc repro"
        )
    CONSOLE.print(f"recipe {settings.recipe}, seed {settings.seed}")
    CONSOLE.print(result_table(metrics))
    if hours := costs.summary():
        CONSOLE.print(f"device hours of this checkout: {hours}")
    CONSOLE.print("Where to look next (commands are in .venv/bin):")
    for what, place in where_to_look(tracking_uri()):
        CONSOLE.print(f"  {what:<18} {place}")
