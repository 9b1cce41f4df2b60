"""A settings file as it was typed: its document, and where each entry of it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from grader.domain.faults import Fault
from grader.errors import BadSettings
from grader.storage.toml_lines import document_of, line_of, lines_by_path

MOST_BYTES = 150_000
"""Of a settings file; a sheet is a few kilobytes."""


class Problem(NamedTuple):
    """Something wrong in a file. line: 1-based; None: the file as a whole. warning: it can be used all the same."""

    file: Path
    line: int | None
    text: str
    remedy: str
    warning: bool = False

    def __str__(self) -> str:
        kind = "warning: " if self.warning else ""
        place = f"{self.file}:{self.line}" if self.line else str(self.file)
        return f"{place}: {kind}{self.text} ({self.remedy})"


class TomlFile(NamedTuple):
    """A file that could be read. lines: of every entry, by its path."""

    path: Path
    document: dict[str, Any]
    lines: dict[tuple[str | int, ...], int]

    def problems(self, faults: Iterable[Fault]) -> list[Problem]:
        """Faults of the document as problems of the file."""
        return [
            Problem(self.path, line_of(fault.path, self.lines), fault.text, fault.remedy, fault.warning)
            for fault in faults
        ]


def read_toml(path: Path) -> TomlFile:
    """Read a TOML file. Raises BadSettings, with the line where it stops making sense."""
    try:
        if path.exists() and not path.is_file():  # a pipe would keep the reader waiting for ever
            raise BadSettings(path, "is not a file", remedy="check the path")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte in it
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a file"
        raise BadSettings(path, f"cannot be read: {reason}", remedy="check the path") from error
    if len(content) > MOST_BYTES:
        raise BadSettings(path, "is too large for a settings file", remedy=f"keep it under {MOST_BYTES // 1000} kB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadSettings(path, "is not UTF-8 text", row=line, remedy="save it as UTF-8") from error
    try:
        # A lone \r is an error to tomllib; lines end in \n or \r\n.
        return TomlFile(path, document_of(text), lines_by_path(text))
    except RecursionError as error:
        raise BadSettings(path, "is nested too deeply", remedy="remove the nested brackets") from error
    except ValueError as error:  # TOMLDecodeError is one, and so is a number of thousands of digits
        what = str(error)
        place = re.search(r" \(at line (\d+), column \d+\)| \(at end of document\)", what)
        last = len(text.splitlines())
        row = None if place is None else int(place[1] or last)
        problem = what[: place.start()] if place else "a number is too long"
        raise BadSettings(path, problem, row=row, remedy="correct the TOML there") from error


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Problems of one file from top to bottom."""
    return sorted(problems, key=lambda problem: problem.line or 0)


def problem_of(error: BadSettings) -> Problem:
    """A file that could not be read at all, as its only problem."""
    return Problem(error.file, error.row, error.problem, error.remedy)


def first_error(problems: Iterable[Problem]) -> BadSettings | None:
    """The first problem that is no warning, to be raised."""
    for problem in problems:
        if not problem.warning:
            return BadSettings(problem.file, problem.text, row=problem.line, remedy=problem.remedy)
    return None
