"""The tables of a recording as rows of text, wherever they lie. What the rows mean is in `rows`."""

from __future__ import annotations

import csv
import os
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from grader.errors import BadRecording
from grader.storage.recordings.findings import Findings
from grader.storage.spreadsheets import SAVE_AGAIN, START_BYTES, foreign_form

TABLES = ("frames", "spectra", "weights", "index", "outcomes", "truth")
"""Every table of the format; on disk each is NAME.csv."""


class Table(Protocol):
    """Rows of text cells under named columns, in the order of the file."""

    @property
    def file(self) -> Path:
        """What a message names."""
        ...

    @property
    def columns(self) -> tuple[str, ...]: ...

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Row number (as a text editor counts, the header being 1) and cells. Raises BadRecording."""
        ...


class CsvTable:
    """A CSV file with a header. Bytes that are not UTF-8 become U+FFFD: neither number nor name, thus error or flag."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.columns: tuple[str, ...] = ()
        self._left_out: int | None = None
        _require_known_form(file)
        header = next(self._lines(), None)
        if header is None:
            needed = file.stem == "frames"
            raise BadRecording(
                file, "is empty", remedy="write its header" if needed else "write a header, or leave the file out"
            )
        self.columns = tuple(cell.strip() for cell in header[1])
        if "" in self.columns:
            place = self.columns.index("") + 1
            raise BadRecording(file, f"column {place} has no name", row=1, remedy="name every column")
        if twice := next((name for name, times in Counter(self.columns).items() if times > 1), ""):
            raise BadRecording(file, f"column {twice[:60]!r} is there twice", row=1, remedy="rename or remove one")

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        lines = self._lines()
        next(lines, None)
        yield from (line for line in lines if line[0] != self._left_out)

    def spare_cut_row(self, findings: Findings) -> None:
        """Warn of a last row without its line end, and leave it out when it lacks cells: as a killed writer leaves."""
        if _ends_with_a_line(self.file):
            return
        last, found = 1, len(self.columns)
        for row, cells in self.rows():
            last, found = row, len(cells)
        if found < len(self.columns):
            self._left_out = last
            findings.warn(self.file, f"is cut short after {found} of {len(self.columns)} cells: left out", row=last)
        else:
            findings.warn(self.file, "has no line end: it may be cut short", row=last)

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """Every row that is not blank."""
        require_regular_file(self.file)
        # utf-8-sig: spreadsheets write a byte order mark.
        with self.file.open(encoding="utf-8-sig", errors="replace", newline="") as text:
            reader = csv.reader(text, strict=True)
            row = 1
            try:
                for cells in reader:
                    if cells:
                        yield row, cells
                    row = reader.line_num + 1
            except csv.Error as error:
                raise BadRecording(
                    self.file, f"is not CSV: {error}", row=row, remedy="check quotes and commas"
                ) from error
            except OSError as error:
                raise BadRecording(self.file, f"cannot be read: {error.strerror}", row=row) from error


def _require_known_form(file: Path) -> None:
    require_regular_file(file)
    with file.open("rb") as content:
        if foreign := foreign_form(content.read(START_BYTES)):
            raise BadRecording(file, foreign, remedy=SAVE_AGAIN)


def _ends_with_a_line(file: Path) -> bool:
    with file.open("rb") as content:
        content.seek(-1, os.SEEK_END)
        return content.read(1) in b"\r\n"


def require_regular_file(file: Path) -> None:
    """A pipe or a device in the place of a file would make the reader wait for ever."""
    try:
        mode = file.stat().st_mode
    except (OSError, ValueError) as error:
        raise BadRecording(file, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(mode):
        raise BadRecording(file, "is not a file", remedy="put the recording's own file in its place")
