"""A fruit to look at: its views in their order, and under them its whole skin once."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.domain.skin import PORTRAIT_PX, Portraits
from grader.vision.skin_map.landmarks import Landmarks
from grader.vision.skin_map.mapper import SkinMap
from grader.vision.skin_map.spots import Spots

Picture = NDArray[np.uint8]

_PER_ROW, _PORTRAIT_ZOOM = 11, 2
_WIDTH = _PER_ROW * PORTRAIT_PX * _PORTRAIT_ZOOM
_MAP_HEIGHT, _GAP = 460, 16
_PAPER, _INK, _UNSEEN = (255, 255, 255), (60, 60, 60), (205, 205, 205)
_STEM_CALYX, _SPOT, _RING = (200, 90, 0), (255, 255, 255), 9


def picture_of(
    portraits: Portraits, skin_map: SkinMap | None, spots: Spots | None = None, ends: Landmarks | None = None
) -> Picture:
    """(h, w, 3) uint8 blue, green, red.

    Above: all views as they came, each with its number. Below: the map, longitudes along, latitudes about the turning
    axis down, each row of the same area; grey was not seen. A number under it is where the middle of that view lies;
    two rings are the ends of the stem-calyx axis, that of the stem has a stroke and that of the calyx a cross where it
    is known which is which; spots are outlined, each with its letter. Without a map there are the views alone.
    """
    views = _views(portraits)
    if skin_map is None:
        return views
    gap = np.full((_GAP, _WIDTH, 3), _PAPER, np.uint8)
    skin = _skin(skin_map)
    _mark_ends(skin_map, ends, onto=skin)
    if spots is not None:
        _outline(spots.labels > 0, onto=skin)
        _letter(spots, onto=skin)
    return np.concatenate([views, gap, skin, _middles(skin_map)])


def blush_picture(skin_map: SkinMap, blush: NDArray[np.bool_], caption: str) -> Picture:
    """(h, w, 3) uint8: the map alone under a caption, blush outlined. blush: a cell each."""
    head = np.full((2 * _GAP, _WIDTH, 3), _PAPER, np.uint8)
    cv2.putText(head, caption, (6, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, _INK, 1, cv2.LINE_AA)
    skin = _skin(skin_map)
    _outline(blush, onto=skin)
    return np.concatenate([head, skin])


def spot_letter(index: int) -> str:
    """What a spot is called, by its place among them: A, B, ... Z, A2, B2 ..."""
    letter, again = chr(ord("A") + index % 26), index // 26
    return letter if not again else f"{letter}{again + 1}"


def _views(portraits: Portraits) -> Picture:
    side = PORTRAIT_PX * _PORTRAIT_ZOOM
    rows = -(-len(portraits.pixels) // _PER_ROW)
    sheet = np.full((rows * side, _WIDTH, 3), _PAPER, np.uint8)
    for index, pixels in enumerate(portraits.pixels):
        top, left = index // _PER_ROW * side, index % _PER_ROW * side
        shown = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_CUBIC)
        sheet[top : top + side, left : left + side] = shown
        _number(sheet, index + 1, left + 4, top + 14, (255, 255, 255))
    return sheet


def _skin(skin_map: SkinMap) -> Picture:
    light = np.clip(skin_map.skin.light, 0.0, 1.0)
    brightest = max(float(np.quantile(light.max(axis=-1), 0.98)), 1e-3)  # shaded skin is dark: to be looked at, lighter
    share = np.clip(light / brightest * 0.9, 0.0, 1.0)
    curved = np.where(share <= 0.0031308, share * 12.92, 1.055 * np.maximum(share, 1e-9) ** (1 / 2.4) - 0.055)
    colours = np.where(skin_map.skin.weight[..., None] > 0, np.rint(curved * 255.0), _UNSEEN).astype(np.uint8)
    drawn = np.asarray(cv2.resize(colours, (_WIDTH, _MAP_HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)
    unseen = cv2.resize(
        (~skin_map.skin.seen).astype(np.uint8), (_WIDTH, _MAP_HEIGHT), interpolation=cv2.INTER_NEAREST
    ).astype(bool)
    hatch = np.add.outer(np.arange(_MAP_HEIGHT), np.arange(_WIDTH)) % 12 < 2
    drawn[unseen & hatch] = _UNSEEN
    return drawn


def _mark_ends(skin_map: SkinMap, ends: Landmarks | None, onto: Picture) -> None:
    for end in (skin_map.body.axis, -skin_map.body.axis):
        x, y = _place(end)
        x, y = min(max(x, _RING), _WIDTH - _RING), min(max(y, 2 * _RING), _MAP_HEIGHT - 2 * _RING)
        strokes: list[tuple[int, int, int, int]] = []
        if ends is not None and ends.known:
            is_stem = float(ends.stem @ end) > 0
            strokes = [(0, 0, 4, -20)] if is_stem else [(-4, -4, 4, 4), (-4, 4, 4, -4)]
        for colour, width in ((_PAPER, 5), (_STEM_CALYX, 2)):
            cv2.circle(onto, (x, y), _RING, colour, width, cv2.LINE_AA)
            for left, top, right, bottom in strokes:
                cv2.line(onto, (x + left, y + top), (x + right, y + bottom), colour, width, cv2.LINE_AA)


def _outline(cells: NDArray[np.bool_], onto: Picture) -> None:
    inside = cv2.resize(cells.astype(np.float32), (_WIDTH, _MAP_HEIGHT), interpolation=cv2.INTER_CUBIC)
    edges, _ = cv2.findContours((inside > 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    for colour, width in ((_INK, 4), (_SPOT, 2)):
        cv2.drawContours(onto, edges, -1, colour, width, cv2.LINE_AA)


def _letter(spots: Spots, onto: Picture) -> None:
    for colour, width in ((_INK, 4), (_SPOT, 2)):
        for index, towards in enumerate(spots.place):  # a dozen at most, as a rule
            x, y = _place(towards)
            at = min(max(x - 8, 0), _WIDTH - 24), min(max(y + 7, 18), _MAP_HEIGHT - 4)
            cv2.putText(onto, spot_letter(index), at, cv2.FONT_HERSHEY_SIMPLEX, 0.7, colour, width, cv2.LINE_AA)


def _place(towards: NDArray[np.float64]) -> tuple[int, int]:
    """Where on the drawn map a direction (3,) lies."""
    longitude = np.arctan2(towards[0], towards[2]) % (2.0 * np.pi)
    return round(longitude / (2.0 * np.pi) * _WIDTH), round((towards[1] + 1.0) / 2.0 * _MAP_HEIGHT)


def _middles(skin_map: SkinMap) -> Picture:
    """Under the map: where the middle of each view lies, by its number; two lines, for every turn another."""
    strip = np.full((2 * _GAP + 8, _WIDTH, 3), _PAPER, np.uint8)
    turned = -skin_map.turned_rad
    first = turned[0] if skin_map.turn.rad_per_pulse < 0 else turned[-1]
    for index, longitude in enumerate(turned):
        line = int((longitude - first) // (2.0 * np.pi)) % 2
        x, _ = _place(np.array([np.sin(longitude), 0.0, np.cos(longitude)]))
        _number(strip, index + 1, min(max(x - 6, 0), _WIDTH - 20), 14 + line * _GAP, _INK)
    return strip


def _number(onto: Picture, number: int, x: int, y: int, colour: tuple[int, int, int]) -> None:
    cv2.putText(onto, str(number), (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
