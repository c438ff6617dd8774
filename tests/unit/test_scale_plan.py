"""benchmarks/scale_plan.py computes what it says, from the recipe and the measured figures."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from jmlr.settings import recipes

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def scale_plan() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scale_plan", ROOT / "benchmarks" / "scale_plan.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["scale_plan"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_judging_is_two_operations_a_parameter_and_token(scale_plan: ModuleType) -> None:
    """4,000 steps x 8 questions x 10 passages x (448 + 512 + 256) tokens x 2 x 12.69e9, at 40 % of 1,000 TFLOP/s."""
    given = replace(scale_plan.Assumptions(), mfu=0.4, peak_tflops=1000.0)
    judging = scale_plan.training_rows(recipes.load("jmlr-13b", ROOT / "conf"), given)[0]
    tokens = 4_000 * 8 * 10 * (448 + 512 + 256)
    assert judging.gpu_hours == pytest.approx(tokens * 2 * 12.69e9 / 4e14 / 3600)
    assert judging.amount.startswith("389 M tokens")


def test_hours_go_down_with_speed_and_up_with_abstracts(scale_plan: ModuleType) -> None:
    settings, usual = recipes.load("jmlr-13b", ROOT / "conf"), scale_plan.Assumptions()
    fast = replace(usual, mfu=2 * usual.mfu)
    hours = [row.gpu_hours for row in scale_plan.training_rows(settings, usual)[:3]]
    assert [row.gpu_hours * 2 for row in scale_plan.training_rows(settings, fast)[:3]] == pytest.approx(hours)
    _, embeddings = scale_plan.corpus_rows(usual)
    assert scale_plan.corpus_rows(replace(usual, abstracts=2 * usual.abstracts))[1] == 2 * embeddings


def test_the_build_is_the_measured_one_at_its_own_size(scale_plan: ModuleType) -> None:
    assert scale_plan.build_core_hours(scale_plan.MEASURED_EMBEDDINGS) == (229.2 / 3600, 229.2 / 3600)
    straight, grown = scale_plan.build_core_hours(4 * scale_plan.MEASURED_EMBEDDINGS)
    assert grown == pytest.approx(straight * 2**0.5)


def test_its_figures_are_those_of_the_benchmarks_page(scale_plan: ModuleType) -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    found = re.search(r"300,000 \(([\d,]+)\) \| plaid \| [\d.]+ \(([\d.]+)\) \| (\d+)", page)
    measured = (scale_plan.MEASURED_EMBEDDINGS, scale_plan.MEASURED_BUILD_CPU_SECONDS, scale_plan.BYTES_AN_EMBEDDING[4])
    assert (int(found[1].replace(",", "")), float(found[2]), int(found[3])) == measured


def test_the_page_on_scale_shows_what_the_script_prints(
    scale_plan: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    scale_plan.main([])
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ") and "hours" not in line]
    assert len(rows) > 15
    assert [row for row in rows if row not in page] == []
