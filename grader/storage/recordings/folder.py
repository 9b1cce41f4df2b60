"""The open form: a folder of recording.toml, CSV tables and ordinary pictures."""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import compress, count
from operator import not_
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from grader.domain.installation import CameraPlace, Installation
from grader.errors import BadRecording
from grader.storage.recordings import pictures
from grader.storage.recordings.findings import Findings
from grader.storage.recordings.manifest import extra_bands, read_manifest
from grader.storage.recordings.pictures import MAIN, PictureFiles
from grader.storage.recordings.recording import Stored, StoredRecording
from grader.storage.recordings.rows import FRAME_COLUMNS, FrameRow
from grader.storage.recordings.slots import Slot, done_ahead
from grader.storage.recordings.tables import TABLES, CsvTable, Table, require_regular_file
from grader.storage.recordings.writer import RecordWriter, Sink, checked_manifest_text, disk_errors

MANIFEST = "recording.toml"
_MOST_MANIFEST_BYTES = 16 << 20


class FolderRecording(StoredRecording):
    """A recording in the open form. See `Recording`."""

    def __init__(self, path: Path, findings: Findings) -> None:
        manifest = read_manifest(_manifest_text(path / MANIFEST), path / MANIFEST, findings)
        if manifest is None:
            raise BadRecording(path / MANIFEST, "cannot be used")
        tables: dict[str, Table] = {}
        for name in TABLES:
            file = path / f"{name}.csv"
            # Only those who judge open truth.csv.
            if name != "truth" and (name == "frames" or os.path.lexists(file)):
                tables[name] = table = CsvTable(file)
                table.spare_cut_row(findings)
        super().__init__(path, manifest, tables, findings)
        self._root = os.path.realpath(path)
        self._real_folder = lru_cache(os.path.realpath)
        inside = [self._is_inside(row) for row in self.frame_rows]
        for row in compress(self.frame_rows, map(not_, inside)):
            findings.error(
                tables["frames"].file,
                f"{row.file[:80]!r} is no file inside the recording",
                row=row.row,
                remedy="put the picture into the folder and name it from there",
            )
        self.frame_rows = list(compress(self.frame_rows, inside))

    def stored_frames(self, slots: int = 4) -> Iterator[Stored]:
        """See `StoredRecording`."""
        cells = (cells for _, cells in self.tables["frames"].rows())
        return done_ahead(zip(self.frame_rows, cells, strict=True), self._stored, slots)

    def _stored(self, job: tuple[FrameRow, list[str]], slot: Slot) -> Stored:
        row, cells = job
        place = self.installation.cameras[row.camera]
        files, damage = self._files(row, place, slot)
        if pictures.is_plain(files, place.bands):
            pixels = pictures.decoded(files, place, slot.pixels)
            if not isinstance(pixels, str):
                return Stored(cells, pixels, {})
        return Stored(cells, None, files, damage)

    def _pixels(self, row: FrameRow, place: CameraPlace, slot: Slot) -> NDArray[np.uint8] | str:
        files, damage = self._files(row, place, slot)
        return damage if MAIN not in files else pictures.decoded(files, place, slot.pixels)

    def _files(self, row: FrameRow, place: CameraPlace, slot: Slot) -> tuple[PictureFiles, str]:
        """The bytes of the row's files that can be read, the picture's own in the slot, and why the first is not."""
        found: dict[str, NDArray[np.uint8]] = {}
        damage = "" if row.file else "missing"
        bands = (MAIN, *extra_bands(place.bands)) if row.file else ()
        for band in bands:
            file = self.path / band_file(row.file, band)
            data = _file_bytes(file, pictures.file_limit(place), slot if band == MAIN else None)
            if not isinstance(data, str):
                found[band] = data
            else:
                damage = damage or data
        return found, damage

    def _is_inside(self, row: FrameRow) -> bool:
        """Pictures lie inside the folder, links followed: a recording must not show what is not its own."""
        if not row.file:
            return True
        if leaves_folder(row.file):
            return False
        bands = (MAIN, *extra_bands(self.installation.cameras[row.camera].bands))
        files = [self.path / band_file(row.file, band) for band in bands]
        return all(os.path.commonpath([self._root, self._real(file)]) == self._root for file in files)

    def _real(self, file: Path) -> str:
        """Links followed: those of the folder once, for thousands of pictures lie in it."""
        if os.path.islink(file):  # noqa: PTH114  the other one raises for a name that is too long
            return os.path.realpath(file)
        return f"{self._real_folder(file.parent)}{os.sep}{file.name}"


class FolderSink(Sink):
    """Writes the open form. A picture is on the disk before the row that names it."""

    def __init__(self, path: Path, manifest: str, cameras: Mapping[str, CameraPlace]) -> None:
        self.path = path
        self._cameras = cameras
        self._tables: dict[str, TextIO] = {}
        self._written: set[str] = set()
        self._frames = 0
        with disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise BadRecording(path, "is there already, and not empty", remedy="name a new folder")
            (path / MANIFEST).write_text(manifest, encoding="utf-8", newline="")

    def put_header(self, table: str, columns: Sequence[str]) -> None:
        """See `Sink`."""
        with disk_errors(self.path / f"{table}.csv"):
            # Line by line: a crash leaves whole rows.
            text = (self.path / f"{table}.csv").open("w", encoding="utf-8", newline="", buffering=1)
            self._tables[table] = text
            csv.writer(text, lineterminator="\n").writerow(columns)

    def put_row(self, table: str, columns: Sequence[str], cells: Sequence[str]) -> None:
        """See `Sink`."""
        if table not in self._tables:
            self.put_header(table, columns)
        with disk_errors(self.path / f"{table}.csv"):
            csv.writer(self._tables[table], lineterminator="\n").writerow(cells)

    def put_frame(
        self, columns: Sequence[str], cells: Sequence[str], pixels: NDArray[np.uint8] | None, files: PictureFiles
    ) -> None:
        """See `Sink`. A frame that names no file gets one."""
        named = list(cells)
        at = list(columns).index("file")
        if pixels is not None:
            files = pictures.encoded(pixels, self._cameras[cells[list(columns).index("camera")]].bands)
        if files:
            named[at] = self._free_name(named[at], files)
            with disk_errors(self.path / named[at]):
                for band, data in files.items():
                    file = self.path / band_file(named[at], band)
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(data.data)
                    self._written.add(band_file(named[at], band))
        self._frames += 1
        self.put_row("frames", columns, named)

    def close(self, *, whole: bool) -> None:
        """See `Sink`. A recording without a frame still has its table of frames."""
        if "frames" not in self._tables:
            self.put_header("frames", FRAME_COLUMNS)
        for text in self._tables.values():
            with disk_errors(self.path):
                text.close()

    def _free_name(self, wanted: str, files: PictureFiles) -> str:
        """The wanted name, unless it is none, is a table's, or holds another picture already."""
        if wanted and not leaves_folder(wanted) and not wanted.endswith((".csv", ".toml")):
            taken = [band for band in files if band_file(wanted, band) in self._written]
            if all((self.path / band_file(wanted, band)).read_bytes() == files[band].tobytes() for band in taken):
                return wanted
        names = (f"frames/{number:06d}.png" for number in count(self._frames))
        return next(name for name in names if not any(band_file(name, band) in self._written for band in files))


class RecordingWriter(RecordWriter):
    """Writes a recording in the open form. path: a folder that is not there yet, or empty. See `Writer`."""

    def __init__(self, path: Path, installation: Installation, *, extra: Mapping[str, Any] | None = None) -> None:
        manifest = checked_manifest_text(path, installation, extra)
        super().__init__(FolderSink(path, manifest, installation.cameras), installation)


def picture_files(recording: StoredRecording) -> dict[str, int]:
    """The files that its rows stand for, extra bands included, and of how many bytes each is read at most."""
    limits: dict[str, int] = {}
    for row in recording.frame_rows:
        place = recording.installation.cameras[row.camera]
        for band in (MAIN, *extra_bands(place.bands)) if row.file else ():
            name = band_file(row.file, band)
            limits[name] = max(pictures.file_limit(place), limits.get(name, 0))
    return limits


def strangers(recording: StoredRecording) -> list[Path]:
    """Files in a recording's folder that are no part of it; of the packed form there are none."""
    if not recording.path.is_dir():
        return []
    known = {MANIFEST, *(f"{name}.csv" for name in TABLES), *picture_files(recording)}
    files = sorted(file for file in recording.path.rglob("*") if not file.is_dir())
    return [file for file in files if file.relative_to(recording.path).as_posix() not in known]


def band_file(file: str, band: str) -> str:
    """The file of one band of a picture: the picture's own name, or `<stem>.<band>.png` beside it."""
    return file if band == MAIN else str(PurePosixPath(file).with_suffix(f".{band}.png"))


def leaves_folder(file: str) -> bool:
    """Whether a name cannot be that of a file inside a folder. Links are looked at where they lie."""
    path = PurePosixPath(file)
    return "\0" in file or "\\" in file or path.is_absolute() or ".." in path.parts or not path.name


def _manifest_text(file: Path) -> str:
    require_regular_file(file)
    try:
        if file.stat().st_size > _MOST_MANIFEST_BYTES:
            raise BadRecording(file, "is too large to be a description of devices", remedy="is it the right file?")
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = error.object[: error.start].count(b"\n") + 1
        raise BadRecording(file, "is not UTF-8 text", row=row, remedy="save it as UTF-8") from error
    except OSError as error:
        raise BadRecording(file, f"cannot be read: {error.strerror}") from error


def _file_bytes(file: Path, limit: int, slot: Slot | None) -> NDArray[np.uint8] | str:
    """A picture file's bytes, in the slot if one is given, or words of damage."""
    try:
        # Without O_NONBLOCK, opening a pipe that someone put there would wait for ever.
        data = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return "missing"
    except (OSError, ValueError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or error}"
    try:
        status = os.fstat(data)
        if not stat.S_ISREG(status.st_mode):
            return "not a file"
        if status.st_size > limit:
            return "too large for its camera"
        room = np.empty(status.st_size, np.uint8) if slot is None else slot.bytes(status.st_size)
        return room[: os.readv(data, [room.data]) if room.size else 0]
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    finally:
        os.close(data)
