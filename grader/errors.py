"""Every error the project raises on purpose.

    GraderError
    ├── BadFile              a file that people wrote or recorded is not what it must be
    │   ├── BadRecording         recording.toml, its tables, its pictures, a packed recording
    │   ├── BadSettings          a station file or a grade sheet
    │   └── BadArtefact          a calibration or model file
    ├── DeviceError          hardware did not do what was asked
    │   ├── BoardLost            the gate board is silent or its port is gone
    │   └── CameraLost           no frames while the belt moves
    └── JournalError         the journal cannot be written or read
        └── JournalStalled       not now: the disk is full or slow, somebody holds the file; another try may do

Expected trouble in a frame is a flag on the fruit (`grader.domain.flags`), never an exception.
"""

from __future__ import annotations

from pathlib import Path


class GraderError(Exception):
    """What went wrong and what the reader can do about it, in words for an operator."""


class BadFile(GraderError):
    """A file is not what it must be.

    file: which one; row: 1-based line in it, when known; problem: what is wrong; remedy: what to do.
    """

    def __init__(self, file: Path | str, problem: str, *, row: int | None = None, remedy: str = "") -> None:
        self.file, self.problem, self.row, self.remedy = Path(file), problem, row, remedy
        place = f"{file}:{row}" if row is not None else str(file)
        super().__init__(f"{place}: {problem}" + (f" ({remedy})" if remedy else ""))


class BadRecording(BadFile):
    """A recording cannot be read or is broken beyond flags."""


class BadSettings(BadFile):
    """A station file or grade sheet has an unknown, missing or impossible entry."""


class BadArtefact(BadFile):
    """A calibration or model file is missing, damaged or of another version."""


class DeviceError(GraderError):
    """Hardware did not do what was asked."""


class BoardLost(DeviceError):
    """The gate board is silent, or its port is gone."""


class CameraLost(DeviceError):
    """No frame arrives while the belt moves."""


class JournalError(GraderError):
    """The journal cannot be written or read."""


class JournalStalled(JournalError):
    """The disk is full or slow, or somebody holds the journal: nothing was written, and another try may do."""
