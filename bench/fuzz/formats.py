"""Files and packets taken apart and put together again with right checksums, so that what is spoilt gets past these."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator

from bench.fuzz.mutation import Draws, Parts, spoilt_bytes, spoilt_words
from grader.storage.recordings.chunks import MAGIC, chunk_header
from hardware.protocol import stuffed, unstuffed

_CRC, _LENGTH = struct.Struct("<I"), struct.Struct(">I")
_MARKER = re.compile(rb"(?=\xff[\x01-\xfe])")
_PNG = b"\x89PNG\r\n\x1a\n"
_NAME_BYTES = 4
_PACKED_HEAD = 32


def _packets(data: bytes) -> list[bytes]:
    bodies = (unstuffed(packet) for packet in data.split(b"\0") if packet)
    return [body[: -_CRC.size] for body in bodies if body is not None and len(body) > _CRC.size]


def _of_packets(bodies: list[bytes]) -> bytes:
    return b"".join(b"\0" + stuffed(body + _CRC.pack(zlib.crc32(body))) + b"\0" for body in bodies)


def _png_chunks(data: bytes) -> list[bytes]:
    """Name and content of each."""
    chunks, at = [], len(_PNG)
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        chunks.append(data[at + 4 : end])
        at = end + 4
    return chunks


def _of_png_chunks(chunks: list[bytes]) -> bytes:
    written = (
        _LENGTH.pack(max(0, len(chunk) - _NAME_BYTES)) + chunk + _LENGTH.pack(zlib.crc32(chunk)) for chunk in chunks
    )
    return _PNG + b"".join(written)


def _packed_chunks(data: bytes) -> list[bytes]:
    """Of each chunk its kind with its head, and its body: two parts."""
    parts, at = [], data.find(MAGIC)
    while 0 <= at <= len(data) - _PACKED_HEAD:
        kind = data[at + 8 : at + 12]
        head, body = struct.unpack_from("<II", data, at + 12)
        begin = at + _PACKED_HEAD
        parts += [kind + data[begin : begin + head], data[begin + head : begin + head + body]]
        at = data.find(MAGIC, at + 1)
    return parts


def _of_packed_chunks(parts: list[bytes]) -> bytes:
    def written() -> Iterator[bytes]:
        for first, body in zip(parts[::2], parts[1::2], strict=False):
            kind, head = first[:_NAME_BYTES].ljust(_NAME_BYTES), first[_NAME_BYTES:]
            yield chunk_header(kind, head, body) + head + body

    return b"".join(written())


def _spoilt_chunk(part: bytes, draws: Draws) -> bytes:
    """A head is text, a body is not."""
    is_text = part[_NAME_BYTES : _NAME_BYTES + 1] == b"{" or part.startswith(b"META")
    return spoilt_words(part, draws) if is_text else spoilt_bytes(part, draws)


def _members(data: bytes) -> list[bytes]:
    """Name, a zero and content of each member of an archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            return [info.filename.encode() + b"\0" + file.read(info) for info in file.infolist()]
    except Exception:  # an input that was spoilt before: whatever zipfile says of it, it has no members
        return []


def _of_members(members: list[bytes]) -> bytes:
    archive, names = io.BytesIO(), set()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for member in members:
            name, _, content = member.partition(b"\0")
            title = name.decode("latin-1") or "x"
            if title not in names:  # zipfile warns of a second one
                file.writestr(zipfile.ZipInfo(title), content)
            names.add(title)
    return archive.getvalue()


def _segments(data: bytes) -> list[bytes]:
    """Of a JPEG, from marker to marker."""
    return _MARKER.split(data)


spoilt_packets = Parts(_packets, _of_packets)
spoilt_png = Parts(_png_chunks, _of_png_chunks)
spoilt_jpeg = Parts(_segments, b"".join)
spoilt_packed = Parts(_packed_chunks, _of_packed_chunks, _spoilt_chunk)
spoilt_archive = Parts(_members, _of_members, spoilt_words)
