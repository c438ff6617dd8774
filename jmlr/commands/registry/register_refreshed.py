"""`jmlr register --refreshed`: build/refreshed becomes a version of the registry, as challenger."""

from __future__ import annotations

from jmlr.commands.evaluate.alone import EVALUATED_FILE, is_evaluated
from jmlr.commands.passages.refreshed import Refreshed
from jmlr.commands.registry.register import Origin, contents_of, enter
from jmlr.data.tables import read_questions
from jmlr.errors import RegistryError
from jmlr.evaluation.protocol import protocol_hash
from jmlr.files import write_json
from jmlr.settings import Settings
from jmlr.stages import layout

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
    pair, source, evaluation = made.pair(), made.source(), layout.REFRESHED_EVALUATION
    its_settings = pair.settings(settings)
    if not is_evaluated(evaluation, pair.pair_hash(), protocol_hash(its_settings, read_questions(layout.QUESTIONS))):
        there = (evaluation / EVALUATED_FILE).exists()
        raise RegistryError(
            "not evaluated, or something else was" if there else "not evaluated",
            expected="an evaluation of build/refreshed on the current questions",
            where=str(evaluation),
            next_step=_EVALUATE,
        )
    origin = Origin(
        made.name,
        source.run_id,
        source.tags.get("device_hours", ""),
        told=made.as_tags(source),
        note=f"The models of version {made.version} with other passages ({made.described_changes()}); "
        "not trained anew.\n",
        remedy=_EVALUATE,
    )
    told = f"refreshed from version {made.version}; the champion is what it was"
    version = enter(its_settings, contents_of(pair, evaluation, settings, _EVALUATE), origin, told)
    write_json(layout.REFRESHED_REGISTERED, {"model": version.name, "version": version.number})
