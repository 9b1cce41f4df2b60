"""JPEG pictures, which carry no checksum: what their structure and the number of their bits can tell of damage.

A flipped byte of Huffman code is read as other code, and the decoder falls into step again some symbols later, often
a few blocks early or late: then bits are missing at the end, or left over. libjpeg prints a bare line about that, and
OpenCV does not say that it did; but where the data end before the picture does, OpenCV gives no picture at all. So a
picture is decoded without its end marker: with all of its code it must come, without the last byte it must not.
What comes out even all the same goes unnoticed, and so does damage between restart markers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

MAGIC = b"\xff\xd8\xff"

_HUFFMAN_TABLES, _SCAN, _END = 0xC4, 0xDA, 0xD9
_SEQUENTIAL = frozenset({0xC0, 0xC1})  # kinds of picture whose Huffman code is whole in one pass
_FRAMES = frozenset(range(0xC0, 0xD0)) - {_HUFFMAN_TABLES, 0xC8, 0xCC}
_SEGMENTS = _FRAMES | {_HUFFMAN_TABLES, _SCAN, 0xCC, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)}
_FIRST_RESTART, _RESTARTS = 0xD0, 8
_END_OF_BLOCK = 0x00
_MOST_SCANS = 100  # a progressive picture has about ten; each costs the decoder a walk over all of its blocks
_MOST_PADDING = 64  # bytes after the end: some cameras fill up to a round length
_ZEROS = bytes(64)
_LOOK_AHEAD = bytes(8)  # so much the decoder wants to have in hand when it comes to the last symbol


class JpegHead(NamedTuple):
    """What a picture's segments say. code_end: where its Huffman code ends if its bits can be counted, else None."""

    width: int
    height: int
    code_end: int | None


class _Segment(NamedTuple):
    """A marker and its words. code: from where to where the code of a scan lies after them."""

    marker: int
    words: bytes
    code: slice = slice(0, 0)


def jpeg_head(data: NDArray[np.uint8]) -> JpegHead | str:
    """Look at a file from end to end without decoding it; short words of damage when it cannot be a whole picture."""
    raw = data.tobytes()
    if raw.rfind(bytes((0xFF, _END))) < 0:
        return "cut short"
    try:
        segments = list(_segments(raw, data))
        (frame,) = (segment for segment in segments if segment.marker in _FRAMES)
    except ValueError:
        return "damaged"
    scans = [segment.code for segment in segments if segment.marker == _SCAN]
    sequential = frame.marker in _SEQUENTIAL
    if not scans or len(frame.words) < 6 or (sequential and _is_blank(raw, segments, scans)):
        return "damaged"
    height, width = int.from_bytes(frame.words[1:3], "big"), int.from_bytes(frame.words[3:5], "big")
    return JpegHead(width, height, scans[0].stop if sequential and len(scans) == 1 else None)


def jpeg_pixels(data: NDArray[np.uint8], how: int) -> NDArray[np.uint8] | None:
    """Decode; None when the file is no picture or its bits do not come out even. how: a flag of cv2.imdecode."""
    head = jpeg_head(data)
    if isinstance(head, str):
        return None
    if head.code_end is None or not _counts_bits():
        return _decoded(data.tobytes(), how)
    raw = data[: head.code_end].tobytes()
    code = raw.rstrip(b"\0")  # either code, or an odd way to fill up before the end marker
    code += b"\0" if code.endswith(b"\xff") else b""
    # The second look is at an eighth of the size: the code is read to its end all the same.
    left_over = _decoded(code[:-1], cv2.IMREAD_REDUCED_GRAYSCALE_8) is not None
    return None if left_over else _decoded(raw + _LOOK_AHEAD, how)


def _segments(raw: bytes, data: NDArray[np.uint8]) -> Iterator[_Segment]:
    """The segments between the markers of start and end. Raises ValueError where they do not join."""
    places = np.flatnonzero(data[:-1] == 0xFF)
    places = places[(data[places + 1] != 0) & (data[places + 1] != 0xFF)]  # FF 00 is code, FF FF is filling
    at, scans = 2, 0
    while True:
        while raw[at : at + 2] == b"\xff\xff":
            at += 1
        marker, length = int.from_bytes(raw[at : at + 2], "big"), int.from_bytes(raw[at + 2 : at + 4], "big")
        if marker == 0xFF00 | _END:
            break
        end = at + 2 + length
        if marker >> 8 != 0xFF or marker & 0xFF not in _SEGMENTS or length < 2 or end > len(raw):
            raise ValueError("no segment")
        scans += marker & 0xFF == _SCAN
        if scans > _MOST_SCANS:
            raise ValueError("more scans than a picture has")
        code = slice(end, _code_end(data, places, end) if marker & 0xFF == _SCAN else end)
        yield _Segment(marker & 0xFF, raw[at + 4 : end], code)
        at = code.stop
    after = raw[at + 2 :]
    if not after.startswith(MAGIC) and (len(after) >= _MOST_PADDING or after.strip(b"\0\xff")):
        raise ValueError("the picture ends, and the file goes on with what is no second one")


def _code_end(data: NDArray[np.uint8], places: NDArray[np.intp], start: int) -> int:
    """Where the code of a scan ends: at the first marker that is no restart. Raises ValueError if these are amiss."""
    places = places[np.searchsorted(places, start) :]
    restarts = data[places + 1].astype(int) - _FIRST_RESTART
    others = np.flatnonzero((restarts < 0) | (restarts >= _RESTARTS))
    if not others.size or (restarts[: others[0]] != np.arange(others[0]) % _RESTARTS).any():
        raise ValueError("restarts out of order")
    return int(places[others[0]])


def _is_blank(raw: bytes, segments: Sequence[_Segment], scans: Sequence[slice]) -> bool:
    """Whether the code has a hole of zeros, unless blocks without any detail are written so in this picture."""
    firsts = [symbol for segment in segments if segment.marker == _HUFFMAN_TABLES for symbol in _firsts(segment.words)]
    if all(symbol == _END_OF_BLOCK for symbol in firsts):
        return False
    return any(raw.find(_ZEROS, code.start, code.stop) >= 0 for code in scans)


def _firsts(words: bytes) -> Iterator[int]:
    """Of each table of AC symbols the one whose code is all zeros."""
    at = 0
    while at + 17 < len(words):
        if words[at] >> 4:
            yield words[at + 17]
        at += 17 + sum(words[at + 1 : at + 17])


@cache
def _counts_bits() -> bool:
    """Whether this OpenCV gives no picture where code is missing. Another would be told nothing by the count."""
    noise = np.random.default_rng(1).integers(0, 256, (64, 64), np.uint8)
    _, whole = cv2.imencode(".jpg", noise)
    return _decoded(whole[:-99].tobytes(), cv2.IMREAD_REDUCED_GRAYSCALE_8) is None


def _decoded(raw: bytes, how: int) -> NDArray[np.uint8] | None:
    return decoded(np.frombuffer(raw, np.uint8), how)


def decoded(data: NDArray[np.uint8], how: int) -> NDArray[np.uint8] | None:
    """What OpenCV makes of a picture of any kind; None when it is none."""
    try:
        # Pixels as they lie: a camera's picture is not to be turned by an orientation tag.
        pixels = cv2.imdecode(data, how | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    return None if pixels is None else np.asarray(pixels, np.uint8)
