"""Grade sheets from files: one by path, or a preset by name."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from grader.config.tomlfile import Problem, TomlFile, first_error, in_order, problem_of, read_toml
from grader.domain.faults import Fault
from grader.domain.shape import read_as, shape_faults
from grader.errors import BadSettings
from grader.grading.faults import MOST_OUTLETS, faults
from grader.grading.presets import preset_names, preset_path
from grader.grading.sheet import Sheet


def sheet_path(sheet: Path | str) -> Path:
    """The file of a sheet: a path that exists, else the preset of that name. Raises BadSettings."""
    path = Path(sheet)
    if path.suffix == ".toml" or is_file(path) or len(path.parts) > 1:
        return path
    if str(sheet) in preset_names():
        return preset_path(str(sheet))
    remedy = f"give a file, or one of: {', '.join(preset_names())}"
    raise BadSettings(path, "there is no such sheet", remedy=remedy)


def is_file(path: Path) -> bool:
    """Whether a file is there; a name that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


class LoadedSheet(NamedTuple):
    """A sheet that can be graded by, and what looks wrong in it all the same."""

    sheet: Sheet
    warnings: tuple[str, ...]


def load_sheet(sheet: Path | str, *, variety: str | None = None) -> Sheet:
    """The sheet of a file or preset, for a variety if that is known: then it is sure to be `compiled`.

    Raises BadSettings, with line and remedy, for its first problem that is no warning.
    """
    return load_sheet_for(sheet, variety=variety).sheet


def load_sheet_for(sheet: Path | str, *, variety: str | None = None, outlets: int = MOST_OUTLETS) -> LoadedSheet:
    """As `load_sheet`, for a line of so many outlets, with the sheet's warnings."""
    file = read_toml(sheet_path(sheet))
    record, problems = read_sheet(file, variety=variety, outlets=outlets)
    error = first_error(problems)
    if error or record is None:
        raise error or BadSettings(file.path, "is not a grade sheet")
    return LoadedSheet(record, tuple(map(str, problems)))


def check_sheet(sheet: Path | str, *, outlets: int = MOST_OUTLETS) -> list[Problem]:
    """Every problem of a sheet, in the order of its lines; outlets: of the line that it is for."""
    try:
        return read_sheet(read_toml(sheet_path(sheet)), outlets=outlets)[1]
    except BadSettings as error:
        return [problem_of(error)]


def read_sheet(
    file: TomlFile, *, variety: str | None = None, outlets: int = MOST_OUTLETS
) -> tuple[Sheet | None, list[Problem]]:
    """The sheet, None where its shape is wrong, and every problem of it."""
    if not file.document:
        return None, file.problems([Fault((), "is empty", "begin with a copy of a preset")])
    found = shape_faults(file.document, Sheet)
    record: Sheet | None = None
    if not found:
        try:
            record = read_as(file.document, Sheet)
            found = faults(record, variety=variety, outlets=outlets)
        except msgspec.ValidationError as error:
            found = [Fault((), str(error), "correct the entry")]
    return record, in_order(file.problems(found))
