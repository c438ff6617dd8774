"""Raw files as units of work: what a process reads at once, and a key that tells whether that was done before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jmlr import fingerprint, types, words
from jmlr.settings import IngestSettings, SourceSettings
from jmlr.data.formats import FORMATS
from jmlr.data.raw_files import COMPRESSED, plain_bytes, plain_path
from jmlr.errors import DataError
from jmlr.types import Rejected

_UNIT_BYTES = 16 << 20
_READ_SETTINGS = {"passage_tokens", "overlap_tokens", "languages"}


@dataclass(frozen=True)
class Unit:
    """Files of one source that are read together.

    Attributes:
        source: its settings.
        origin: where the source lies, for messages.
        files: in the order of their paths.
        key: changes with the files' bytes, the settings that reading depends on, and the code.
    """

    source: SourceSettings
    origin: str
    files: tuple[Path, ...]
    key: str


def source_files(root: Path, source: SourceSettings) -> list[Path]:
    """The files of a source, sorted by path.

    Args:
        root: `ingest.root`.
        source: its `path` names a file, a folder (all files of the format below it) or a glob.

    Raises:
        DataError: if there is none.
    """
    path = root / source.path
    patterns = FORMATS[source.format].patterns
    if path.is_file():
        return [path]
    if path.is_dir():
        wanted = [pattern + suffix for pattern in patterns for suffix in ("", *COMPRESSED)]
        found = {file for pattern in wanted for file in path.rglob(pattern) if file.is_file()}
    else:
        found = {file for file in root.glob(source.path) if file.is_file()}
    if not found:
        raise DataError(
            "no such file" if not path.is_dir() else f"no {' or '.join(patterns)} in this folder",
            expected=f"a file, folder or glob of format {source.format}",
            where=str(path),
            next_step="correct ingest.root or ingest.sources in params.yaml; `make starter-data` makes the starter's data",
        )
    return sorted(found)


def _fingerprint(file: Path) -> tuple[str, str]:
    """Path and hash of a file.

    Raises:
        DataError: if it cannot be read, or its name is not UTF-8, for ids and messages hold the name.
    """
    try:
        file.as_posix().encode()
        return file.as_posix(), fingerprint.of_file(file)
    except UnicodeEncodeError as error:
        found, next_step = "the file's name is not UTF-8", "rename it"
        raise DataError(found, where=repr(file.as_posix()), next_step=next_step) from error
    except OSError as error:
        raise DataError(
            f"cannot be read ({error.strerror or error})",
            expected="a file that this user may read",
            where=str(file),
            next_step=f"check it (`ls -l {file}`), or take it out of ingest.sources",
        ) from error


def units_of(settings: IngestSettings, tokenizer: str) -> list[Unit]:
    """All units, in the order of the sources and of their files.

    Args:
        settings: the block `ingest`.
        tokenizer: what the retriever's tokenizer is, as text; passages are cut by it.

    Raises:
        DataError: if a source has no file, or one that cannot be read, or two text files have one name.
    """
    code = fingerprint.of_code(Path(__file__).parent, Path(types.__file__), Path(words.__file__))
    common = [settings.model_dump(include=_READ_SETTINGS, mode="json"), fingerprint.of_json(tokenizer), code]
    root, units = Path(settings.root), []
    for source in settings.sources:
        for files in _groups(source_files(root, source)):
            read = [*files, *_companions(source, files)]
            key = fingerprint.of_json([*common, source.model_dump(mode="json"), *map(_fingerprint, read)])
            units.append(Unit(source, (root / source.path).as_posix(), tuple(files), key[:32]))
    _refuse_equal_names(units)
    return units


def _refuse_equal_names(units: Sequence[Unit]) -> None:
    """Nothing, if no two text files would be taken for one document."""
    known: dict[str, Path] = {}
    for file in (file for unit in units if unit.source.format == "text" for file in unit.files):
        name = plain_path(file).stem
        if (earlier := known.setdefault(name, file)) != file:
            raise DataError(
                f"{earlier} is called {name}, too",
                expected="text files whose names differ before the ending: a document has its file's name",
                where=str(file),
                next_step="rename one of the two",
            )


def passed_over(settings: IngestSettings, units: Sequence[Unit]) -> list[Rejected]:
    """Files in the sources' folders that no source reads, except hidden ones and DVC's; `units` are all units."""
    root, found = Path(settings.root), dict[Path, str]()
    for source in settings.sources:
        folder = root / source.path
        for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
            is_hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
            if file.is_file() and not is_hidden and file.suffix != ".dvc":
                found.setdefault(file, f"no {' or '.join(FORMATS[source.format].patterns)}")
    for unit in units:
        for file in (*unit.files, *_companions(unit.source, unit.files)):
            found.pop(file, None)
    return [Rejected(file.as_posix(), "all", "file of another kind", why) for file, why in found.items()]


def _companions(source: SourceSettings, files: Iterable[Path]) -> list[Path]:
    """The companion files that are read too."""
    beside = {file.with_name(name) for file in files for name in FORMATS[source.format].companions}
    return sorted(file for file in beside if file.is_file())


def _groups(files: list[Path]) -> Iterator[list[Path]]:
    """Neighbouring files together up to a size that is worth a process."""
    group: list[Path] = []
    size = 0
    for file in files:
        if group and size + plain_bytes(file) > _UNIT_BYTES:
            yield group
            group, size = [], 0
        group.append(file)
        size += plain_bytes(file)
    if group:
        yield group
