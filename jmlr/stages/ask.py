"""Answers one question with the trained pair, and shows the passages it read."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from jmlr.answering.answerer import Answerer
from jmlr.config import Settings
from jmlr.errors import JmlrError
from jmlr.stages import layout
from jmlr.types import OPTION_LETTERS, Question

_BAR_CHARACTERS = 20


def run(settings: Settings, vignette: str, options: Sequence[str]) -> None:
    """Prints the options with their probabilities, the answer, and the cited passages.

    Raises:
        JmlrError: if there are fewer than two options.
        MissingResource: if nothing is trained yet.
    """
    if len(options) < 2:
        raise JmlrError(
            f"{len(options)} option(s)",
            expected="at least 2",
            where="--option",
            next_step="give --option twice or more",
        )
    answerer = Answerer.load(
        layout.TRAINED_RETRIEVER, layout.TRAINED_READER, layout.TRAINED_INDEX, layout.PASSAGES, settings
    )
    (answered,) = answerer.answer([Question("asked", vignette, tuple(options), 0, "test")])
    console = Console(highlight=False)
    for place, (option, probability) in enumerate(zip(options, answered.option_probabilities, strict=True)):
        bar = "#" * round(_BAR_CHARACTERS * probability)
        mark = "[bold]>[/bold]" if place == answered.chosen_index else " "
        console.print(f"{mark} {OPTION_LETTERS[place]}. {escape(option)}  {probability:.0%} {bar}")
    console.print(f"\nAnswer: [bold]{escape(options[answered.chosen_index])}[/bold], after reading")
    scores = {hit.passage_id: _shown(hit.score, settings) for hit in answered.hits}
    for number, passage_id in enumerate(answered.read_passage_ids, start=1):
        passage = answerer.passages[passage_id]
        console.print(
            f"\\[{number}] {escape(passage_id)} ({escape(passage.source)}, {scores[passage_id]})\n"
            f"    {escape(passage.indexed_text)}"
        )
    console.print("\nTeaching and research only, not for clinical use.")


def _shown(score: float, settings: Settings) -> str:
    """A hit's score with its name."""
    return f"fused score {score:.4f}" if settings.index.hybrid else f"MaxSim {score:.1f}"
