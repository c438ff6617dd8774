"""How a command runs the stage of its name."""

from __future__ import annotations

import importlib

from jmlr import telemetry


def run_stage(name: str, *arguments: object) -> None:
    """Load params.yaml and call jmlr.stages.NAME.run; the stage's libraries are imported only now."""
    from jmlr import config, recipes
    from jmlr.stages import costs

    settings = config.load()
    if not recipes.uses_hub(settings):
        telemetry.stay_offline()
    stage = importlib.import_module(f"jmlr.stages.{name}")
    with costs.counted(name):
        stage.run(settings, *arguments)
