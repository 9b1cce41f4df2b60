"""Picture files: PNG in and out, JPEG in, into preallocated pixels.

A picture is trusted only after its own header shows the size that its camera has and its checksums hold: a foreign
file can then neither claim memory nor reach the decoder half whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.domain.installation import COLOURS, CameraPlace
from grader.storage.recordings import jpeg
from grader.storage.recordings.manifest import extra_bands, main_bands

MAIN = ""
"""Key of the picture itself among the files of one frame; its extra bands stand under their names."""

PictureFiles = Mapping[str, NDArray[np.uint8]]
"""The files of one frame as bytes, (length,) uint8 each."""

Room = Callable[[tuple[int, int, int]], NDArray[np.uint8]]
"""Gives room for the pixels of a shape."""

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB = 0, 2  # PNG colour types
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # per pixel, by colour type
_MOST_DEFLATED = 1032  # bytes that one byte of a deflate stream can at most become

# The up filter with Huffman codes alone: on noisy pictures both faster (37 against 94 ms at 1280 x 1210) and smaller
# than level 1 with its defaults, because there is nothing in noise for the search of deflate to find.
_PNG_FAST = [
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY,
    cv2.IMWRITE_PNG_FILTER,
    cv2.IMWRITE_PNG_FILTER_UP,
]


class PictureHead(NamedTuple):
    """What a picture file says of itself.

    plain: 8-bit RGB or grey PNG, so that its pixels are all that it holds. possible: its data can hold so many.
    """

    width: int
    height: int
    plain: bool
    colours: bool
    possible: bool


def file_limit(place: CameraPlace) -> int:
    """The most bytes that one picture file of a camera can sensibly have: 16 bits a sample, and some room."""
    return 8 * place.width_px * place.height_px + (1 << 20)


def picture_head(data: NDArray[np.uint8]) -> PictureHead | str:
    """Check a file from end to end without decoding it; short words of damage when it is not whole."""
    if data[:8].tobytes() == _PNG_MAGIC:
        return _png_head(data.data)
    if data[:3].tobytes() == jpeg.MAGIC:
        head = jpeg.jpeg_head(data)
        if isinstance(head, str):
            return head
        return PictureHead(head.width, head.height, plain=False, colours=True, possible=True)
    return "cut short" if data.size < 8 else "not a picture"


def decoded(files: PictureFiles, place: CameraPlace, room: Room) -> NDArray[np.uint8] | str:
    """The pixels of a frame, (height, width, n_bands) uint8 in the order of `place.bands`, or short words of damage.

    files: the picture under MAIN, each extra band under its name; 16-bit samples keep their upper 8 bits.
    room: gives the array to fill; asked only once the files have shown that they hold such a picture.
    """
    for band in (MAIN, *extra_bands(place.bands)):
        damage = _misfit(files.get(band), place)
        if damage:
            return damage if band == MAIN else f"{band}: {damage}"
    colour = main_bands(place.bands) == COLOURS
    planes = [_decode(files[MAIN], cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE)]
    planes += [_decode(files[band], cv2.IMREAD_GRAYSCALE) for band in extra_bands(place.bands)]
    if any(plane is None or plane.shape[:2] != (place.height_px, place.width_px) for plane in planes):
        return "damaged"
    sound = [plane for plane in planes if plane is not None]
    out = room((place.height_px, place.width_px, len(place.bands)))
    if place.bands == COLOURS:
        np.copyto(out, sound[0])
    else:
        order = main_bands(place.bands) + extra_bands(place.bands)
        pairs = [at for here, band in enumerate(place.bands) for at in (order.index(band), here)]
        cv2.mixChannels(sound, [out], pairs)
    return out


def encoded(pixels: NDArray[np.uint8], bands: tuple[str, ...]) -> dict[str, NDArray[np.uint8]]:
    """A frame as PNG files: the picture under MAIN, each extra band under its name.

    pixels: (height, width, n_bands) uint8 in the order of `bands`.
    """
    if len(bands) == 1:
        return {MAIN: _png(pixels[..., 0])}
    colour = pixels if bands == COLOURS else pixels[..., [bands.index(band) for band in COLOURS]]
    extras = {band: _png(pixels[..., bands.index(band)]) for band in extra_bands(bands)}
    return {MAIN: _png(colour)} | extras


def is_plain(files: PictureFiles, bands: tuple[str, ...]) -> bool:
    """Whether the pixels are all that the files hold: 8-bit PNG, in colour or grey as the bands ask."""
    for band, data in files.items():
        head = picture_head(data)
        wants_colour = band == MAIN and main_bands(bands) == COLOURS
        if isinstance(head, str) or not head.plain or head.colours != wants_colour:
            return False
    return set(files) == {MAIN, *extra_bands(bands)}


def _misfit(data: NDArray[np.uint8] | None, place: CameraPlace) -> str:
    """Why a file cannot be the picture of a camera; empty when it can."""
    if data is None:
        return "missing"
    head = picture_head(data)
    if isinstance(head, str):
        return head
    if (head.width, head.height) != (place.width_px, place.height_px):
        return f"wrong size: {head.width} x {head.height}, not {place.width_px} x {place.height_px}"
    return "" if head.possible else "damaged"


def _png_head(data: memoryview) -> PictureHead | str:
    """Walk the chunks: length, type, data, CRC. libpng would print what it dislikes; it only gets whole files."""
    at, head, deflated, claimed_bits = 8, None, 0, 0
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        name = bytes(data[at + 4 : at + 8])
        end = at + 12 + length
        if end > len(data):
            return "cut short"
        if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            return "damaged"
        if name == b"IHDR" and length == 13:
            depth, colour_type = data[at + 16], data[at + 17]
            head = PictureHead(
                width=int.from_bytes(data[at + 8 : at + 12], "big"),
                height=int.from_bytes(data[at + 12 : at + 16], "big"),
                plain=depth == 8 and colour_type in (_GREY, _RGB),
                colours=colour_type != _GREY,
                possible=False,
            )
            claimed_bits = head.width * head.height * depth * _PNG_SAMPLES.get(colour_type, 1)
        elif head is None:
            return "not a picture"
        if name == b"IDAT":
            deflated += length
        if name == b"IEND":
            return head._replace(possible=claimed_bits <= 8 * _MOST_DEFLATED * deflated)
        at = end
    return "cut short"


def _decode(data: NDArray[np.uint8], how: int) -> NDArray[np.uint8] | None:
    if data[:3].tobytes() == jpeg.MAGIC:
        return jpeg.jpeg_pixels(data, how)
    return jpeg.decoded(data, how)


def _png(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    _, data = cv2.imencode(".png", np.ascontiguousarray(pixels), _PNG_FAST)
    return np.asarray(data, np.uint8)
