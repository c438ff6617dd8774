"""Building an index: every passage encoded once, the embeddings stored, and compressed where PLAID searches them."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jmlr.errors import ConfigError, DataError, MissingResource
from jmlr.index import encoding, generation, manifest
from jmlr.index.backend import plaid_bytes
from jmlr.index.embeddings import StoredEmbeddings, write_passages
from jmlr.index.encoding import Known, Plan, Source
from jmlr.index.manifest import Manifest
from jmlr.models import device
from jmlr.models.retriever import Retriever
from jmlr.settings import IndexSettings
from jmlr.types import Passage


def build(
    retriever_folder: Path,
    passages: Sequence[Passage],
    settings: IndexSettings,
    folder: Path,
    seed: int,
) -> Manifest:
    """Makes the index of `passages` the current generation in `folder`, whole or not at all; returns its manifest.

    A generation holds embeddings.npy with offsets.npy, passages.parquet, manifest.json and, for PLAID, plaid/; none
    names a path, so it may be moved and copied. The same seed on the same machine writes the same bytes. An index of
    the same retriever, passages, settings and libraries that is there already is left as it is. After a kill the next
    build of the same index goes on where this one was.

    Args:
        retriever_folder: a ColBERT checkpoint.
        passages: what is indexed; a passage's number (pid) is its place here.
        settings: backend, lengths in retriever tokens, bits a dimension, k-means iterations.
        folder: of the index; the generation there before is removed after the swap.
        seed: draws the k-means sample and first centroids.

    Raises:
        DataError: if there are no passages or an id comes twice.
        ConfigError: if the retriever's dimension does not fit the bits.
        MissingResource: if there is no ColBERT checkpoint, or no room on the disk.
        JmlrError: if another process is building this index.
    """
    check_passages(passages)
    retriever = load_retriever(retriever_folder, settings)
    wanted = manifest.describe(retriever_folder, passages, settings, seed)
    if (there := standing(folder)) is not None and there.digest == wanted.digest:
        print(f"index: the same {there.passage_count:,} passages are indexed already in {folder}")
        return there
    return make(Source(retriever, retriever_folder, settings), passages, wanted, folder, None)


def make(source: Source, passages: Sequence[Passage], wanted: Manifest, folder: Path, known: Known | None) -> Manifest:
    """Makes a generation and swaps it in.

    Raises:
        ConfigError: if the retriever's dimension does not fit PLAID's bits.
        MissingResource: if the disk has no room for it.
    """
    if wanted.backend == "plaid":
        _check_dimension(source.retriever.dimension, source.settings)
    started = time.monotonic()
    with generation.building(folder) as unfinished:
        made = _place(folder, unfinished, wanted.digest)
        plan = Plan.make(source.retriever, [passage.indexed_text for passage in passages], known)
        check_room(made, _tell_size(plan, source, wanted))
        encoding.encode(source, plan, made, known)
        write_passages(made, passages)
        count = int(plan.offsets[-1])
        built = replace(wanted, embedding_count=count)
        if wanted.backend == "plaid":
            _compress(built, source, made)
        manifest.write(built, made)
        generation.swap_in(made, folder, generation.name(built.generation, built.digest))
    print(
        f"index: {built.passage_count:,} passages, {count:,} embeddings, {built.backend} search, generation "
        f"{built.generation}, {time.monotonic() - started:.0f} s -> {folder}"
    )
    return built


def load_retriever(folder: Path, settings: IndexSettings) -> Retriever:
    """The retriever that encodes, on a GPU where there is one.

    Raises:
        MissingResource: if there is no ColBERT checkpoint.
    """
    return Retriever.load(folder, settings).to(device.best())


def standing(folder: Path) -> Manifest | None:
    """The manifest of the whole index that is in `folder`, or None."""
    try:
        current = generation.current(folder)
        found = manifest.read(current)
        manifest.check_files(found, current)
        return found
    except (MissingResource, DataError):
        return None


def check_passages(passages: Sequence[Passage]) -> None:
    """Raises DataError if there are no passages or an id comes twice."""
    if not passages:
        raise DataError("no passages", expected="at least 1 to index", next_step="dvc repro ingest")
    passage_id, count = Counter(passage.passage_id for passage in passages).most_common(1)[0]
    if count > 1:
        raise DataError(
            f"passage id {passage_id} comes {count} times", expected="ids that differ", next_step="dvc repro ingest"
        )


def _check_dimension(dimension: int, settings: IndexSettings) -> None:
    if dimension % (8 * settings.bits):
        raise ConfigError(
            f"base.retriever.dimension {dimension} with index.bits {settings.bits}",
            expected=f"a multiple of {8 * settings.bits}, which PLAID packs into whole bytes",
            where="params.yaml",
            next_step="set index.bits lower, or base.retriever.dimension to 128, or index.backend to exact",
        )


def _place(folder: Path, unfinished: Path, digest: str) -> Path:
    """Where a generation is made; what an earlier try of the same one left there stays, that of others moves aside."""
    made = unfinished / f"{digest[:16]}-{encoding.PASSAGES_PER_BATCH}"
    made.mkdir(exist_ok=True)
    aside = folder.with_name(f"{folder.name}-aside")
    for left in unfinished.iterdir():
        if left == made:
            continue
        shutil.rmtree(aside / left.name, ignore_errors=True)
        aside.mkdir(exist_ok=True)
        left.rename(aside / left.name)
        print(
            f"index: an unfinished index of other passages, settings or weights was moved to {aside / left.name}; "
            "remove it if you do not need it"
        )
    return made


def _tell_size(plan: Plan, source: Source, wanted: Manifest) -> int:
    """Prints how large the index will be; returns that in bytes."""
    count, dimension = int(plan.offsets[-1]), source.retriever.dimension
    needed = 2 * count * dimension
    if wanted.backend == "plaid":
        needed += plaid_bytes(count, dimension, source.settings.bits)
    print(
        f"index: {len(plan.texts):,} passages, {count:,} embeddings of {dimension} numbers, "
        f"{needed / 1e6:,.1f} MB on disk for {wanted.backend} search",
        flush=True,
    )
    return needed


def check_room(folder: Path, needed_bytes: int) -> None:
    """Raises MissingResource unless `folder` and what its disk has free make so much room."""
    # An earlier try that was cut off may have left embeddings here, in a file with holes where some are missing.
    held = sum(file.stat().st_blocks * 512 for file in folder.glob("*"))
    free = shutil.disk_usage(folder).free
    if free + held < needed_bytes:
        raise MissingResource(
            f"{free / 1e9:.1f} GB are free",
            expected=f"room for {(needed_bytes - held) / 1e9:.1f} GB of index",
            where=str(folder.parent),
            next_step="free space, or index fewer passages; then run the command again",
        )


def _compress(built: Manifest, source: Source, made: Path) -> None:
    """Writes PLAID's files."""
    from jmlr.index import plaid

    shutil.rmtree(made / manifest.PLAID_FOLDER, ignore_errors=True)  # left by a try that was cut off
    (made / manifest.PLAID_FOLDER).mkdir()
    plaid.write(StoredEmbeddings.open(made), source.settings, made / manifest.PLAID_FOLDER, built.seed)
