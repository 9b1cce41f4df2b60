"""fruit.csv: the table that people read, a row per fruit, and what differs between two of them.

The text of a number is fixed by the decimals of `QUANTITIES`, to which `grader.domain.records` has
rounded it: table, journal and replay hold the same number. A value that was not measured is empty.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.domain.decisions import FruitRecord
from grader.domain.flags import FLAGS, flag_names
from grader.domain.fruit import QUANTITIES
from grader.errors import BadFile
from grader.storage.atomic import replace_file_by_lines
from grader.storage.spreadsheets import SAVE_AGAIN, START_BYTES, foreign_form

_LEADING = (
    *("lane", "cup", "lot", "diameter_mm", "height_mm", "volume_ml", "mass_g", "blush_fraction", "ground_hue_deg"),
    *("defect_area_mm2", "defect_count", "skin_seen", "turn_deg", "ssc_brix", "ssc_brix_sd"),
    *("grade", "size", "outlet", "reasons", "flags", "gate_outcome"),
)
FRUIT_COLUMNS: tuple[str, ...] = (*_LEADING, *(name for name in QUANTITIES if name not in _LEADING))
"""Columns of fruit.csv: first those that every reader can count on, then the other quantities."""

REASON_JOINT = "; "
"""Between the reasons of one fruit. The journal keeps them apart; a reason that has it inside comes back as two."""

EXACT: Mapping[str, float] = {}
"""Tolerances of a comparison in which nothing may differ."""

DEFAULT_TOLERANCES: Mapping[str, float] = {
    "diameter_mm": 0.05,
    "height_mm": 0.05,
    "volume_ml": 0.5,
    "mass_g": 0.05,
    "blush_fraction": 0.002,
    "ground_hue_deg": 0.5,
    "ground_lightness": 0.5,
    "ground_a": 0.5,
    "ground_b": 0.5,
    "hue_spread_deg": 0.5,
    "stripe_contrast": 0.005,
    "defect_area_mm2": 1.0,
    "largest_defect_mm2": 1.0,
    "defect_fraction": 0.001,
    "shape_index": 0.002,
    "roundness": 0.002,
    "skin_seen": 0.005,
    "turn_deg": 0.05,
    "ssc_brix": 0.02,
    "ssc_brix_sd": 0.02,
    "density_g_per_ml": 0.005,
}
"""What another machine's arithmetic may change, in the unit of the column. Columns not named here are exact."""

_FLAG_OF_NAME = {flag_names(flag): int(flag) for flag in FLAGS}
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_NUMBER_IN_TEXT = re.compile(r"(?<![\w.])-?[0-9]+(?:\.[0-9]+)?(?![\w.])")
_QUANTITY_OR_NUMBER = re.compile(rf"\b(?:{'|'.join(QUANTITIES)})\b|{REASON_JOINT}|{_NUMBER_IN_TEXT.pattern}")
_NEEDS_QUOTES = re.compile('[,"\r\n]')
_FLOAT_NOISE = 1e-9
"""Two decimal fractions one tolerance apart differ by it only to the last bits of a double."""


@dataclass(frozen=True, slots=True)
class FruitTable:
    """A fruit.csv in memory: which columns of `FRUIT_COLUMNS` it has, and its fruit in the order of the file."""

    columns: tuple[str, ...]
    records: tuple[FruitRecord, ...]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[FruitRecord]:
        return iter(self.records)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs. column: of `FRUIT_COLUMNS`; empty when the fruit itself is missing, extra or doubled.

    actual, expected: as text. tolerance: what the column may differ by; None: it must be equal.
    """

    lane: int
    cup: int
    column: str
    actual: str
    expected: str
    tolerance: float | None = None


def write_fruit_csv(path: Path, records: Iterable[FruitRecord]) -> None:
    """Write fruit.csv; the same records give the same bytes. Raises OSError.

    records: by lane and cup, else ValueError; they are taken one by one, a season of them needs no memory. UTF-8, lines
    end in a line feed. The file is replaced whole or not at all.
    """
    replace_file_by_lines(path, (f"{line}\n".encode() for line in _lines(records)))


def _lines(records: Iterable[FruitRecord]) -> Iterator[str]:
    yield ",".join(FRUIT_COLUMNS)
    before = (-1, -1)
    # A loop over fruit: texts, not arrays; 15 us a fruit, once a run.
    for record in records:
        place = record.lane, record.cup
        if place < before:
            raise ValueError(f"lane {place[0]} cup {place[1]} comes after lane {before[0]} cup {before[1]}")
        before = place
        yield ",".join(_quoted(_cell(record, column)) for column in FRUIT_COLUMNS)


def read_fruit_csv(path: Path) -> FruitTable:
    """Read a fruit.csv, also one that a spreadsheet saved again. lane and cup must be there, other columns may be.

    A column that is missing reads as not measured or empty; an unknown one is ignored. Raises BadFile with
    the row (the header is row 1) for anything that is not what the column holds.
    """
    if path.exists() and not path.is_file():  # a pipe would keep the reader waiting for ever
        raise BadFile(path, "is not a file", remedy="name a fruit.csv")
    try:
        content = path.read_bytes()
        if foreign := foreign_form(content[:START_BYTES]):
            raise BadFile(path, foreign, remedy=SAVE_AGAIN)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise BadFile(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadFile(path, f"is not UTF-8 text (byte {error.start})", remedy="save it as CSV UTF-8") from error
    # strict: an open quote at the end of the file is an error, not a cell.
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(rows, [])
        _check_header(path, header)
        records = tuple(_read_row(path, rows.line_num, header, row) for row in rows if row)
    except csv.Error as error:
        raise BadFile(path, f"is not a table: {error}", row=rows.line_num) from error
    return FruitTable(columns=tuple(column for column in FRUIT_COLUMNS if column in header), records=records)


def compare(
    actual: FruitTable, expected: FruitTable, tolerances: Mapping[str, float] = DEFAULT_TOLERANCES
) -> list[Difference]:
    """Every difference between two tables, by lane and cup, then in the order of the columns.

    tolerances: the greatest difference of each column that still counts as equal; a column that is not named
    must be equal (`EXACT`: all of them). A measured value against an empty one always differs. Columns that
    `expected` does not have are not compared: `columns_not_compared` names them. Numbers within `reasons` may differ
    by the tolerance of the quantity named before them. An empty gate_outcome on either side is no
    difference: a replay has no gates.
    """
    rows, wanted = _by_fruit(actual), _by_fruit(expected)
    columns = [column for column in FRUIT_COLUMNS if column in expected.columns and column not in ("lane", "cup")]
    differences = []
    # A loop over fruit: texts and gaps, not arrays; once a check.
    for lane, cup in sorted(rows.keys() | wanted.keys()):
        here, there = rows.get((lane, cup), []), wanted.get((lane, cup), [])
        if len(here) != 1 or len(there) != 1:
            # Doubled alike on both sides is reported too: no table may hold a fruit twice.
            differences.append(Difference(lane, cup, "", _rows_said(len(here)), _rows_said(len(there))))
            continue
        differences += [
            Difference(lane, cup, column, _cell(here[0], column), _cell(there[0], column), tolerances.get(column))
            for column in columns
            if not _alike(here[0], there[0], column, tolerances)
        ]
    return differences


def columns_not_compared(expected: FruitTable) -> tuple[str, ...]:
    """The columns of fruit.csv that a comparison skips, because `expected` does not have them."""
    return tuple(column for column in FRUIT_COLUMNS if column not in expected.columns)


def format_differences(
    differences: Sequence[Difference], *, not_compared: Sequence[str] = (), most_fruit: int = 20
) -> str:
    """What differs, for people: a line per difference of the first fruit, then how many more there are."""
    fruit = sorted({(found.lane, found.cup) for found in differences})
    shown = set(fruit[:most_fruit])
    lines = [f"{len(fruit)} fruit differ:" if fruit else "no fruit differs"]
    lines += [_said(found) for found in differences if (found.lane, found.cup) in shown]
    if len(fruit) > most_fruit:
        lines.append(f"  ... and {len(fruit) - most_fruit} more fruit")
    if not_compared:
        lines.append(f"not compared, because the expected table has no such column: {', '.join(not_compared)}")
    return "\n".join(lines)


def _cell(record: FruitRecord, column: str) -> str:
    if column in QUANTITIES:
        value = record.values.get(column)
        return "" if value is None else f"{value:.{QUANTITIES[column].decimals}f}"
    if column == "reasons":
        return REASON_JOINT.join(record.reasons)
    if column == "flags":
        return flag_names(record.flags)
    return str(getattr(record, column))


def _quoted(cell: str) -> str:
    # csv.writer leaves a lone carriage return bare, which every reader takes for the end of the row.
    return '"' + cell.replace('"', '""') + '"' if _NEEDS_QUOTES.search(cell) else cell


def _check_header(path: Path, header: Sequence[str]) -> None:
    missing = [column for column in ("lane", "cup") if column not in header]
    if missing:
        raise BadFile(path, f"has no column {' and '.join(missing)}", row=1, remedy="the first row names the columns")
    doubled = sorted(name for name, times in Counter(header).items() if times > 1 and name in FRUIT_COLUMNS)
    if doubled:
        raise BadFile(path, f"names a column twice: {', '.join(doubled)}", row=1)


def _read_row(path: Path, row: int, header: Sequence[str], cells: Sequence[str]) -> FruitRecord:
    if len(cells) != len(header):
        raise BadFile(path, f"has {len(cells)} cells, the header has {len(header)}", row=row)
    named = dict(zip(header, cells, strict=True))
    reasons = named.get("reasons", "")
    return FruitRecord(
        lane=_whole(path, row, "lane", named["lane"], least=0),
        cup=_whole(path, row, "cup", named["cup"], least=None),
        lot=named.get("lot", ""),
        values={name: _value(path, row, name, named.get(name, "")) for name in QUANTITIES},
        grade=named.get("grade", ""),
        size=named.get("size", ""),
        outlet=_whole(path, row, "outlet", named.get("outlet", "0"), least=0),
        reasons=tuple(reasons.split(REASON_JOINT)) if reasons else (),
        flags=_flags(path, row, named.get("flags", "")),
        gate_outcome=named.get("gate_outcome", ""),
    )


def _whole(path: Path, row: int, column: str, cell: str, *, least: int | None) -> int:
    if not _INTEGER.fullmatch(cell) or (least is not None and int(cell) < least):
        raise BadFile(path, f"{column} is {_shortened(cell)}, not a whole number", row=row)
    return int(cell)


def _value(path: Path, row: int, column: str, cell: str) -> float | None:
    if not cell:
        return None
    value = float(cell) if _DECIMAL.fullmatch(cell) else math.nan
    if not math.isfinite(value):
        raise BadFile(
            path, f"{column} is {_shortened(cell)}, not a number", row=row, remedy="leave empty what was not measured"
        )
    return value


def _flags(path: Path, row: int, cell: str) -> int:
    names = cell.split("+") if cell else []
    unknown = [name for name in names if name not in _FLAG_OF_NAME]
    if unknown:
        raise BadFile(path, f"flags has the unknown {_shortened(unknown[0])}", row=row)
    return sum(_FLAG_OF_NAME[name] for name in set(names))


def _shortened(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else cell[:40] + "...")


def _by_fruit(table: FruitTable) -> dict[tuple[int, int], list[FruitRecord]]:
    found = defaultdict(list)
    for record in table.records:
        found[record.lane, record.cup].append(record)
    return dict(found)


def _alike(here: FruitRecord, there: FruitRecord, column: str, tolerances: Mapping[str, float]) -> bool:
    if column in QUANTITIES:
        return _near(here.values.get(column), there.values.get(column), tolerances.get(column, 0.0))
    actual, expected = _cell(here, column), _cell(there, column)
    if column == "reasons":
        return _reasons_alike(actual, expected, tolerances)
    return actual == expected or (column == "gate_outcome" and not (actual and expected))


def _near(actual: float | None, expected: float | None, tolerance: float) -> bool:
    if actual is None or expected is None:
        return actual is expected
    if actual == expected:  # in a reason even a number too long for a double
        return True
    return abs(actual - expected) <= tolerance + _FLOAT_NOISE * max(1.0, abs(expected))


def _reasons_alike(actual: str, expected: str, tolerances: Mapping[str, float]) -> bool:
    if _NUMBER_IN_TEXT.sub("#", actual) != _NUMBER_IN_TEXT.sub("#", expected):
        return False
    # The words agree, so the numbers stand in the same places and have the same tolerances.
    return all(
        _near(one, other, tolerance)
        for (one, tolerance), (other, _) in zip(
            _numbers_in(actual, tolerances), _numbers_in(expected, tolerances), strict=True
        )
    )


def _numbers_in(reasons: str, tolerances: Mapping[str, float]) -> list[tuple[float, float]]:
    """Every number with the tolerance of the quantity named before it in the same reason, 0 where there is none."""
    found, tolerance = [], 0.0
    for token in _QUANTITY_OR_NUMBER.findall(reasons):
        if token == REASON_JOINT:
            tolerance = 0.0
        elif token in QUANTITIES:
            tolerance = tolerances.get(token, 0.0)
        else:
            found.append((float(token), tolerance))
    return found


def _rows_said(rows: int) -> str:
    return "missing" if rows == 0 else "one row" if rows == 1 else f"{rows} rows"


def _said(found: Difference) -> str:
    place = f"  lane {found.lane} cup {found.cup}"
    if not found.column:
        return f"{place}: {found.actual}, expected {found.expected}"
    allowed = "" if found.tolerance is None else f" (may differ by {found.tolerance:g})"
    return f"{place}: {found.column} is {found.actual or 'empty'}, expected {found.expected or 'empty'}{allowed}"
