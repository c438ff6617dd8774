"""Stage base: the retriever and the reader as they are before joint training."""

from __future__ import annotations

from pathlib import Path

from jmlr import fingerprint
from jmlr.console import CONSOLE
from jmlr.data.tables import read_passages, read_questions
from jmlr.files import making
from jmlr.models import reader as readers
from jmlr.models import retriever as retrievers
from jmlr.models.prompt import PromptWriter
from jmlr.settings import Settings
from jmlr.stages import layout
from jmlr.starter.tokenizer import texts_of


def run(settings: Settings) -> None:
    """Writes build/base: retriever/ (a ColBERT checkpoint) and reader/ (a causal language model with its tokenizer).

    Raises:
        FingerprintMismatch: if a folder does not hold what its revision says.
        MissingResource: if a hub model cannot be fetched, or the settings need a GPU and there is none.
    """
    passages, questions = read_passages(layout.PASSAGES), read_questions(layout.QUESTIONS)
    source = settings.base.retriever
    with making(layout.BASE) as unfinished:
        texts = [passage.indexed_text for passage in passages]
        retrievers.create(source, settings.index, unfinished / "retriever", texts, settings.seed)
        CONSOLE.print(f"retriever: {source.source}, {source.dimension} dimensions a token")
        _make_reader(settings, unfinished / "reader", texts_of(passages, questions))


def _make_reader(settings: Settings, folder: Path, texts: list[str]) -> None:
    """Pre-trains the starter reader, or saves the hub's or a folder's."""
    source = settings.base.reader
    if source.source == "starter":
        from jmlr.starter import base_reader

        losses = base_reader.create(folder, texts, source.starter, settings.prompt, settings.seed)
        tail = losses[-max(1, len(losses) // 10) :]
        CONSOLE.print(f"reader: pre-trained here, {len(losses)} steps, last loss {sum(tail) / len(tail):.2f} nats")
        return
    place = fingerprint.pinned_folder(source.source, source.revision)
    revision = None if place else source.revision
    model, tokenizer = readers.load(place or source.source, revision, dtype=settings.train.reader.dtype)
    # What cannot be read with these settings is refused here, not after hours of indexing.
    writer = PromptWriter(tokenizer, settings.prompt)
    if settings.train.reader.rope_scaling is None:
        writer.refuse_long_prompts(model.config, passages=1)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CONSOLE.print(f"reader: {source.source} at {source.revision}")
