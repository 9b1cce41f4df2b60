"""`grader check` for settings: what kind of file is it, and everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from grader.config.scenario import check_scenario
from grader.config.sheets import read_sheet
from grader.config.station import read_station
from grader.config.tomlfile import Problem, problem_of, read_toml
from grader.errors import BadSettings
from grader.grading.sheet import Sheet

_ONLY_IN_SHEETS = {field.name for field in msgspec.structs.fields(Sheet)} - {"fruit", "variety", "note"}
_ONLY_IN_SCENARIOS = {"fault", "every_s"}


def check(path: Path, scenario: type[msgspec.Struct] | None = None) -> list[Problem]:
    """Every problem of a station file, grade sheet or scenario, in the order of its lines; empty: it is sound.

    scenario: the simulated line's own record of one; without it no file is taken for one.
    """
    try:
        file = read_toml(path)
    except BadSettings as error:
        return [problem_of(error)]
    if not file.document:
        remedy = "as a station file it means the reference line; as a grade sheet it means nothing"
        return [Problem(path, None, "is empty", remedy, warning=True)]
    if scenario is not None and _ONLY_IN_SCENARIOS & file.document.keys():
        return check_scenario(file, scenario)
    is_sheet = bool(_ONLY_IN_SHEETS & file.document.keys())
    return (read_sheet(file) if is_sheet else read_station(file))[1]
