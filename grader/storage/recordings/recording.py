"""What a recording offers, whichever form it lies in, and what both forms share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from grader.domain.decisions import GateOutcome
from grader.domain.frames import Frame, Scan, Weighing
from grader.domain.installation import CameraPlace, Installation, usual_camera
from grader.storage.recordings import rows
from grader.storage.recordings.findings import Findings
from grader.storage.recordings.manifest import Extra, Manifest
from grader.storage.recordings.order import in_belt_order
from grader.storage.recordings.pictures import PictureFiles
from grader.storage.recordings.rows import FrameRow, IndexMark
from grader.storage.recordings.slots import Slot, done_ahead
from grader.storage.recordings.tables import Table
from grader.units import Pulse

Row = TypeVar("Row")

_LOSSY = (".jpg", ".jpeg")


class Recording(Protocol):
    """What the devices said, in order. Everything but the pictures was read and checked when it was opened."""

    @property
    def path(self) -> Path: ...

    @property
    def installation(self) -> Installation: ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was left out or not understood, each with its file and row."""
        ...

    @property
    def extra(self) -> Extra:
        """Unknown keys of recording.toml. Unknown columns stand in `FrameRow.extra` and survive conversion too."""
        ...

    @property
    def n_frames(self) -> int:
        """Pictures of fruit."""
        ...

    @property
    def frame_rows(self) -> Sequence[FrameRow]:
        """All rows of frames.csv, of every kind, in file order."""
        ...

    @property
    def cameras(self) -> Sequence[str]:
        """Those that took pictures of fruit, as they are described; all of them where there is no picture."""
        ...

    @property
    def graded_by(self) -> str:
        """Of these, the camera that fruit are graded by."""
        ...

    @property
    def weighings(self) -> Sequence[Weighing]: ...

    @property
    def scans(self) -> Sequence[Scan]: ...

    @property
    def index_marks(self) -> Sequence[IndexMark]: ...

    @property
    def outcomes(self) -> Sequence[GateOutcome]: ...

    def frames(self, slots: int = 4) -> Iterator[Frame]:
        """Pictures of fruit in the order of their pulses, as the belt brought them, decoded ahead by background threads
        into `slots` preallocated slots. One whose row stood out of order has `damage` "out of order", and its pixels.

        A frame's pixels are valid until the next frame is asked for. A picture that is missing, cut short, no picture
        or of the wrong size comes with pixels None and `damage` in short words. The threads end with the iteration,
        also when it is dropped early.
        """
        ...

    def pictures(self, kind: str, slots: int = 4) -> Iterator[Frame]:
        """As `frames`, of any kind (dark, flat, chart, checkerboard), in file order. Pulse 0 where one has no place."""
        ...


class Stored(NamedTuple):
    """One frame as a conversion carries it: its pixels, or files that hold more or other than sound pixels, or nothing.

    damage: what was lost already. Pixels and files may lie in a slot: valid until the next frame.
    """

    cells: list[str]
    pixels: NDArray[np.uint8] | None
    files: PictureFiles
    damage: str = ""


class StoredRecording(ABC):
    """A recording on disk. A subclass says where its tables and pictures lie.

    cut: its end is missing, as far as its form can tell.
    """

    cut = False

    def __init__(self, path: Path, manifest: Manifest, tables: Mapping[str, Table], findings: Findings) -> None:
        self.path = path
        self.manifest = manifest
        self.tables = tables
        self._findings = findings
        place = manifest.installation
        self.frame_rows: Sequence[FrameRow] = rows.frame_rows(tables["frames"], place, findings)
        named = Counter((row.camera, row.file) for row in self.frame_rows if row.kind == "fruit" and row.file)
        self._named_twice = {picture for picture, rows in named.items() if rows > 1}
        if not self.frame_rows and not findings.failed:
            findings.warn(tables["frames"].file, "there is no picture")
        if lossy := sum(row.file.lower().endswith(_LOSSY) for row in self.frame_rows):
            findings.warn(
                tables["frames"].file,
                f"{lossy} of {len(self.frame_rows)} pictures are JPEG: lossy, and damage in them may go unnoticed",
                remedy="record PNG, which has checksums",
            )
        self.weighings: Sequence[Weighing] = self._read("weights", rows.weighings)
        self.scans: Sequence[Scan] = self._read("spectra", rows.scans)
        self.outcomes: Sequence[GateOutcome] = self._read("outcomes", rows.outcomes)
        self.index_marks: Sequence[IndexMark] = rows.index_marks(tables["index"], findings) if "index" in tables else []

    def _read(self, name: str, read: Callable[[Table, Installation, Findings], list[Row]]) -> list[Row]:
        return read(self.tables[name], self.installation, self._findings) if name in self.tables else []

    @property
    def installation(self) -> Installation:
        return self.manifest.installation

    @property
    def extra(self) -> Extra:
        return self.manifest.extra

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._findings.warnings

    @property
    def cameras(self) -> Sequence[str]:
        described = list(self.installation.cameras)
        taken = {row.camera for row in self.frame_rows if row.kind == "fruit"}
        return [name for name in described if name in taken] or described

    @property
    def graded_by(self) -> str:
        return usual_camera(self.cameras)

    @property
    def n_frames(self) -> int:
        return sum(row.kind == "fruit" for row in self.frame_rows)

    def frames(self, slots: int = 4) -> Iterator[Frame]:
        """See `Recording.frames`."""
        rows, out_of_order = in_belt_order([row for row in self.frame_rows if row.kind == "fruit"])

        def decoded(row: FrameRow, slot: Slot) -> Frame:
            frame = self.decoded(row, slot)
            return replace(frame, damage=frame.damage or "out of order") if row.row in out_of_order else frame

        return done_ahead(rows, decoded, slots)

    def pictures(self, kind: str, slots: int = 4) -> Iterator[Frame]:
        """See `Recording.pictures`."""
        return done_ahead((row for row in self.frame_rows if row.kind == kind), self.decoded, slots)

    @abstractmethod
    def stored_frames(self, slots: int = 4) -> Iterator[Stored]:
        """Every row of frames.csv with what is stored for it, in file order, for conversion."""

    @abstractmethod
    def _pixels(self, row: FrameRow, place: CameraPlace, slot: Slot) -> NDArray[np.uint8] | str:
        """The row's picture in the slot, of the camera's shape, or words of damage."""

    def decoded(self, row: FrameRow, slot: Slot) -> Frame:
        """One row's frame with its pixels in the slot. Called in background threads."""
        found: NDArray[np.uint8] | str = "named by two rows"  # one of them is wrong, and none says which
        if (row.camera, row.file) not in self._named_twice:
            found = self._pixels(row, self.installation.cameras[row.camera], slot)
        damage = found if isinstance(found, str) else ""
        return Frame(
            camera=row.camera,
            sequence=row.sequence,
            pulse=Pulse(0) if row.pulse is None else row.pulse,
            t_ns=row.t_ns,
            pixels=None if isinstance(found, str) else found,
            damage=damage,
        )


def shape_of(place: CameraPlace) -> tuple[int, int, int]:
    """(height, width, n_bands) of a camera's pixels."""
    return place.height_px, place.width_px, len(place.bands)
