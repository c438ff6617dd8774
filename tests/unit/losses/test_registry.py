"""The table of losses: what it names exists, and the settings can read it without torch."""

from __future__ import annotations

import inspect
import subprocess
import sys
from operator import attrgetter

import pytest

from jmlr.losses import LOSSES
from jmlr.settings import ObjectiveSettings
from jmlr.training import objective


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_takes_scores_losses_and_the_settings_that_its_line_names(name):
    given = list(inspect.signature(attrgetter(LOSSES[name].function)(objective.room)).parameters)
    assert sorted(given[2:]) == sorted(LOSSES[name].settings)
    assert set(LOSSES[name].settings) < set(ObjectiveSettings.model_fields)


def test_the_settings_read_the_names_without_torch():
    code = "import sys, jmlr.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
