"""What a setting is, kinds of values that several share, and the block they stand in; what would fail later is refused.

A setting is one line of a class: name, type, default, meaning, bounds, the paper's value. `conf/config.yaml`,
docs/settings.md and the help of commands are made from it (`jmlr.settings.description`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import PurePath
from typing import Annotated, Any, TypeVar, get_args, get_origin

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Items = TypeVar("Items", bound=Sequence[Any])
Item = TypeVar("Item")

_LANGUAGES = frozenset(
    "af am an ar as az ba be bg bn br bs ca cs cy da de dz el en eo es et eu fa fi fo fr fy ga gd gl gu ha he hi "
    "hr ht hu hy id ig is it ja jv ka kk km kn ko ku ky la lb lg ln lo lt lv mg mk ml mn mr ms mt my ne nl nn no "
    "oc om or pa pl ps pt qu ro ru rw sa se si sk sl sn so sq sr st sv sw ta te tg th tk tl tr tt ug uk ur uz "
    "vi vo wa xh yo zh zu".split()
)
"""The ISO 639-1 codes that py3langid tells apart."""
_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")


def _name(text: str) -> str:
    if not text.strip() or text != text.strip() or not text.isprintable():
        raise ValueError(f"{text!r} is no name: it must be one line, not empty, without a space at either end")
    return text


def _distinct(items: Items) -> Items:
    if twice := next((item for item in items if items.count(item) > 1), None):
        raise ValueError(f"{twice} comes twice")
    return items


def _below(path: str) -> str:
    if PurePath(path).is_absolute() or ".." in PurePath(path).parts:
        raise ValueError(f"{path!r} leads out of ingest.root, so that DVC would not see it change")
    return path


def _language(code: str) -> str:
    if code not in _LANGUAGES:
        raise ValueError(f"{code!r} is no language that can be told; one is an ISO 639-1 code as en or de")
    return code


def _host(name: str) -> str:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        if not _HOST.fullmatch(name):
            raise ValueError(f"{name!r} is no host name or address; one is 127.0.0.1 or example.org") from None
    return name


def _cron(text: str) -> str:
    try:
        if "LW" in text.upper():
            raise CronSimError("Prefect knows no LW")
        next(CronSim(text, datetime(2024, 1, 1)))
    except (CronSimError, StopIteration) as error:
        raise ValueError(f"{text!r} is no time that comes ({error}); one is 0 3 * * *") from error
    return text


Name = Annotated[str, AfterValidator(_name)]
Below = Annotated[Name, AfterValidator(_below)]
Language = Annotated[str, AfterValidator(_language)]
Host = Annotated[str, AfterValidator(_host)]
Cron = Annotated[str, Field(pattern=r"^\s*\S+(\s+\S+){4}\s*$"), AfterValidator(_cron)]
Distinct = AfterValidator(_distinct)
Some = Annotated[tuple[Item, ...], Field(min_length=1), Distinct]
"""At least one, none twice."""
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
NonzeroShare = Annotated[float, Field(gt=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
"""A day at most: a clock that waits longer overflows."""


def setting(default: Any, meaning: str, *, paper: str = "", may_be_left_out: bool = False, **bounds: Any) -> Any:
    """A key of params.yaml.

    Args:
        default: its value in conf/config.yaml; `...` for none: a block, or a key of a block that is null there.
        meaning: at most 25 words of plain English, with the unit unless the name has it, and what null does.
        paper: the value in arXiv 2402.17887, or in its released code, where either is known.
        may_be_left_out: whether a file without the key gets the default; otherwise that is an error.
        bounds: `ge`, `gt`, `le`, `lt`, `pattern`, `min_length` and the like, as pydantic names them.
    """
    told = {"default": default, "paper": paper}
    return Field(default if may_be_left_out else ..., description=meaning, json_schema_extra=told, **bounds)


class Block(BaseModel):
    """A block of settings: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_truth_for_a_number(cls, given: Any, info: ValidationInfo) -> Any:
        wanted = cls.model_fields[str(info.field_name)].annotation
        kinds = {get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in (wanted, *get_args(wanted))}
        if isinstance(given, bool) and {int, float} & kinds:
            raise ValueError(f"a number is wanted, not {str(given).lower()}")
        return given
