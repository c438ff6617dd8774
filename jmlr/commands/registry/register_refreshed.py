"""`jmlr register --refreshed`: build/refreshed becomes a version of the registry, as challenger."""

from __future__ import annotations

from jmlr.commands.passages.refreshed import Refreshed, evaluated
from jmlr.commands.registry import papers
from jmlr.commands.registry.register import headline_tags, unit_of
from jmlr.console import CONSOLE
from jmlr.data.tables import read_questions
from jmlr.errors import RegistryError
from jmlr.evaluation.protocol import protocol_hash
from jmlr.files import read_json, write_json
from jmlr.registry.version.model_card import CardInputs, count_sources, describe, render
from jmlr.registry.version.package import Registered, register
from jmlr.registry.version.pair import Pair
from jmlr.registry.version.standing import CHALLENGER
from jmlr.settings import Settings
from jmlr.stages import layout
from jmlr.stages.evaluation_files import read_metrics
from jmlr.tracking.provenance import provenance

_EVALUATE = "jmlr evaluate --refreshed"


def run(settings: Settings) -> None:
    """Registers build/refreshed with its own evaluation; the same again makes no second version.

    The version says where its models come from (`refreshed_from`, `trained_in`). The champion is left as it is.

    Args:
        settings: the current ones; the version keeps its own models, prompt and index.

    Raises:
        MissingResource: if nothing is refreshed.
        RegistryError: if it was not evaluated since, or the registry lacks the version it comes from.
    """
    made = Refreshed.read()
    pair, source = made.pair(), made.source()
    its_settings = pair.settings(settings)
    protocol = protocol_hash(its_settings, read_questions(layout.QUESTIONS))
    _require_evaluated(pair, protocol)
    metrics = read_metrics(layout.REFRESHED_EVALUATION / layout.METRICS.name, _EVALUATE)
    unit = unit_of(pair, layout.REFRESHED_EVALUATION, metrics, settings)
    found = provenance()
    tags = {**found, **headline_tags(metrics), "recipe": its_settings.recipe, "protocol_hash": protocol}
    tags |= made.as_tags(source)
    card = CardInputs(
        settings=its_settings,
        facts=unit.facts(source.run_id),
        metrics=metrics,
        subgroups=read_json(layout.REFRESHED_EVALUATION / layout.SUBGROUPS.name, _EVALUATE),
        ledger={},
        provenance={**found, "protocol_hash": protocol, **made.as_tags(source)},
        sources={table.stem: count_sources(table) for table in (layout.REFRESHED_PASSAGES, layout.QUESTIONS)},
        device_hours=source.tags.get("device_hours", ""),
    )
    told = Registered(made.name, card.facts, tags, render(card), _described(made, card))
    version, is_new = register(unit, told)
    papers.keep(version, layout.REFRESHED_EVALUATION)
    write_json(layout.REFRESHED_REGISTERED, {"model": version.name, "version": int(version.version)})
    state = "registered" if is_new else "already registered:"
    CONSOLE.print(
        f"{state} {version.name} version {version.version}, alias {CHALLENGER}, refreshed from version {made.version}; "
        "the champion is what it was"
    )


def _described(made: Refreshed, card: CardInputs) -> str:
    changes = ", ".join(f"{count} {what}" for what, count in made.changes.items())
    return f"The models of version {made.version} with other passages ({changes}); not trained anew.\n{describe(card)}"


def _require_evaluated(pair: Pair, protocol: str) -> None:
    there = evaluated(layout.REFRESHED_EVALUATION)
    if (there.get("pair_hash"), there.get("protocol_hash")) != (pair.pair_hash(), protocol):
        raise RegistryError(
            "not evaluated, or something else was" if there else "not evaluated",
            expected="an evaluation of build/refreshed on the questions of today",
            where=str(layout.REFRESHED_EVALUATION),
            next_step=_EVALUATE,
        )
