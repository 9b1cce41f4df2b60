"""What a station knows about its colours: an artefact made by calibration; and which hues of skin it tells apart."""

from __future__ import annotations

import msgspec

HUES_FROM_DEG, N_HUES = -30, 180
"""Of skin: CIELAB hue angles (D65) from crimson over yellow to green, told apart by the degree. What has another one
(labels, ink) is no skin."""
USUAL_BLUSH_TO_DEG = 45.0
"""Where blush ends and ground colour begins if no sheet says otherwise (recording format; no standard has a number)."""


class ColourCalibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From a camera's light to colour as a person sees it.

    to_srgb: 3 x 3, rows red, green, blue: linear camera light (red, green, blue; 1 = full scale) to linear sRGB under
    D65; the identity for a camera that delivers sRGB. least_chroma: CIELAB; below it a colour has no hue worth the name
    (gloss, labels, grime).
    """

    name: str = "srgb"
    to_srgb: tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]] = (
        (1.0, 0.0, 0.0),
        (0.0, 1.0, 0.0),
        (0.0, 0.0, 1.0),
    )
    least_chroma: float = 6.0
