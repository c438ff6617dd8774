"""Which module runs each command."""

from __future__ import annotations

import importlib

from jmlr import telemetry

MODULES = {
    **{name: f"jmlr.stages.{name}" for name in ("ingest", "validate", "base", "index", "train", "evaluate")},
    "ask": "jmlr.commands.serve.ask",
    "audit": "jmlr.commands.registry.audit",
    "compare": "jmlr.commands.evaluate.compare",
    "data_accept": "jmlr.commands.data.accept",
    "evaluate_reader": "jmlr.commands.evaluate.reader",
    "evaluate_refreshed": "jmlr.commands.evaluate.refreshed",
    "evaluate_version": "jmlr.commands.evaluate.version",
    "export": "jmlr.commands.registry.export",
    "import_pair": "jmlr.commands.registry.import_pair",
    "predict": "jmlr.commands.serve.predict",
    "promote": "jmlr.commands.registry.promote",
    "rationales": "jmlr.commands.evaluate.rationales",
    "refresh": "jmlr.commands.passages.refresh",
    "register": "jmlr.commands.registry.register",
    "register_refreshed": "jmlr.commands.registry.register_refreshed",
    "restore": "jmlr.commands.registry.restore",
    "results": "jmlr.commands.evaluate.results",
    "rollback": "jmlr.commands.registry.rollback",
    "runs": "jmlr.commands.registry.runs",
    "serve": "jmlr.commands.serve.serve",
    "show": "jmlr.commands.registry.show",
    "withdraw": "jmlr.commands.passages.withdraw",
}


def run(name: str, *arguments: object, asks_hub: bool = False) -> None:
    """Load params.yaml and call `run` of the command's module, whose libraries are imported only now.

    Args:
        name: of the command, a key of MODULES.
        arguments: after the settings.
        asks_hub: whether they name a hub model, so that the network may be used whatever the recipe.
    """
    from jmlr.settings import params, recipes
    from jmlr.stages import costs, needs, tracked

    settings = params.load()
    if not (asks_hub or recipes.uses_hub(settings)):
        telemetry.stay_offline()
    if name in needs.BEFORE_TRAINING:
        needs.check(settings)
    module = importlib.import_module(MODULES[name])
    with costs.counted(name), tracked.stage(name, settings):
        module.run(settings, *arguments)
