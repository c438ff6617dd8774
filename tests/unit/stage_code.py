"""The code that each stage of dvc.yaml runs, by the import graph; `make deps` writes it there.

A stage's code is its module in jmlr/stages, what calls it (`jmlr.cli.table`), and all that these import, at their top
or inside a function. A folder of which all is reached is one dependency; of another one the files that are, with those
beside them that are no Python (templates, tables).
"""

from __future__ import annotations

import re
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
PIPELINE = ROOT / "dvc.yaml"
_DEPENDENCIES = re.compile(r"(?m)^  (\w+):\n(?:    .*\n)*?    deps:\n((?:      - .*\n)+)")


def module_path(module: str) -> Path:
    """The file of a module of the project."""
    plain = ROOT / (module.replace(".", "/") + ".py")
    return plain if plain.exists() else ROOT / module.replace(".", "/") / "__init__.py"


def files_of(imports: grimp.ImportGraph, stage: str) -> set[Path]:
    """All that the stage runs, relative to the root."""
    own = {f"jmlr.stages.{stage}", "jmlr.cli.table"}
    modules = own.union(*(imports.find_upstream_modules(module) for module in own))
    code = {module_path(module) for module in modules}
    code |= {parent / "__init__.py" for file in code for parent in file.parents if (parent / "__init__.py").exists()}
    return {file.relative_to(ROOT) for file in code | {one for file in code for one in _beside(file.parent)}}


def _beside(folder: Path) -> set[Path]:
    """The files of a folder and of those in it that are no packages, if they are no Python."""
    found = {file for file in folder.iterdir() if file.is_file() and file.suffix not in (".py", ".pyc")}
    inner = [one for one in folder.iterdir() if one.is_dir() and one.name != "__pycache__"]
    return found.union(*(_beside(one) for one in inner if not (one / "__init__.py").exists()))


def dependencies(imports: grimp.ImportGraph, stage: str) -> list[str]:
    """The same as lines of dvc.yaml: a folder where all of it is run."""
    files, whole = files_of(imports, stage), set()
    for folder in sorted({parent for file in files for parent in file.parents if parent != Path()}):
        inside = {file.relative_to(ROOT) for file in (ROOT / folder).rglob("*") if file.is_file()}
        if {file for file in inside if file.suffix != ".pyc"} <= files and not whole & set(folder.parents):
            whole.add(folder)
    rest = {file for file in files if not whole & set(file.parents) and (ROOT / file).stat().st_size}
    return sorted(path.as_posix() for path in whole | rest)


def pipeline(imports: grimp.ImportGraph) -> str:
    """The text of dvc.yaml with the code that each stage runs."""

    def rewritten(found: re.Match[str]) -> str:
        inputs = [line for line in found[2].splitlines() if not line.startswith("      - jmlr/")]
        lines = [*inputs, *(f"      - {path}" for path in dependencies(imports, found[1]))]
        return found[0].removesuffix(found[2]) + "".join(f"{line}\n" for line in lines)

    return _DEPENDENCIES.sub(rewritten, PIPELINE.read_text(encoding="utf-8"))


def import_graph() -> grimp.ImportGraph:
    """Who imports whom in the project, when it runs."""
    return grimp.build_graph("jmlr", cache_dir=None, exclude_type_checking_imports=True)


if __name__ == "__main__":
    PIPELINE.write_text(pipeline(import_graph()), encoding="utf-8")
