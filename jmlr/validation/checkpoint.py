"""The Great Expectations checkpoint over the tables, without its telemetry and without a project folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from jmlr.settings import ValidateSettings
from jmlr.validation.expectations import KEYS, SHOWN_BESIDE, Expected, Table, expected_of
from jmlr.validation.outcome import Outcome, merged, shorten

if TYPE_CHECKING:
    from great_expectations import Checkpoint
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.data_context import EphemeralDataContext

SITE = "jmlr"
_SHOWN_ROWS = 5
_ROWS_IN_DATA_DOCS = 20
_ROWS_LISTED_WHOLE = 10_000
"""Above this size only the first broken rows are kept and written to Data Docs; there could be millions."""


@dataclass(frozen=True)
class Batches:
    """A table to validate: its number of rows, and the rows as data frames, which are read once.

    A table of at most `rows_at_once` rows comes in one frame, so that whole-table expectations can use it.
    """

    rows: int
    rows_at_once: int
    frames: Iterable[pd.DataFrame]


def whole_suite(table: str) -> str:
    """Expectations of the whole table, for a table that comes in several batches."""
    return f"{table}_whole"


def _outcome(table: Table, expected: Expected, result: ExpectationValidationResult) -> Outcome:
    details = result.result or {}
    rows = details.get("partial_unexpected_index_list") or []
    observed = details.get("observed_value", "")
    if not details and not result.success:
        observed = f"could not be evaluated: {shorten(result.exception_info)}"
    arguments = ", ".join(f"{name}={value!r}" for name, value in expected.arguments.items())
    beside = SHOWN_BESIDE.get(table, ())
    shown = [{name: row[name] for name in (*beside, *row)} for row in rows[:_SHOWN_ROWS]]
    return Outcome(
        table=table,
        name=expected.name,
        severity=expected.severity,
        success=bool(result.success),
        expectation=f"{expected.kind}({arguments})",
        unexpected_count=int(details.get("unexpected_count") or 0),
        observed=shorten(observed),
        rows=tuple(
            {name: shorten(value) for name, value in row.items() if value or name not in beside} for row in shown
        ),
        checked=int(details.get("element_count") or 0) - int(details.get("missing_count") or 0),
        mostly=expected.arguments.get("mostly", 1.0),
    )


def _context(site_folder: Path) -> EphemeralDataContext:
    """A Great Expectations context in memory, with one Data Docs site in `site_folder`."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read on import
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(site_folder.resolve())}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    view = {"module_name": "jmlr.validation.escaped_view", "class_name": "EscapedPageView"}
    site = {
        "class_name": "SiteBuilder",
        "site_index_builder": index,
        "store_backend": store,
        "site_section_builders": {section: {"view": view} for section in ("expectations", "validations")},
    }
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        data_docs_sites={SITE: site},
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def _checkpoint(
    context: EphemeralDataContext, name: str, table: Table, all_expected: list[Expected], rows: int
) -> Checkpoint:
    """A checkpoint with a suite of these expectations, for the data frames of a table with this many rows."""
    import great_expectations as gx
    import great_expectations.expectations as kinds

    # All at once: the context writes a suite it knows out again for every added expectation.
    expectations = [
        getattr(kinds, expected.kind)(**expected.arguments, severity=expected.severity, meta={"name": expected.name})
        for expected in all_expected
    ]
    suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=expectations))
    asset = context.data_sources.add_pandas(name).add_dataframe_asset("table")
    batch = asset.add_batch_definition_whole_dataframe("all")
    definition = gx.ValidationDefinition(name=name, data=batch, suite=suite)
    return context.checkpoints.add(
        gx.Checkpoint(
            name=name,
            validation_definitions=[context.validation_definitions.add(definition)],
            result_format={
                "result_format": "COMPLETE" if rows <= _ROWS_LISTED_WHOLE else "SUMMARY",
                "partial_unexpected_count": _ROWS_IN_DATA_DOCS,
                "unexpected_index_column_names": [KEYS[table], *SHOWN_BESIDE.get(table, ())],
            },
        )
    )


def _run(
    checkpoint: Checkpoint, table: Table, frame: pd.DataFrame, all_expected: list[Expected], run_name: str
) -> list[Outcome]:
    from great_expectations import RunIdentifier

    ran = checkpoint.run(batch_parameters={"dataframe": frame}, run_id=RunIdentifier(run_name=run_name))
    (results,) = ran.run_results.values()
    by_name = {result.expectation_config.meta["name"]: result for result in results.results}
    return [_outcome(table, expected, by_name[expected.name]) for expected in all_expected]


def _validate(
    context: EphemeralDataContext, table: Table, batches: Batches, all_expected: list[Expected]
) -> list[Outcome]:
    """The outcome of every expectation of one table, in the suite's order."""
    by_row, found = all_expected, []
    if batches.rows > batches.rows_at_once:
        by_row = [expected for expected in all_expected if not expected.whole]
        whole = [expected for expected in all_expected if expected.whole]
        if whole:
            # Of a table with several batches only the number of rows is checked as a whole.
            counted = pd.DataFrame(index=pd.RangeIndex(batches.rows))
            checkpoint = _checkpoint(context, whole_suite(table), table, whole, batches.rows)
            found = _run(checkpoint, table, counted, whole, "whole_table")
    if by_row:
        checkpoint = _checkpoint(context, table, table, by_row, batches.rows)
        parts = (
            _run(checkpoint, table, frame, by_row, f"batch_{number:05}")
            for number, frame in enumerate(batches.frames, start=1)
        )
        found += merged(parts, _SHOWN_ROWS)
    order = [expected.name for expected in all_expected]
    return sorted(found, key=lambda outcome: order.index(outcome.name))


def run_checkpoint(tables: Mapping[Table, Batches], bounds: ValidateSettings, site_folder: Path) -> list[Outcome]:
    """The outcome of every expectation; Data Docs are written to `site_folder`, as Great Expectations makes them.

    Args:
        tables: passages, questions and, where there is something to compare with, drift (validation/frames.py).
        bounds: the block `validate`.
        site_folder: an empty folder.
    """
    context, outcomes = _context(site_folder), []
    for table, batches in tables.items():
        outcomes += _validate(context, table, batches, expected_of(table, bounds))
    context.build_data_docs(site_names=[SITE])
    return outcomes
