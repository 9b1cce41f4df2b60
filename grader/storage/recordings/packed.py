"""The packed form: one file of chunks that is written as fast as a line runs, and read back whole up to a cut.

The description of the devices and the cells of every table are carried as text, as the open form holds them, so that
conversion loses nothing. Heads are JSON but for META, whose head is recording.toml itself. Rows wait for the
next frame, so that they lie where they were said.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from grader.domain.installation import CameraPlace, Installation
from grader.domain.plausible import MOST_BANDS, MOST_PIXELS
from grader.errors import BadRecording
from grader.storage.recordings import pictures
from grader.storage.recordings.chunks import END, FRAME, MAGIC, META, ROWS, Chunk, Gap, chunk_header, scan
from grader.storage.recordings.findings import Findings
from grader.storage.recordings.manifest import Manifest, extra_bands, read_manifest
from grader.storage.recordings.pictures import MAIN, PictureFiles
from grader.storage.recordings.pixel_codec import PixelCodec
from grader.storage.recordings.recording import Stored, StoredRecording, shape_of
from grader.storage.recordings.rows import FRAME_COLUMNS, FrameRow
from grader.storage.recordings.slots import Slot, done_ahead
from grader.storage.recordings.tables import TABLES, Table
from grader.storage.recordings.writer import RecordWriter, Sink, checked_manifest_text, disk_errors

SUFFIX = ".packed"
_ROWS_PER_CHUNK = 64
_MOST_UNPACKED = 40_000  # bytes that one byte of zstandard can become is below this


class RowsHead(msgspec.Struct, frozen=True):
    """Head of a ROWS chunk: some rows of one table. Columns are repeated: each chunk stands by itself."""

    table: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class FrameHead(msgspec.Struct, frozen=True):
    """Head of a FRAM chunk: the row of frames.csv, and what the body is.

    pixels: compressed by `PixelCodec`, of `shape`. files: one after the other, of the lengths named. none: no picture.
    """

    columns: tuple[str, ...]
    cells: tuple[str, ...]
    body: Literal["pixels", "files", "none"]
    shape: tuple[int, int, int] = (0, 0, 0)
    files: dict[str, int] = {}


class PackedRecording(StoredRecording):
    """A recording in the packed form. See `Recording`."""

    def __init__(self, path: Path, findings: Findings) -> None:
        self._frames: list[tuple[FrameHead, Chunk]] = []
        row_chunks: dict[str, list[Chunk]] = {}
        manifest: Manifest | None = None
        lost = Findings()
        chunks = list(_scanned(path, lost))
        if not chunks:
            raise BadRecording(
                path, "is no recording, or was cut at its start", remedy="name a recording's folder or .packed file"
            )
        findings.problems += lost.problems
        for chunk in chunks:
            if chunk.kind == META:
                if manifest is None:
                    manifest = read_manifest(_text(chunk.head), path / "recording.toml", findings)
                    if manifest is None:
                        raise BadRecording(path, "its description of the devices cannot be used")
            elif chunk.kind == FRAME:
                self._keep_frame(path, chunk, findings)
            elif chunk.kind == ROWS:
                head = _decoded(chunk, RowsHead)
                if head is None or head.table not in TABLES or (head.table == "frames" and head.rows):
                    findings.warn(path, f"rows at byte {chunk.offset} cannot be read: left out")
                else:
                    row_chunks.setdefault(head.table, []).append(chunk)
            elif chunk.kind != END:
                findings.warn(path, f"chunk of an unknown kind at byte {chunk.offset}: left out")
        if manifest is None:
            raise BadRecording(path, "the description of the devices is lost", remedy="use another copy of the file")
        self.cut = chunks[-1].kind != END
        if self.cut:
            findings.warn(path, "has no end: it was cut short, or is being written still")
        tables: dict[str, Table] = {name: PackedTable(path, name, chunks) for name, chunks in row_chunks.items()}
        tables.pop("truth", None)  # only those who judge read it
        if self._frames or "frames" not in tables:  # without frames, a header of the table may be there
            tables["frames"] = _FrameTable(path, [head for head, _ in self._frames])
        super().__init__(path, manifest, tables, findings)
        self._frame_of_row = {
            number: frame for frame, (number, _) in zip(self._frames, tables["frames"].rows(), strict=True)
        }

    def _keep_frame(self, path: Path, chunk: Chunk, findings: Findings) -> None:
        head = _decoded(chunk, FrameHead)
        if head is None:
            findings.warn(path, f"a frame at byte {chunk.offset} cannot be read: left out")
            return
        if not chunk.whole:
            named = " ".join(head.cells[:3])
            findings.warn(path, f"frame {named!r} at byte {chunk.offset} is cut short: its picture is lost")
        self._frames.append((head, chunk))

    def stored_frames(self, slots: int = 4) -> Iterator[Stored]:
        """See `StoredRecording`."""
        return done_ahead(self.frame_rows, self._stored, slots)

    def _stored(self, row: FrameRow, slot: Slot) -> Stored:
        head, chunk = self._frame_of_row[row.row]
        cells = list(head.cells)
        body = self._body(chunk, slot)
        if head.body == "none" or isinstance(body, str):
            return Stored(cells, None, {}, body if isinstance(body, str) else "")
        if head.body == "files":
            files = _split(body, head, self.installation.cameras[row.camera])
            return Stored(cells, None, files, "" if files else "damaged")
        pixels = _restored(head, body, slot)
        if isinstance(pixels, str):
            return Stored(cells, None, {}, pixels)
        bands = self.installation.cameras[row.camera].bands
        if pixels.shape[2] != len(bands):
            raise BadRecording(
                self.tables["frames"].file,
                f"a picture of {pixels.shape[2]} bands, where its camera has {', '.join(bands)}",
                row=row.row,
                remedy="use another copy of the file",
            )
        return Stored(cells, pixels, {})

    def _pixels(self, row: FrameRow, place: CameraPlace, slot: Slot) -> NDArray[np.uint8] | str:
        head, chunk = self._frame_of_row[row.row]
        if head.body == "none":
            return "missing"
        if head.body == "pixels" and head.shape != shape_of(place):
            height, width, bands = head.shape
            return f"wrong size: {width} x {height} x {bands}, not {' x '.join(map(str, _wide(shape_of(place))))}"
        body = self._body(chunk, slot)
        if isinstance(body, str):
            return body
        if head.body == "files":
            return pictures.decoded(_split(body, head, place), place, slot.pixels)
        return _restored(head, body, slot)

    def _body(self, chunk: Chunk, slot: Slot) -> NDArray[np.uint8] | str:
        """A chunk's body in the slot, or words of damage."""
        if not chunk.whole:
            return "cut short"
        try:
            file = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        try:
            # The length was checked against the file's when it was scanned.
            room = slot.bytes(chunk.body_length)
            count = os.preadv(file, [room.data], chunk.body_at) if room.size else 0
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        finally:
            os.close(file)
        return room if count == room.size and zlib.crc32(room.data) == chunk.body_crc else "damaged"


class PackedTable:
    """One table of a packed recording. See `Table`."""

    def __init__(self, path: Path, name: str, chunks: Sequence[Chunk]) -> None:
        self.file = path / f"{name}.csv"
        self._chunks = chunks
        self.columns = msgspec.json.decode(chunks[0].head, type=RowsHead).columns

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """See `Table`. Raises BadRecording where a later chunk has other columns."""
        row = 1
        for chunk in self._chunks:
            head = msgspec.json.decode(chunk.head, type=RowsHead)
            if head.columns != self.columns:
                raise BadRecording(self.file, f"other columns at byte {chunk.offset}", row=row + 1)
            for cells in head.rows:
                row += 1
                yield row, list(cells)


class _FrameTable:
    """The rows that stand in the heads of the frames."""

    def __init__(self, path: Path, heads: Sequence[FrameHead]) -> None:
        self.file = path / "frames.csv"
        self._heads = heads
        self.columns = heads[0].columns if heads else FRAME_COLUMNS

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        for row, head in enumerate(self._heads, start=2):
            if head.columns != self.columns:
                raise BadRecording(self.file, "a frame has other columns than the first", row=row)
            yield row, list(head.cells)


class PackedSink(Sink):
    """Writes the packed form. Every chunk is with the operating system before the next is begun."""

    def __init__(self, path: Path, manifest: str) -> None:
        self.path = path
        self._codec = PixelCodec()
        self._waiting: dict[str, tuple[tuple[str, ...], list[tuple[str, ...]]]] = {}
        self._frames = 0
        with disk_errors(path):
            try:
                self._file: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            except FileExistsError as error:
                raise BadRecording(path, "is there already", remedy="name a new file") from error
        self._append(META, manifest.encode())

    def put_header(self, table: str, columns: Sequence[str]) -> None:
        """See `Sink`."""
        self._append(ROWS, msgspec.json.encode(RowsHead(table, tuple(columns), ())))

    def put_row(self, table: str, columns: Sequence[str], cells: Sequence[str]) -> None:
        """See `Sink`."""
        _, waiting = self._waiting.setdefault(table, (tuple(columns), []))
        waiting.append(tuple(cells))
        if len(waiting) >= _ROWS_PER_CHUNK:
            self._flush_rows()

    def put_frame(
        self, columns: Sequence[str], cells: Sequence[str], pixels: NDArray[np.uint8] | None, files: PictureFiles
    ) -> None:
        """See `Sink`. A frame that names no file gets the name that it would have in a folder."""
        self._flush_rows()
        named = dict(zip(columns, cells, strict=True))
        if pixels is not None or files:
            named["file"] = named["file"] or f"frames/{self._frames:06d}.png"
        self._frames += 1
        body = b""
        head = FrameHead(tuple(columns), tuple(named.values()), "none")
        if pixels is not None:
            height, width, bands = pixels.shape
            head = msgspec.structs.replace(head, body="pixels", shape=(height, width, bands))
            body = self._codec.compressed(pixels)
        elif files:
            head = msgspec.structs.replace(head, body="files", files={name: data.size for name, data in files.items()})
            body = b"".join(data.tobytes() for data in files.values())
        self._append(FRAME, msgspec.json.encode(head), body)

    def close(self, *, whole: bool) -> None:
        """See `Sink`."""
        if self._file is None:
            return
        try:
            self._flush_rows()
            if whole:
                self._append(END, b"")
            with disk_errors(self.path):
                os.fsync(self._file)
        finally:
            os.close(self._file)
            self._file = None

    def _flush_rows(self) -> None:
        for table, (columns, waiting) in self._waiting.items():
            if waiting:
                self._append(ROWS, msgspec.json.encode(RowsHead(table, columns, tuple(waiting))))
                waiting.clear()

    def _append(self, kind: bytes, head: bytes, body: bytes = b"") -> None:
        if self._file is None:
            raise ValueError(f"{self.path} is closed")
        with disk_errors(self.path):
            left = [memoryview(part) for part in (chunk_header(kind, head, body), head, body) if part]
            while left:
                written = os.writev(self._file, left)
                while left and written >= len(left[0]):
                    written -= len(left.pop(0))
                if left:
                    left[0] = left[0][written:]


class PackedWriter(RecordWriter):
    """Writes a recording in the packed form. path: a file that is not there yet. See `Writer`."""

    def __init__(self, path: Path, installation: Installation, *, extra: Mapping[str, Any] | None = None) -> None:
        super().__init__(PackedSink(path, checked_manifest_text(path, installation, extra)), installation)


def packed_truth(path: Path) -> PackedTable | None:
    """truth.csv of a packed recording, None where it has none."""
    chunks = [chunk for chunk in _scanned(path, Findings()) if chunk.kind == ROWS]
    truth = [chunk for chunk in chunks if (head := _decoded(chunk, RowsHead)) is not None and head.table == "truth"]
    return PackedTable(path, "truth", truth) if truth else None


def _scanned(path: Path, findings: Findings) -> Iterator[Chunk]:
    """The chunks of the file; what lies between them is a warning."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BadRecording(path, f"cannot be read: {error.strerror}") from error
    try:
        if os.pread(file, len(MAGIC), 0) != MAGIC:
            findings.warn(path, "does not begin as a packed recording does")
        for found in scan(file, os.fstat(file).st_size):
            if isinstance(found, Gap):
                findings.warn(path, f"bytes {found.offset} to {found.end} are lost: {found.why}")
            else:
                yield found
    except OSError as error:
        raise BadRecording(path, f"cannot be read: {error.strerror}") from error
    finally:
        os.close(file)


Head = TypeVar("Head", RowsHead, FrameHead)


def _decoded(chunk: Chunk, kind: type[Head]) -> Head | None:
    """The head of a chunk; None when its text is not what the kind asks."""
    try:
        return msgspec.json.decode(chunk.head, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _text(head: bytes) -> str:
    return head.decode("utf-8", errors="replace")


def _split(body: NDArray[np.uint8], head: FrameHead, place: CameraPlace) -> dict[str, NDArray[np.uint8]]:
    """The files in a body; none when their lengths do not add up to it, or they are no bands of the camera."""
    lengths = head.files
    strangers = set(lengths) - {MAIN, *extra_bands(place.bands)}
    if strangers or any(length < 0 for length in lengths.values()) or sum(lengths.values()) != body.size:
        return {}
    ends = list(accumulate(lengths.values()))
    return {name: body[end - length : end] for (name, length), end in zip(lengths.items(), ends, strict=True)}


def _restored(head: FrameHead, body: NDArray[np.uint8], slot: Slot) -> NDArray[np.uint8] | str:
    """The pixels of a body, of the shape that its head claims when the body can hold so much."""
    height, width, bands = head.shape
    possible = min(height, width) > 0 and height * width <= MOST_PIXELS and 1 <= bands <= MOST_BANDS
    if not possible or height * width * bands > _MOST_UNPACKED * body.size:
        return "damaged"
    pixels = slot.pixels(head.shape)
    return pixels if slot.codec.restore(body, pixels) else "damaged"


def _wide(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    return shape[1], shape[0], shape[2]
