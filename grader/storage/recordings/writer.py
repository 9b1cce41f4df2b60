"""Writing a recording: records become rows of text, and a sink of either form puts rows and pictures away."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from grader.domain.decisions import GateOutcome
from grader.domain.frames import Frame, Scan, Weighing
from grader.domain.installation import Installation
from grader.errors import BadRecording
from grader.storage.recordings import rows
from grader.storage.recordings.findings import Findings
from grader.storage.recordings.manifest import manifest_text, read_manifest
from grader.storage.recordings.pictures import PictureFiles
from grader.units import HostNs, Pulse


class Writer(Protocol):
    """Takes what the devices say, in order. Raises BadRecording when the disk does not take it."""

    def write_frame(self, frame: Frame, *, kind: str = "fruit", exposure_us: float | None = None) -> None:
        """A picture. Without pixels its row alone is written, and reads back as a frame that is missing."""
        ...

    def write_weighing(self, weighing: Weighing) -> None: ...

    def write_scan(self, scan: Scan) -> None: ...

    def write_index_mark(self, t_ns: HostNs, pulse: Pulse) -> None: ...

    def write_outcome(self, outcome: GateOutcome) -> None: ...

    def write_truth(self, truth: Iterable[Mapping[str, Any]]) -> None:
        """All rows of truth.csv at once: lane, cup and whatever is known; None and NaN are left empty."""
        ...

    def close(self) -> None:
        """Put everything on the disk. Idempotent."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Sink(ABC):
    """Where rows and pictures go. Conversion writes to it directly, so that cells are carried as they are."""

    @abstractmethod
    def put_header(self, table: str, columns: Sequence[str]) -> None:
        """The columns of a table that may have no rows. Not needed before the first row of one that has."""

    @abstractmethod
    def put_row(self, table: str, columns: Sequence[str], cells: Sequence[str]) -> None:
        """One row of a table other than frames; the columns of a table are those of its first row."""

    @abstractmethod
    def put_frame(
        self, columns: Sequence[str], cells: Sequence[str], pixels: NDArray[np.uint8] | None, files: PictureFiles
    ) -> None:
        """One row of frames with its pixels, or its files as they are, or nothing."""

    @abstractmethod
    def close(self, *, whole: bool) -> None:
        """whole: everything that was to be written has been. Idempotent."""


class RecordWriter:
    """`Writer` on a sink."""

    def __init__(self, sink: Sink, installation: Installation) -> None:
        self._sink = sink
        self._installation = installation
        self._scan_columns = rows.scan_columns(installation)

    def write_frame(self, frame: Frame, *, kind: str = "fruit", exposure_us: float | None = None) -> None:
        """See `Writer`."""
        place = self._installation.cameras.get(frame.camera)
        if place is None:
            raise ValueError(f"the recording has no camera {frame.camera!r}")
        if kind not in rows.PICTURE_KINDS:
            raise ValueError(f"no kind of picture: {kind!r}")
        pixels = frame.pixels
        if pixels is not None and (pixels.dtype != np.uint8 or pixels.shape[2:] != (len(place.bands),)):
            raise ValueError(f"pixels are {pixels.dtype} {pixels.shape}, the camera's bands {', '.join(place.bands)}")
        cells = [frame.camera, str(frame.sequence), str(frame.pulse), str(frame.t_ns), "", kind]
        self._sink.put_frame(rows.FRAME_COLUMNS, [*cells, rows.float_cell(exposure_us)], pixels, {})

    def write_weighing(self, weighing: Weighing) -> None:
        """See `Writer`."""
        numbers = (weighing.lane, weighing.pulse, weighing.t_ns)
        cells = [*map(str, numbers), rows.float_cell(weighing.mass_g)]
        self._sink.put_row("weights", rows.WEIGHT_COLUMNS, cells)

    def write_scan(self, scan: Scan) -> None:
        """See `Writer`."""
        self._sink.put_row("spectra", self._scan_columns, rows.scan_cells(scan, self._installation))

    def write_index_mark(self, t_ns: HostNs, pulse: Pulse) -> None:
        """See `Writer`."""
        self._sink.put_row("index", rows.INDEX_COLUMNS, [str(t_ns), str(pulse)])

    def write_outcome(self, outcome: GateOutcome) -> None:
        """See `Writer`."""
        self._sink.put_row("outcomes", rows.OUTCOME_COLUMNS, rows.outcome_cells(outcome))

    def write_truth(self, truth: Iterable[Mapping[str, Any]]) -> None:
        """See `Writer`."""
        known = list(truth)
        columns = list(dict.fromkeys(["lane", "cup", *(name for row in known for name in row)]))
        for row in known:
            self._sink.put_row("truth", columns, [_truth_cell(row.get(name)) for name in columns])

    def close(self) -> None:
        """See `Writer`."""
        self._sink.close(whole=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sink.close(whole=error is None)


def checked_manifest_text(path: Path, installation: Installation, extra: Mapping[str, Any] | None) -> str:
    """recording.toml for a new recording. Raises BadRecording for devices that could not be read back."""
    text = manifest_text(installation, extra)
    read_manifest(text, path, Findings())
    return text


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """What the disk refuses, as an error of the recording."""
    try:
        yield
    except OSError as error:
        raise BadRecording(
            path, f"cannot be written: {error.strerror or error}", remedy="check the disk's room and rights"
        ) from error


def _truth_cell(value: Any) -> str:
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return ""
    return repr(float(value)) if isinstance(value, float | np.floating) else str(value)
