"""What a reader finds wrong: every problem by file and row, and whether the first error ends the reading."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from grader.errors import BadRecording


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong with a recording. row: 1-based line of the file, None: the file as a whole."""

    file: Path
    row: int | None
    severity: Literal["error", "warning"]
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.row}" if self.row is not None else str(self.file)
        return f"{place}: {self.text}" + (f" ({self.remedy})" if self.remedy else "")


class Findings:
    """Where the parts of the reader report to.

    To open a recording the first error raises BadRecording; to check one (`strict=False`) errors are kept and reading
    goes on behind them. Warnings are kept either way.
    """

    def __init__(self, *, strict: bool = True) -> None:
        self.strict = strict
        self.problems: list[Problem] = []

    def error(self, file: Path, text: str, *, row: int | None = None, remedy: str = "") -> None:
        """The recording cannot be used as it is. Raises BadRecording when strict."""
        if self.strict:
            raise BadRecording(file, text, row=row, remedy=remedy)
        self.problems.append(Problem(file=file, row=row, severity="error", text=text, remedy=remedy))

    def warn(self, file: Path, text: str, *, row: int | None = None, remedy: str = "") -> None:
        """Something was left out or not understood, and the rest can be used."""
        self.problems.append(Problem(file=file, row=row, severity="warning", text=text, remedy=remedy))

    def note(self, file: Path, text: str, *, row: int | None = None) -> None:
        """Something that becomes a flag on a fruit: only a check wants to hear of it."""
        if not self.strict:
            self.warn(file, text, row=row)

    def caught(self, error: BadRecording) -> None:
        """Keep an error that ended the reading of one part."""
        self.error(error.file, error.problem, row=error.row, remedy=error.remedy)

    @property
    def failed(self) -> bool:
        """Whether any error was kept."""
        return any(problem.severity == "error" for problem in self.problems)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The kept warnings in words."""
        return tuple(str(problem) for problem in self.problems if problem.severity == "warning")
