"""How much of a fruit's skin has which hue, and how much of it is called blush.

The share of the skin in each degree of hue is measured, and its mean colour. Where blush ends is not: people agree on
it, and write it into a grade sheet. So it is said last, and two sheets may say it otherwise of the same fruit.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.domain.colour import HUES_FROM_DEG, N_HUES, ColourCalibration
from grader.domain.fruit import FruitMeasurements

Floats = NDArray[np.float32]
Values = NDArray[np.float64]

_LEAST_GROUND = 0.02
"""Of the skin: less ground colour has no mean worth the name."""
_BEGIN_DEG = HUES_FROM_DEG + np.arange(N_HUES, dtype=np.float64)
_MIDDLE_RAD = np.radians(_BEGIN_DEG + 0.5)
_TOWARDS = np.stack([np.cos(_MIDDLE_RAD), np.sin(_MIDDLE_RAD)], axis=1)


def skin_colours(light: Floats, colours: ColourCalibration) -> tuple[Floats, Floats]:
    """CIELAB (rows, columns, 3) of linear camera light (rows, columns, 3) blue, green, red, and its hue angle (rows,
    columns) in degrees: NaN where a colour has none worth the name, or one that no skin has."""
    to_srgb = np.array(colours.to_srgb, np.float32)[::-1, ::-1]  # blue first
    lab = cv2.cvtColor(cv2.transform(light, to_srgb), cv2.COLOR_LBGR2Lab)
    chroma, hue = cv2.cartToPolar(lab[..., 1], lab[..., 2], angleInDegrees=True)
    hue = np.where(hue > 180.0, hue - np.float32(360.0), hue)
    is_skin = (chroma >= colours.least_chroma) & (hue >= HUES_FROM_DEG) & (hue < HUES_FROM_DEG + N_HUES)
    return np.asarray(lab), np.where(is_skin, hue, np.float32(np.nan))


def tones_of(lab: Floats, hue_deg: Floats, weight: NDArray[np.floating]) -> Floats:
    """(4, N_HUES) as `FruitMeasurements` has them. lab, hue_deg: of `skin_colours`. weight: as hue_deg, how much skin
    each value speaks for."""
    of_skin = np.isfinite(hue_deg)
    degree = np.where(of_skin, hue_deg - HUES_FROM_DEG, 0).astype(np.int64).ravel()
    weight = np.where(of_skin, weight, 0)  # sums over all cells, of nothing too: picking them out takes twice as long
    values = (weight, *(weight * lab[..., axis] for axis in range(3)))
    tones = np.stack([np.bincount(degree, each.ravel(), N_HUES) for each in values])
    whole = tones[0].sum()
    return (tones / whole if whole > 0 else np.full(tones.shape, np.nan)).astype(np.float32)


def blush_of(tones: Floats, to_deg: float) -> Values:
    """(...) share of the skin with hues up to to_deg, of tones (..., 4, N_HUES)."""
    return np.asarray(tones[..., 0, :] @ _is_blush(to_deg))


def ground_of(tones: Floats, from_deg: float) -> tuple[Values, Values]:
    """Of skin with hues beyond: its circular mean hue in degrees (...), and its mean CIELAB (..., 3); NaN where there
    is next to none of it."""
    ground = tones * (1.0 - _is_blush(from_deg))
    share, *lab = np.moveaxis(ground.sum(axis=-1), -1, 0)
    share = np.where(share > _LEAST_GROUND, share, np.nan)
    along, across = np.moveaxis(ground[..., 0, :] @ _TOWARDS, -1, 0)
    hue_deg = np.degrees(np.arctan2(across, along))
    return np.where(np.isnan(share), np.nan, hue_deg), np.stack([each / share for each in lab], axis=-1)


def hue_spread_of(tones: Floats) -> Values:
    """(...) circular standard deviation of all hues, degrees: sqrt(-2 ln R) with R, the length of their mean direction
    (Mardia and Jupp, Directional Statistics, 2000, section 2.3). 0 for skin of one colour."""
    shares = tones[..., 0, :]
    length = np.linalg.norm(shares @ _TOWARDS, axis=-1) / shares.sum(axis=-1)
    return np.asarray(np.degrees(np.sqrt(-2.0 * np.log(np.clip(length, 1e-12, 1.0)))))


def with_blush(fruit: FruitMeasurements, to_deg: float) -> FruitMeasurements:
    """The same fruit, their blush and ground colour told apart at to_deg."""
    hue_deg, lab = ground_of(fruit.tones, to_deg)
    return replace(
        fruit,
        blush_fraction=blush_of(fruit.tones, to_deg),
        ground_hue_deg=hue_deg,
        ground_lightness=lab[..., 0],
        ground_a=lab[..., 1],
        ground_b=lab[..., 2],
    )


def _is_blush(to_deg: float) -> Values:
    """(N_HUES,) how much of each degree lies below."""
    return np.clip(to_deg - _BEGIN_DEG, 0.0, 1.0)
