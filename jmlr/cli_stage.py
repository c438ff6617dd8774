"""How a command runs the stage of its name."""

from __future__ import annotations

import importlib

from jmlr import telemetry


def run_stage(name: str, *arguments: object, asks_hub: bool = False) -> None:
    """Load params.yaml and call jmlr.stages.NAME.run; the stage's libraries are imported only now.

    Args:
        name: of the stage.
        arguments: after the settings.
        asks_hub: whether they name a hub model, so that the network may be used whatever the recipe.
    """
    from jmlr import config, recipes
    from jmlr.stages import costs, needs, tracked

    settings = config.load()
    if not (asks_hub or recipes.uses_hub(settings)):
        telemetry.stay_offline()
    if name in needs.BEFORE_TRAINING:
        needs.check(settings)
    stage = importlib.import_module(f"jmlr.stages.{name}")
    with costs.counted(name), tracked.stage(name, settings):
        stage.run(settings, *arguments)
