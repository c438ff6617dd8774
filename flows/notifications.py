"""Sends the end of a flow to the notification blocks of Prefect that `flows.notify` names."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from prefect.client.schemas.objects import State
from prefect.logging import get_logger

from flows.named_states import PROMOTED, PROPOSED, WAITING
from flows.stage_task import flows_settings
from jmlr.errors import JmlrError

_TOLD = (PROMOTED, PROPOSED, WAITING)


def is_told(state: State[Any]) -> bool:
    """Whether to notify: on failures, promotions, proposals and pending approvals."""
    return state.is_failed() or state.is_crashed() or state.name in _TOLD


def tell(flow: Any, flow_run: Any, state: State[Any]) -> None:
    """Hook of a flow: notifies every block of `flows.notify`; a block that fails is logged and skipped.

    Args:
        flow: that ended.
        flow_run: its run.
        state: the last one.
    """
    folder = flow_run.parameters.get("folder")
    try:
        settings = flows_settings(Path(folder) if folder else None)
    except JmlrError:  # the run itself has said so
        return
    if settings is None or not is_told(state):
        return
    subject = f"{flow.name}: {state.name}"
    body = f"{state.message or ''}\n\nflow run {flow_run.name}"
    for name in settings.notify:
        try:
            cast(NotificationBlock, Block.load(name)).notify(body=body, subject=subject)
        except Exception as error:  # noqa: BLE001 - a block is anybody's code, and the run itself is over
            get_logger("jmlr").warning("%s was not told of %s: %s", name, subject, error)
