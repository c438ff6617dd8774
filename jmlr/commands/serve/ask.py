"""Answers one question with the trained pair, or a registered version, and shows the passages it read."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from jmlr.answering.answerer import Answerer
from jmlr.commands.evaluate.version import spec_of
from jmlr.commands.trained import trained_pair
from jmlr.console import CONSOLE
from jmlr.data.rows import asked_question, broken_character, fault
from jmlr.errors import JmlrError
from jmlr.registry.version.lookup import files, resolve
from jmlr.registry.version.pair import Pair
from jmlr.registry.withdrawal.versions import withdrawn_passages
from jmlr.settings import Settings
from jmlr.tracking.store import connect
from jmlr.types import OPTION_LETTERS

_BAR_CHARACTERS = 20
_NAMED = 5


def run(settings: Settings, vignette: str, options: Sequence[str], version: str = "") -> None:
    """Prints the options with their probabilities, the answer, and the cited passages.

    Args:
        settings: the current ones.
        vignette: the question's text.
        options: at least two.
        version: of the registry, a number or an alias, which answers with its own settings; empty: the pair in build.

    Raises:
        JmlrError: if the question or an option is empty, or options are too few, too many or alike.
        MissingResource: if nothing is trained yet.
        RegistryError: if there is no such version.
    """
    asked = asked_question("asked", vignette, options)
    reason, detail = fault(asked)
    if reason or (reason := broken_character("".join((vignette, *options)))):
        raise JmlrError(
            f"{reason} ({detail})" if detail else reason,
            expected=f"a question and 2 to {len(OPTION_LETTERS)} options that differ",
            where="jmlr ask",
            next_step="jmlr ask QUESTION --option ONE --option ANOTHER",
        )
    if version:
        settings, pair = _of_version(settings, version)
    else:
        pair = trained_pair()
    answerer = Answerer.load(pair.retriever, pair.reader, pair.index, pair.passages, settings)
    (answered,) = answerer.answer([asked])
    console = Console(highlight=False)
    for place, (option, probability) in enumerate(zip(asked.options, answered.option_probabilities, strict=True)):
        bar = "#" * round(_BAR_CHARACTERS * probability)
        mark = "[bold]>[/bold]" if place == answered.chosen_index else " "
        console.print(f"{mark} {OPTION_LETTERS[place]}. {escape(option)}  {probability:.0%} {bar}")
    console.print(f"\nAnswer: [bold]{escape(answered.chosen(asked.options))}[/bold], after reading")
    scores = {hit.passage_id: _shown(hit.score, settings) for hit in answered.hits}
    for number, passage_id in enumerate(answered.read_passage_ids, start=1):
        passage = answerer.passages[passage_id]
        console.print(
            f"\\[{number}] {escape(passage_id)} ({escape(passage.source)}, {scores[passage_id]})\n"
            f"    {escape(passage.indexed_text)}"
        )
    console.print("\nTeaching and research only, not for clinical use.")


def _of_version(settings: Settings, version: str) -> tuple[Settings, Pair]:
    """A version's settings and files; says aloud if it holds what was withdrawn."""
    client = connect()
    found = resolve(client, settings.track.registered_model, spec_of(version))
    if held := withdrawn_passages(found):
        CONSOLE.print(
            f"Version {found.number} holds withdrawn passages: {', '.join(held[:_NAMED])} ({len(held)} in all)"
        )
    pair = files(client, found).pair
    return pair.settings(settings), pair


def _shown(score: float, settings: Settings) -> str:
    """A hit's score with its name."""
    return f"fused score {score:.4f}" if settings.index.hybrid else f"MaxSim {score:.1f}"
