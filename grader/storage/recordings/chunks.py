"""The bytes of a packed recording: chunks one after the other, only ever appended, each checked by itself.

    bytes    what
    8        magic, 89 'FGPACK' 0A
    4        kind, 'META', 'ROWS', 'FRAM' or 'ENDS'
    4        length of the head
    4        length of the body
    4        CRC-32 of the head
    4        CRC-32 of the body
    4        CRC-32 of the 28 bytes above
    ...      head: UTF-8 text, small, read when the recording is opened
    ...      body: the pixels of a frame, read when the frame is wanted

Numbers are little-endian and unsigned. There is no index: the heads of an hour are found in about a second, and from a
file that was cut anywhere all that stands before the cut is read. An empty ENDS chunk is written last when the
recording is whole: a file that ends otherwise is being written still, or was cut.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

MAGIC = b"\x89FGPACK\n"
META, ROWS, FRAME, END = b"META", b"ROWS", b"FRAM", b"ENDS"

_HEADER = struct.Struct("<8s4sIIIII")
_SEARCH_BYTES = 1 << 20


class Chunk(NamedTuple):
    """A chunk whose header and head are sound. whole: its body is all there (its CRC is checked when it is read)."""

    kind: bytes
    offset: int
    head: bytes
    body_at: int
    body_length: int
    body_crc: int
    whole: bool


class Gap(NamedTuple):
    """Bytes from offset to end that are no chunk, and why."""

    offset: int
    end: int
    why: str


class _Header(NamedTuple):
    magic: bytes
    kind: bytes
    head_length: int
    body_length: int
    head_crc: int
    body_crc: int


def chunk_header(kind: bytes, head: bytes, body: bytes) -> bytes:
    """What stands before the head and the body in the file."""
    fields = _HEADER.pack(MAGIC, kind, len(head), len(body), zlib.crc32(head), zlib.crc32(body), 0)[:-4]
    return fields + struct.pack("<I", zlib.crc32(fields))


def scan(file: int, size: int) -> Iterator[Chunk | Gap]:
    """Everything in the open file descriptor, from its start to `size`, in order.

    Where a chunk does not follow, the next magic with a sound header is searched from the last sound header on, for
    bytes may be missing between. Every byte is searched at most once.
    """
    at = 0
    while at < size:
        header = _header_at(file, at, size)
        if header is None:
            found = _next_chunk(file, at + 1, size)
            yield Gap(at, found, "not a chunk" if found < size else "cut short, or not a chunk")
            at = found
            continue
        body_at = at + _HEADER.size + header.head_length
        end = body_at + header.body_length
        follows = end == size or (end < size and _header_at(file, end, size) is not None)
        found = end if follows else _next_chunk(file, at + _HEADER.size, size)
        head = os.pread(file, header.head_length, at + _HEADER.size) if body_at <= found else None
        if head is None or zlib.crc32(head) != header.head_crc:
            yield Gap(at, min(end, found), "damaged" if found < size else "cut short")
        else:
            yield Chunk(header.kind, at, head, body_at, header.body_length, header.body_crc, whole=end <= found)
        if end < found:
            yield Gap(end, found, "not a chunk" if found < size else "cut short, or not a chunk")
        at = found


def _header_at(file: int, at: int, size: int) -> _Header | None:
    """The header that starts there, when there is a sound one."""
    if at + _HEADER.size > size:
        return None
    raw = os.pread(file, _HEADER.size, at)
    if len(raw) < _HEADER.size or not raw.startswith(MAGIC):
        return None
    *fields, crc = _HEADER.unpack(raw)
    return _Header(*fields) if zlib.crc32(raw[:-4]) == crc else None


def _next_chunk(file: int, at: int, size: int) -> int:
    """Where the next sound header starts, from `at` on; `size` when there is none."""
    while at < size:
        block = os.pread(file, min(_SEARCH_BYTES, size - at), at)
        if not block:
            return size
        place = block.find(MAGIC)
        while place >= 0:
            if _header_at(file, at + place, size) is not None:
                return at + place
            place = block.find(MAGIC, place + 1)
        at += max(len(block) - len(MAGIC) + 1, 1)
    return size
