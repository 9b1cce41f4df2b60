"""What the rows of the tables mean: frames, weighings, scans, index marks, outcomes, and the cells that stand for them.

A row whose place on the belt cannot be read (camera, lane, pulse) is an error with its file and row. A row of a lane
that the line does not have is left out with a warning. A measured value that is no number is kept as NaN: it becomes
a flag on the fruit. Order, repeats and jumps are passed on as they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grader.domain.decisions import GateOutcome, Result
from grader.domain.frames import Scan, Weighing
from grader.domain.installation import Installation
from grader.storage.recordings.findings import Findings
from grader.storage.recordings.tables import Table
from grader.units import HostNs, Pulse

FRAME_COLUMNS = ("camera", "sequence", "pulse", "t_ns", "file", "kind", "exposure_us")
WEIGHT_COLUMNS = ("lane", "pulse", "t_ns", "mass_g")
INDEX_COLUMNS = ("t_ns", "pulse")
OUTCOME_COLUMNS = ("lane", "cup", "outlet", "open_pulse", "close_pulse", "fired_pulse", "outcome", "reason")
_SCAN_COLUMNS = ("lane", "pulse", "t_ns", "kind", "integration_us", "fruit_temp_c", "instrument_temp_c")

PICTURE_KINDS = ("fruit", "dark", "flat", "chart", "checkerboard")
SCAN_KINDS = ("sample", "dark", "white")

NO_COLUMNS: Mapping[str, str] = {}
_WHOLE = re.compile(r"\s*([+-]?\d{1,19})\s*", re.ASCII)
_CHANNEL = re.compile(r"c(\d{1,6})", re.ASCII)
_INT64 = 1 << 63
_FLOAT32_MAX = float(np.finfo(np.float32).max)


class IndexMark(NamedTuple):
    """The chain's index mark passed: when, and at which pulse."""

    t_ns: HostNs
    pulse: Pulse


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One row of frames.csv. pulse: None where a picture has no place on the belt. extra: columns of other names."""

    row: int
    camera: str
    sequence: int
    pulse: Pulse | None
    t_ns: HostNs
    file: str
    kind: str = "fruit"
    exposure_us: float = math.nan
    extra: Mapping[str, str] = field(default_factory=lambda: NO_COLUMNS)


def whole(cell: str) -> int | None:
    """A whole number of 64 bits; None where the cell holds anything else."""
    match = _WHOLE.fullmatch(cell)
    value = int(match[1]) if match else None
    return value if value is not None and -_INT64 <= value < _INT64 else None


def number(cell: str) -> float:
    """A finite number, else NaN."""
    try:
        value = float(cell)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) and "_" not in cell else math.nan


def float_cell(value: float | None) -> str:
    """The shortest text that reads back as the same number; empty for NaN."""
    return "" if value is None or math.isnan(value) else repr(float(value))


def frame_rows(table: Table, installation: Installation, findings: Findings) -> list[FrameRow]:
    """frames.csv in file order."""
    rows: list[FrameRow] = []
    unlisted = [at for at, name in enumerate(table.columns) if name not in FRAME_COLUMNS]
    for row, cells in _rows(table, FRAME_COLUMNS[:5], findings):
        camera, file = cells["camera"], cells["file"]
        sequence, pulse, t_ns = whole(cells["sequence"]), whole(cells["pulse"]), whole(cells["t_ns"])
        kind = cells.get("kind") or "fruit"
        if camera not in installation.cameras:
            findings.error(table.file, f"no camera {camera[:60]!r}", row=row, remedy="add it to recording.toml")
        elif kind not in PICTURE_KINDS:
            findings.error(
                table.file, f"no kind of picture: {kind[:60]!r}", row=row, remedy=f"one of {', '.join(PICTURE_KINDS)}"
            )
        elif sequence is None or t_ns is None or (pulse is None and (kind == "fruit" or cells["pulse"].strip())):
            findings.error(table.file, "sequence, pulse or t_ns is no number", row=row, remedy="put the row right")
        else:
            rows.append(
                FrameRow(
                    row=row,
                    camera=camera,
                    sequence=sequence,
                    pulse=None if pulse is None else Pulse(pulse),
                    t_ns=HostNs(t_ns),
                    file=file,
                    kind=kind,
                    exposure_us=number(cells.get("exposure_us", "")),
                    extra={table.columns[at]: cells[table.columns[at]] for at in unlisted} if unlisted else NO_COLUMNS,
                )
            )
    return rows


def weighings(table: Table, installation: Installation, findings: Findings) -> list[Weighing]:
    """weights.csv in file order; counts become grams by the lane's zero and slope."""
    scale = installation.scale
    if scale is None:
        findings.error(table.file, "there are weighings and no [scale]", remedy="add [scale] to recording.toml")
        return []
    in_counts = "mass_g" not in table.columns
    if in_counts and (scale.zero_counts is None or scale.g_per_count is None):
        findings.error(
            table.file,
            "has no mass_g",
            row=1,
            remedy="add mass_g, or counts with zero_counts and g_per_count in [scale]",
        )
        return []
    found: list[Weighing] = []
    value_column = "counts" if in_counts else "mass_g"
    for row, cells in _rows(table, ("lane", "pulse", "t_ns", value_column), findings):
        place = _place(table, row, cells, installation, findings)
        if place is None:
            continue
        lane, pulse, t_ns = place
        value = number(cells[value_column])
        if in_counts and scale.zero_counts is not None and scale.g_per_count is not None:
            value = (value - scale.zero_counts[lane]) * scale.g_per_count[lane]
        if math.isnan(value):
            findings.note(table.file, f"{value_column} is no number", row=row)
        found.append(Weighing(lane=lane, pulse=pulse, t_ns=t_ns, mass_g=value))
    return found


def scans(table: Table, installation: Installation, findings: Findings) -> list[Scan]:
    """spectra.csv in file order. A row of fewer or more channels than its spectrometer has is kept as it is.

    The format has no column for the spectrometer: it is the first that looks into the lane, unless a column
    `spectrometer` (which this station writes where there are several) names it.
    """
    if not installation.spectrometers:
        findings.error(table.file, "there are scans and no [spectrometers]", remedy="add them to recording.toml")
        return []
    by_lane: dict[int, str] = {}
    for name, spectrometer in installation.spectrometers.items():
        for lane in spectrometer.lanes:
            by_lane.setdefault(lane, name)
    channels = [at for at, name in enumerate(table.columns) if _CHANNEL.fullmatch(name)]
    first = channels[0] if channels else len(table.columns)
    if [table.columns[at] for at in channels] != [f"c{k}" for k in range(len(channels))] or channels != list(
        range(first, len(table.columns))
    ):
        findings.error(
            table.file, "channels are not c0, c1, ... at the end of each row", row=1, remedy="reorder columns"
        )
        return []
    found: list[Scan] = []
    for row, cells in _rows(table, ("lane", "pulse", "t_ns", "kind"), findings, open_end=True):
        place = _place(table, row, cells, installation, findings)
        if place is None:
            continue
        lane, pulse, t_ns = place
        kind = cells["kind"] or "sample"
        name = cells.get("spectrometer") or by_lane.get(lane, "")
        if kind not in SCAN_KINDS:
            findings.error(
                table.file, f"no kind of scan: {kind[:60]!r}", row=row, remedy=f"one of {', '.join(SCAN_KINDS)}"
            )
        elif name not in installation.spectrometers:
            findings.warn(table.file, f"no spectrometer looks into lane {lane}: left out", row=row)
        else:
            values = cells.values_from(first)
            wanted = len(installation.spectrometers[name].wavelengths_nm)
            while len(values) > wanted and values[-1] == "":  # a narrower spectrometer than the table's widest
                values.pop()
            counts = _counts(values)
            if len(counts) != wanted:
                findings.note(table.file, f"{len(counts)} channels, the spectrometer has {wanted}", row=row)
            if np.isnan(counts).any():
                findings.note(table.file, "a count is no number", row=row)
            found.append(
                Scan(
                    lane=lane,
                    pulse=pulse,
                    t_ns=t_ns,
                    counts=counts,
                    kind=kind,
                    integration_us=number(cells.get("integration_us", "")),
                    fruit_temp_c=number(cells.get("fruit_temp_c", "")),
                    instrument_temp_c=number(cells.get("instrument_temp_c", "")),
                    spectrometer=name,
                )
            )
    return found


def index_marks(table: Table, findings: Findings) -> list[IndexMark]:
    """index.csv in file order."""
    found: list[IndexMark] = []
    for row, cells in _rows(table, INDEX_COLUMNS, findings):
        t_ns, pulse = whole(cells["t_ns"]), whole(cells["pulse"])
        if t_ns is None or pulse is None:
            findings.error(table.file, "t_ns or pulse is no number", row=row, remedy="put the row right")
        else:
            found.append(IndexMark(HostNs(t_ns), Pulse(pulse)))
    return found


def outcomes(table: Table, installation: Installation, findings: Findings) -> list[GateOutcome]:
    """outcomes.csv in file order; fired_pulse is empty where the gate never opened."""
    found: list[GateOutcome] = []
    words = {str(result): result for result in Result}
    for row, cells in _rows(table, OUTCOME_COLUMNS[:7], findings):
        numbers = [whole(cells[name]) for name in OUTCOME_COLUMNS[:5]]
        lane, cup, outlet, opens, closes = numbers
        fired = whole(cells["fired_pulse"])
        result = words.get(cells["outcome"])
        if lane is None or cup is None or outlet is None or opens is None or closes is None:
            findings.error(table.file, "a lane, cup, outlet or pulse is no number", row=row, remedy="put the row right")
        elif fired is None and cells["fired_pulse"].strip():
            findings.error(table.file, "fired_pulse is no number", row=row, remedy="leave it empty if it never opened")
        elif result is None:
            findings.error(
                table.file, f"no outcome: {cells['outcome'][:60]!r}", row=row, remedy=f"one of {', '.join(words)}"
            )
        elif not 0 <= lane < installation.line.lanes:
            findings.warn(table.file, f"the line has no lane {lane}: left out", row=row)
        else:
            found.append(
                GateOutcome(
                    lane=lane,
                    cup=cup,
                    outlet=outlet,
                    open_pulse=Pulse(opens),
                    close_pulse=Pulse(closes),
                    fired_pulse=None if fired is None else Pulse(fired),
                    result=result,
                    reason=cells.get("reason", ""),
                )
            )
    return found


def scan_columns(installation: Installation) -> tuple[str, ...]:
    """The header of spectra.csv for these spectrometers."""
    several = ("spectrometer",) if len(installation.spectrometers) > 1 else ()
    widest = max((len(one.wavelengths_nm) for one in installation.spectrometers.values()), default=0)
    return (*_SCAN_COLUMNS, *several, *(f"c{channel}" for channel in range(widest)))


def scan_cells(scan: Scan, installation: Installation) -> list[str]:
    """A scan's row; as many channel cells as it has counts."""
    several = [scan.spectrometer] if len(installation.spectrometers) > 1 else []
    numbers = (scan.integration_us, scan.fruit_temp_c, scan.instrument_temp_c)
    place = [str(scan.lane), str(scan.pulse), str(scan.t_ns), scan.kind]
    return [*place, *map(float_cell, numbers), *several, *_count_cells(scan.counts)]


def outcome_cells(outcome: GateOutcome) -> list[str]:
    """An outcome's row."""
    fired = "" if outcome.fired_pulse is None else str(outcome.fired_pulse)
    numbers = (outcome.lane, outcome.cup, outcome.outlet, outcome.open_pulse, outcome.close_pulse)
    return [*map(str, numbers), fired, str(outcome.result), outcome.reason]


class _Cells:
    """One row by column name."""

    __slots__ = ("_cells", "_places")

    def __init__(self, cells: Sequence[str], places: Mapping[str, int]) -> None:
        self._cells, self._places = cells, places

    def __getitem__(self, name: str) -> str:
        return self._cells[self._places[name]]

    def get(self, name: str, default: str = "") -> str:
        return self._cells[self._places[name]] if name in self._places else default

    def values_from(self, first: int) -> list[str]:
        return list(self._cells[first:])


def _rows(
    table: Table, required: Sequence[str], findings: Findings, *, open_end: bool = False
) -> Iterator[tuple[int, _Cells]]:
    """Rows that have a cell for every column. open_end: the channels at the end may be fewer or more."""
    missing = [name for name in required if name not in table.columns]
    if missing:
        findings.error(table.file, f"lacks the column {', '.join(missing)}", row=1, remedy="see the recording format")
        return
    places = {name: at for at, name in enumerate(table.columns)}
    fixed = sum(not _CHANNEL.fullmatch(name) for name in table.columns) if open_end else len(table.columns)
    for row, cells in table.rows():
        if len(cells) < fixed or (len(cells) > fixed and not open_end):
            findings.error(
                table.file, f"has {len(cells)} cells, the header {len(places)}", row=row, remedy="put the row right"
            )
            continue
        yield row, _Cells(cells, places)


def _place(
    table: Table, row: int, cells: _Cells, installation: Installation, findings: Findings
) -> tuple[int, Pulse, HostNs] | None:
    """Where a reading belongs; None after an error, and for a lane that the line does not have."""
    lane, pulse, t_ns = whole(cells["lane"]), whole(cells["pulse"]), whole(cells["t_ns"])
    if lane is None or pulse is None or t_ns is None:
        findings.error(table.file, "lane, pulse or t_ns is no number", row=row, remedy="put the row right or remove it")
        return None
    if not 0 <= lane < installation.line.lanes:
        findings.warn(table.file, f"the line has no lane {lane}: left out", row=row)
        return None
    return lane, Pulse(pulse), HostNs(t_ns)


def _counts(cells: list[str]) -> NDArray[np.float32]:
    """(n_channels,) float32, NaN where a cell is no finite number of that size."""
    try:  # float() alone is three times as fast as number(), and nearly every row is sound
        values = np.array([float(cell) for cell in cells], np.float64)
        sound = "_" not in "".join(cells)
    except ValueError:
        sound = False
    if not sound:
        values = np.array([number(cell) for cell in cells], np.float64)
    values[~(np.abs(values) <= _FLOAT32_MAX)] = np.nan
    return values.astype(np.float32)


def _count_cells(counts: NDArray[np.float32]) -> list[str]:
    if np.isfinite(counts).all() and (np.abs(counts) < 1e15).all() and (counts == np.rint(counts)).all():
        return [str(count) for count in counts.astype(np.int64).tolist()]
    return ["" if np.isnan(count) else str(count) for count in counts.astype(np.float32)]
