from __future__ import annotations

import pytest

from jmlr.tracking.gpu_hours import count_devices


def test_each_process_counts_as_one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert count_devices().count == 4
    monkeypatch.delenv("WORLD_SIZE")
    assert count_devices().count == 1
