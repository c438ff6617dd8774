"""Answers one question with the trained pair, or a registered version, and shows the passages it read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape

from jmlr.commands.trained import trained_pair
from jmlr.console import CONSOLE
from jmlr.data.rows import asked_question, broken_character, fault
from jmlr.errors import JmlrError, RegistryError
from jmlr.registry.version.pair import PAIR_HASH_TAG, Pair
from jmlr.serving import running
from jmlr.settings import Settings
from jmlr.types import OPTION_LETTERS, Passage, Question

_BAR_CHARACTERS = 20
_NAMED = 5


def run(settings: Settings, vignette: str, options: Sequence[str], version: str = "", use_server: bool = True) -> None:
    """Prints the options with their probabilities, the answer, and the cited passages.

    Args:
        settings: the current ones.
        vignette: the question's text.
        options: at least two.
        version: of the registry, a number or an alias, which answers with its own settings; empty: the pair in build.
        use_server: whether a running `jmlr serve` of the same pair may answer; otherwise the models are loaded here.

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
    pair, known_hash = trained_pair(), ""
    if version:
        settings, pair, known_hash = _of_version(settings, version)
    found = running.ask(asked, lambda: known_hash or _hash(pair)) if use_server else None
    if found is not None:
        CONSOLE.print(f"Asked the running server at {found[0]}, which has this pair loaded.")
    _show(asked, _answer(settings, pair, asked) if found is None else found[1], settings.index.hybrid)


def _hash(pair: Pair) -> str | None:
    """The pair's hash; None where a file is missing."""
    try:
        pair.require()
    except RegistryError:
        return None
    return pair.pair_hash()


def _answer(settings: Settings, pair: Pair, asked: Question) -> dict[str, Any]:
    """The reply of a pair that is loaded here, as a server gives it."""
    from jmlr.answering.answerer import Answerer
    from jmlr.serving.asked import Asked
    from jmlr.serving.model import Label, ServedModel

    answerer = Answerer.load(pair.retriever, pair.reader, pair.index, pair.passages, settings)
    (reply,) = ServedModel(Label("ask", None, "", None), answerer).answer([Asked(asked, passages=0)])
    return asdict(reply)


def _show(asked: Question, reply: dict[str, Any], hybrid: bool) -> None:
    console = Console(highlight=False)
    for place, (option, probability) in enumerate(zip(asked.options, reply["option_probabilities"], strict=True)):
        bar = "#" * round(_BAR_CHARACTERS * probability)
        mark = "[bold]>[/bold]" if place == reply["answer_index"] else " "
        console.print(f"{mark} {OPTION_LETTERS[place]}. {escape(option)}  {probability:.0%} {bar}")
    console.print(f"\nAnswer: [bold]{escape(reply['answer'])}[/bold], after reading")
    for number, cited in enumerate(reply["passages"], start=1):
        text = Passage(cited["passage_id"], cited["text"], title=cited["title"]).indexed_text
        score = f"fused score {cited['score']:.4f}" if hybrid else f"MaxSim {cited['score']:.1f}"
        console.print(
            f"\\[{number}] {escape(cited['passage_id'])} ({escape(cited['source'])}, {score})\n    {escape(text)}"
        )
    console.print("\nTeaching and research only, not for clinical use.")


def _of_version(settings: Settings, version: str) -> tuple[Settings, Pair, str]:
    """A version's settings, files and pair hash; says aloud if it holds what was withdrawn."""
    from jmlr.registry.version.lookup import files, resolve, spec_of
    from jmlr.registry.withdrawal.versions import withdrawn_passages
    from jmlr.tracking.store import connect

    client = connect()
    found = resolve(client, settings.track.registered_model, spec_of(version))
    if held := withdrawn_passages(found):
        CONSOLE.print(
            f"Version {found.number} holds withdrawn passages: {', '.join(held[:_NAMED])} ({len(held)} in all)"
        )
    pair = files(client, found).pair
    return pair.settings(settings), pair, found.tags.get(PAIR_HASH_TAG, "")
