"""Settings from files: strict, and every mistake with its file and line."""

from grader.config.checking import check
from grader.config.sheets import load_sheet, sheet_path
from grader.config.station import StationSettings, load_station, reference_installation, reference_station
from grader.config.tomlfile import Problem

__all__ = [
    "Problem",
    "StationSettings",
    "check",
    "load_sheet",
    "load_station",
    "reference_installation",
    "reference_station",
    "sheet_path",
]
