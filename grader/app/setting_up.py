"""What a station decides with: sheet and artefacts found, loaded, and named by their hashes."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

import calibration
from grader.config.sheets import load_sheet_for, sheet_path
from grader.domain.artefacts import SugarModel
from grader.domain.installation import Installation, usual_camera
from grader.grading.compiled import compiled
from grader.inference.maps import MapProcesses, MapSkins
from grader.station.line import LineSettings
from grader.storage.artefacts import load_artefact
from grader.storage.provenance import sha256_of
from grader.vision.combine import settings_for
from grader.vision.skin_map.mapper import MapSettings, map_settings_for

ARTEFACTS = Path(calibration.__file__).parent / "artefacts"
"""Where calibration leaves what it makes for the reference line; `make run` and `make test` fill it once."""

SUGAR_MODEL = ARTEFACTS / "sugar_sim.npz"
DEFAULT_SHEET = "house_default"


class Decider(NamedTuple):
    """Settings of the line, the hashes of every file that they came from, and what looks wrong about them."""

    settings: LineSettings
    hashes: dict[str, str]
    warnings: tuple[str, ...]


def make_artefacts(say: Callable[[str], None] = lambda text: None) -> None:
    """Make what is missing. The same numbers come out on every machine of one lock."""
    if SUGAR_MODEL.exists():
        return
    from calibration.sugar import make_default_sugar_model  # imports scikit-learn: 1.4 s that only this once takes

    say("fitting the sugar model on simulated reference fruit")
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    make_default_sugar_model(SUGAR_MODEL)


def decider(
    installation: Installation, *, sheet: Path | str | None = None, variety: str = "", camera: str | None = None
) -> Decider:
    """Load what is needed to decide about fruit of this installation.

    sheet: a file or the name of a preset. variety: of the lot, for sheets that ask. camera: the one to look through,
    else `usual_camera`. Raises BadSettings, BadArtefact.
    """
    wanted = sheet if sheet is not None else DEFAULT_SHEET
    of_variety = variety or installation.variety
    loaded, warnings = load_sheet_for(wanted, variety=of_variety, outlets=installation.gates.outlets)
    if loaded.fruit != installation.fruit:
        warnings += (f"the sheet {loaded.name} is for {loaded.fruit}; the fruit here is {installation.fruit}",)
    hashes = {"sheet": sha256_of(sheet_path(wanted))}
    sugar: SugarModel | None = None
    if installation.spectrometers:
        make_artefacts()
        sugar, hashes["sugar"] = load_artefact(SUGAR_MODEL, SugarModel)
    settings = LineSettings(
        installation=installation,
        sheet=compiled(loaded, of_variety),
        sugar=sugar,
        combine=settings_for(installation.fruit),
        mapping=map_settings_for(installation.fruit),
        camera=camera if camera is not None else usual_camera(list(installation.cameras)),
    )
    hashes["settings"] = _hash_of(settings)
    return Decider(settings, hashes, warnings)


def _hash_of(settings: LineSettings) -> str:
    parts = (
        *(settings.installation, settings.colours, settings.eye, settings.track, settings.combine, settings.camera),
        *(settings.gap_cups, settings.mapping, settings.by_views),
    )
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()


def maps_by(settings: LineSettings) -> MapSkins:
    """Whoever maps the skins of this line's fruit at once."""
    return MapSkins(settings.camera_place, settings.colours, settings.mapping or MapSettings())


_MAP_S, _MOST_BUSY = 0.006, 0.6
"""What a map takes, and how much of their time processes are to make maps at most: at five sixths of it, a tenth of all
maps came too late."""


def map_processes_by(settings: LineSettings) -> MapProcesses:
    """Whoever does it beside the line: as many processes as its fruit need, on as many cores as there are. Raises
    DeviceError."""
    line = settings.installation.line
    needed = math.ceil(line.lanes * line.cups_per_second * _MAP_S / _MOST_BUSY)
    count = min(needed, line.lanes, len(os.sched_getaffinity(0)))
    return MapProcesses(count, settings.camera_place, settings.colours, settings.mapping or MapSettings())
