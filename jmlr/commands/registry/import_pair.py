"""Takes a published pair (a reader's folder with `ir/` in it) as the base models of this project."""

from __future__ import annotations

from pathlib import Path

from jmlr import fingerprint
from jmlr.commands.registry.export import RETRIEVER_FOLDER
from jmlr.console import CONSOLE
from jmlr.data.tables import read_passages
from jmlr.errors import DataError, MissingResource
from jmlr.files import making
from jmlr.models import reader as readers
from jmlr.models import retriever as retrievers
from jmlr.settings import BaseRetrieverSettings, Settings
from jmlr.stages import layout


def run(settings: Settings, folder: Path) -> None:
    """Writes imported/{retriever,reader}, loaded and saved again, and prints the settings that make them the base.

    Only weights, configuration and tokenizer, as they were loaded, are written; nothing else of `folder` is.

    Raises:
        DataError: if the folder is where this writes.
        MissingResource: if a model is not there, or its weights are no safetensors.
        UntrustedModel: if one asks for code of its own.
    """
    if folder.resolve().is_relative_to(layout.IMPORTED.resolve()):
        raise DataError(
            "it would be overwritten", expected=f"a folder outside of {layout.IMPORTED}/", where=str(folder),
            next_step="move it elsewhere, then import it from there",
        )  # fmt: skip
    published = {"retriever": folder / RETRIEVER_FOLDER, "reader": folder}
    for name, place in published.items():
        _require(name, place)
    dimension = retrievers.dimension_of(published["retriever"])
    # Only an encoder that is not yet a ColBERT gets a linear layer, made from the passages here.
    passages = [] if dimension else [passage.indexed_text for passage in read_passages(layout.PASSAGES)]
    source = BaseRetrieverSettings(
        source=str(published["retriever"].resolve()),
        revision=fingerprint.of_folder(published["retriever"]),
        dimension=dimension or settings.base.retriever.dimension,
    )
    model, tokenizer = readers.load(folder.resolve(), dtype=settings.train.reader.dtype)
    with making(layout.IMPORTED) as unfinished:
        retrievers.create(source, settings.index, unfinished / "retriever", passages, settings.seed)
        model.save_pretrained(unfinished / "reader")
        tokenizer.save_pretrained(unfinished / "reader")
    CONSOLE.print(f"{folder} -> {layout.IMPORTED}/retriever, {layout.IMPORTED}/reader\nTo start from them:")
    CONSOLE.print("  dvc exp run " + " ".join(f"-S {setting}" for setting in base_settings()))


def _require(name: str, place: Path) -> None:
    if not (place / "config.json").exists():
        raise MissingResource(
            f"no {name}",
            expected=f"a reader's folder with the ColBERT checkpoint in {RETRIEVER_FOLDER}/",
            where=str(place),
            next_step="name a folder as `jmlr export` writes it",
        )
    if not any(place.glob("*.safetensors")):
        raise MissingResource(
            f"the {name} has no safetensors",
            expected="weights as safetensors; pickled ones (*.bin, *.pt) are not read, because they can run code",
            where=str(place),
            next_step="if you trust it, load it with its own library in a container and save it as safetensors",
        )


def base_settings() -> list[str]:
    """The settings that make the imported pair the base, pinned by the hash of its files."""
    return [f"base.retriever.dimension={retrievers.dimension_of(layout.IMPORTED / 'retriever')}"] + [
        setting
        for name in ("retriever", "reader")
        for setting in (
            f"base.{name}.source=./{layout.IMPORTED / name}",
            f"base.{name}.revision={fingerprint.of_folder(layout.IMPORTED / name)}",
        )
    ]
