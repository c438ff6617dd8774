"""Rules between keys of params.yaml that no single key can break."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jmlr.config import Settings


def broken_reader_rules(settings: Settings) -> list[str]:
    """Sentences on keys of the reader and its prompt that contradict each other; empty when all is well."""
    prompt, reader = settings.prompt, settings.train.reader
    broken = []
    least = prompt.passage_tokens + prompt.question_tokens + prompt.answer_tokens
    if prompt.context_tokens is not None and prompt.context_tokens < least:
        broken.append(
            f"prompt.context_tokens: {prompt.context_tokens} is below prompt.passage_tokens + prompt.question_tokens + "
            f"prompt.answer_tokens ({least}), so even the best passage could be dropped"
        )
    if reader.quantise is not None and reader.lora is None:
        broken.append(
            f"train.reader.quantise: {reader.quantise} weights cannot be trained, so train.reader.lora must be set"
        )
    return broken
