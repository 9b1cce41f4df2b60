"""Regions of a skin map: cells that hang together, and cells around them. Longitudes go on around the map."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.vision.skin_map.grid import N_LATITUDES

Mask = NDArray[np.bool_]
Labels = NDArray[np.int32]
Number = TypeVar("Number", NDArray[np.uint8], NDArray[np.float32])


def grown(mask: Mask, cells: int = 1) -> Mask:
    """A mask and so many cells around it; longitudes go on around the map."""
    side = 2 * cells + 1
    wide = around(mask.view(np.uint8), cells)
    return np.asarray(cv2.dilate(wide, np.ones((side, side), np.uint8))[:, cells:-cells]).astype(bool)


def connected(mask: Mask) -> tuple[Labels, int]:
    """Labels from 1 on of cells that touch, also across the map's ends, and one more than the highest of them."""
    n, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    same = np.arange(n)
    for shift in (-1, 0, 1):  # a cell at the end touches three at the other one
        first, last = labels[max(shift, 0) : N_LATITUDES + min(shift, 0), 0], labels[:, -1]
        last = last[max(-shift, 0) : N_LATITUDES + min(-shift, 0)]
        for one, other in zip(first[(first > 0) & (last > 0)], last[(first > 0) & (last > 0)], strict=True):
            same[same == max(same[one], same[other])] = min(same[one], same[other])
    return same[labels].astype(np.int32), n


def around(values: Number, columns: int) -> Number:
    """A map with so many columns of its other end at either end."""
    return np.asarray(np.concatenate([values[:, -columns:], values, values[:, :columns]], axis=1))
