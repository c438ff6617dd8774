"""`jmlr data accept`: the data that were validated last become those that drift is measured from."""

from __future__ import annotations

from jmlr.settings import Settings
from jmlr.errors import DataError, ValidationFailed
from jmlr.files import read_json, reading, write_text
from jmlr.stages import layout
from jmlr.console import CONSOLE
from jmlr.validation.drift import read_profile

_VALIDATE = "dvc repro validate"


def run(settings: Settings) -> None:
    """Writes accepted_data.json, the profile of the data of the last validation; git keeps who accepted what.

    Raises:
        DataError: if the data were not validated, or under another recipe than that of params.yaml.
        ValidationFailed: if a critical expectation did not hold.
    """
    profile = read_profile(layout.PROFILE)
    if profile is None or not layout.VALIDATION_REPORT.exists():
        where = layout.PROFILE if profile is None else layout.VALIDATION_REPORT
        raise DataError("no such file", expected="data that were validated", where=str(where), next_step=_VALIDATE)
    found = read_json(layout.VALIDATION_REPORT, _VALIDATE)
    with reading(layout.VALIDATION_REPORT, _VALIDATE):
        success, failures = found["success"], found["critical_failures"]
    if not success:
        raise ValidationFailed(
            f"{failures} critical expectation(s) failed in the last validation",
            expected="data without one",
            where=str(layout.VALIDATION_REPORT),
            next_step=f"fix the data or the bounds in params.yaml (validate), then `{_VALIDATE}`",
        )
    if profile["recipe"] != settings.recipe:
        raise DataError(
            f"the last validation is of recipe {profile['recipe']}",
            expected=f"{settings.recipe}, the recipe of params.yaml",
            where=str(layout.PROFILE),
            next_step=_VALIDATE,
        )
    write_text(layout.ACCEPTED_PROFILE, layout.PROFILE.read_text(encoding="utf-8"))
    counts = profile["counts"]
    CONSOLE.print(
        f"accepted: recipe {profile['recipe']}, {counts['passages']:,} passages, {counts['questions']:,} questions; "
        f"next: git add {layout.ACCEPTED_PROFILE}",
    )
