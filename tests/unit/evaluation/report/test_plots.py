from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from measuring import summarise

from jmlr.evaluation.report import figures, plots


def test_the_files_are_lists_of_flat_records(tmp_path: Path, make: Callable[[int], Any]) -> None:
    made = make(60)
    metrics = summarise(made.settings, made.questions, made.answered, made.rankings)
    plots.write(tmp_path / "plots", metrics, made.history)
    found = {path.name: json.loads(path.read_text()) for path in (tmp_path / "plots").iterdir()}
    assert sorted(found) == sorted(f"{name}.json" for name in plots.plot_records({}, []))
    assert len(found["accuracy_by_arm.json"]) == 2 * 5
    assert len(found["success_by_k.json"]) == 2 * 2 * 4
    assert found["training_curves.json"] == made.history
    jmlr = next(r for r in found["accuracy_by_arm.json"] if (r["split"], r["arm"]) == ("test", "jmlr"))
    assert jmlr["accuracy"] == metrics["test"]["accuracy"]["jmlr"]["value"]


def test_no_history_gives_an_empty_list_and_nan_is_left_out(tmp_path: Path) -> None:
    plots.write(tmp_path, {}, [])
    assert json.loads((tmp_path / "training_curves.json").read_text()) == []
    rows = [{"arm": "rag", "step": step, "name": "reader_loss", "value": v} for step, v in ((1, float("inf")), (2, 1))]
    plots.write(tmp_path, {}, rows)
    kept = json.loads((tmp_path / "training_curves.json").read_text())
    assert kept == [{"arm": "rag", "step": 2, "name": "reader_loss", "value": 1.0}]


def test_figures_are_svg_and_the_same_bytes_twice(make: Callable[[int], Any]) -> None:
    made = make(60)
    metrics = summarise(made.settings, made.questions, made.answered, made.rankings)
    records = plots.plot_records(metrics, made.history)
    drawn = figures.draw(records, {"test": 0.25, "test_seen": 0.25})
    assert sorted(drawn) == ["accuracy_by_arm", "success_by_k", "training_curves"]
    assert all(ElementTree.fromstring(svg).tag.endswith("svg") for svg in drawn.values())
    assert figures.draw(records, {"test": 0.25, "test_seen": 0.25}) == drawn


def test_nothing_to_draw_draws_nothing() -> None:
    assert figures.draw(plots.plot_records({}, []), {}) == {}


def test_unknown_arms_and_curves_are_drawn_too() -> None:
    rows = [{"arm": "abstain", "step": step, "name": "my_loss", "value": 1.0 / step} for step in (1, 2, 3)]
    assert list(figures.draw(plots.plot_records({}, rows), {})) == ["training_curves"]
