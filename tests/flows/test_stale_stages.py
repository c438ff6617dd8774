"""The one question to DVC before the stages, and what the flow makes of the answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import pipeline, stale_stages


def test_dvc_says_whether_there_is_anything_to_do(tiny_repository: Path) -> None:
    assert stale_stages.is_up_to_date(tiny_repository)
    (tiny_repository / "data" / "a").write_text("second")
    assert not stale_stages.is_up_to_date(tiny_repository)


def test_a_missing_output_and_a_held_lock_are_not_up_to_date(tiny_repository: Path) -> None:
    (tiny_repository / "a.txt").unlink()
    assert not stale_stages.is_up_to_date(tiny_repository)
    assert not stale_stages.is_up_to_date(tiny_repository / "data" / "nowhere")


@pytest.mark.parametrize(("nothing_to_do", "called"), [(True, "cached first"), (False, "run first")])
def test_stages_run_through_dvc_unless_nothing_has_changed(
    tiny_repository: Path, monkeypatch: pytest.MonkeyPatch, nothing_to_do: bool, called: str
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(pipeline, "is_up_to_date", lambda folder: nothing_to_do)
    monkeypatch.setattr(pipeline, "mark_cached", lambda stage: calls.append(f"cached {stage}"))
    monkeypatch.setattr(pipeline, "run_stage", lambda stage, folder: calls.append(f"run {stage}"))
    pipeline.bring_up_to_date(tiny_repository)
    assert calls == [called]
