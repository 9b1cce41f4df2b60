"""Scenario files: what is to go wrong in a run of the simulated line, and when."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from grader.config.tomlfile import Problem, TomlFile, first_error, in_order, read_toml
from grader.domain.shape import read_as, shape_faults
from grader.errors import BadSettings

_Scenario = TypeVar("_Scenario", bound=msgspec.Struct)


def load_scenario(path: Path, shape: type[_Scenario]) -> _Scenario:
    """The scenario of a file. shape: of its records, which are the simulated line's own. Raises BadSettings."""
    file = read_toml(path)
    error = first_error(check_scenario(file, shape))
    if error:
        raise error
    try:
        return read_as(file.document, shape)
    except msgspec.ValidationError as problem:
        raise BadSettings(path, str(problem), remedy="correct the entry") from problem


def check_scenario(file: TomlFile, shape: type[msgspec.Struct]) -> list[Problem]:
    """Every problem of a scenario, in the order of its lines."""
    return in_order(file.problems(shape_faults(file.document, shape)))
