"""Every problem of any file that the station reads."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from grader.config.checking import check as check_settings
from grader.domain.artefacts import SugarModel
from grader.errors import BadArtefact
from grader.storage.artefacts import load_artefact
from grader.storage.recordings import validate
from hardware.sim.faults import Scenario


class Found(NamedTuple):
    """One problem as it is told: text names file, line and remedy. A warning stops nothing."""

    text: str
    warning: bool


def problems_of(file: Path) -> list[Found]:
    """What is wrong with a station file, sheet or scenario (.toml), an artefact (.npz), a recording (anything else)."""
    if file.suffix == ".toml" and file.name != "recording.toml":
        return [Found(str(problem), problem.warning) for problem in check_settings(file, Scenario)]
    if file.suffix == ".npz":
        try:
            load_artefact(file, SugarModel)
        except BadArtefact as problem:
            return [Found(str(problem), False)]
        return []
    recording = file.parent if file.name == "recording.toml" else file
    if not recording.exists():
        return [Found(f"{file}: is not there (check the path)", False)]
    return [Found(str(problem), problem.severity == "warning") for problem in validate(recording)]
