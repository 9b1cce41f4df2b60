"""Grade sheets that ship with the station: one TOML file each, to be copied and changed by who buys and sells."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from grader.domain.faults import did_you_mean
from grader.errors import BadSettings
from grader.grading.sheet import Sheet

_FOLDER = Path(__file__).parent


def preset_names() -> tuple[str, ...]:
    """Names of all presets, in alphabetical order."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def preset_path(name: str) -> Path:
    """The file of a preset. Raises BadSettings for a name that is none."""
    if name not in preset_names():
        raise BadSettings(name, "there is no preset of that name", remedy=did_you_mean(name, preset_names()))
    return _FOLDER / f"{name}.toml"


def load_preset(name: str) -> Sheet:
    """A preset as a sheet. Raises BadSettings for a name that is none."""
    document = tomllib.loads(preset_path(name).read_text("utf-8"))
    return msgspec.convert(document, Sheet, str_keys=True)
