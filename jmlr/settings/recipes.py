"""Recipes: what conf/config.yaml and one file of conf/recipe/ compose to, and what each needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jmlr import fingerprint
from jmlr.errors import ConfigError
from jmlr.files import write_text
from jmlr.settings.blocks import Settings
from jmlr.settings.params import PARAMS_FILE, parse

CONF_FOLDER = Path("conf")


@dataclass(frozen=True)
class Recipe:
    """One recipe and what it needs before it can run.

    Attributes:
        name: the file's name below conf/recipe/, without the suffix.
        summary: the file's first comment line.
        needs: short sentences; empty for a recipe that runs anywhere.
    """

    name: str
    summary: str
    needs: tuple[str, ...]


def uses_hub(settings: Settings) -> bool:
    """Whether a base model comes from a model hub instead of from the locked packages or a folder."""
    sources = {settings.base.retriever.source, settings.base.reader.source} - {"minilm", "starter"}
    return not all(map(fingerprint.is_folder, sources))


def needs(settings: Settings) -> tuple[str, ...]:
    """Short sentences on the data, hub models and devices that `settings` ask for."""
    wanted = []
    if settings.recipe != "starter":
        paths = ", ".join(f"{source.path} ({source.format})" for source in settings.ingest.sources)
        wanted.append(f"data in {settings.ingest.root}/: {paths}")
    hub = [model.source for model in (settings.base.retriever, settings.base.reader)]
    hub = [source for source in hub if source not in ("minilm", "starter") and not fingerprint.is_folder(source)]
    if hub:
        wanted.append(f"model hub: {', '.join(hub)}")
    if settings.train.needs_gpu:
        wanted.append("GPU")
    return tuple(wanted)


def names(folder: Path = CONF_FOLDER) -> list[str]:
    """The recipes below `folder`, sorted.

    Raises:
        ConfigError: if there is none.
    """
    found = sorted(path.stem for path in (folder / "recipe").glob("*.yaml"))
    if not found:
        raise ConfigError(
            "no recipe",
            expected="NAME.yaml",
            where=str(folder / "recipe"),
            next_step="run jmlr in the repository's root",
        )
    return found


def compose_text(recipe: str, folder: Path = CONF_FOLDER) -> str:
    """The text of the params.yaml that `dvc exp run -S recipe=NAME` writes for `recipe`.

    Raises:
        ConfigError: if there is no such recipe.
    """
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    known = names(folder)
    if recipe not in known:
        raise ConfigError(
            f"no recipe {recipe!r}", expected="one of " + ", ".join(known), where=str(folder), next_step="jmlr recipes"
        )
    with initialize_config_dir(str(folder.resolve()), version_base=None):
        composed = compose(config_name="config", overrides=[f"recipe={recipe}"])
    OmegaConf.resolve(composed)
    return OmegaConf.to_yaml(composed)


def load(recipe: str, folder: Path = CONF_FOLDER) -> Settings:
    """The checked settings of `recipe`.

    Raises:
        ConfigError: if there is no such recipe, or its settings break a rule.
    """
    import yaml

    return parse(yaml.safe_load(compose_text(recipe, folder)), str(folder / "recipe" / f"{recipe}.yaml"))


def describe(folder: Path = CONF_FOLDER) -> list[Recipe]:
    """Every recipe with its summary and its needs.

    Raises:
        ConfigError: if a recipe's settings break a rule.
    """
    return [
        Recipe(name, _summary(folder / "recipe" / f"{name}.yaml"), needs(load(name, folder))) for name in names(folder)
    ]


def write_params(recipe: str, path: Path = PARAMS_FILE, folder: Path = CONF_FOLDER) -> None:
    """Write the params.yaml of `recipe` to `path`; nothing is written if its settings break a rule.

    Raises:
        ConfigError: if there is no such recipe, or its settings break a rule.
    """
    load(recipe, folder)
    write_text(path, compose_text(recipe, folder))


def _summary(path: Path) -> str:
    """The first comment line that is not a Hydra directive."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") and not line.startswith("# @"):
            return line.lstrip("# ").rstrip()
    return ""
