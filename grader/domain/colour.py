"""What a station knows about its colours: an artefact made by calibration."""

from __future__ import annotations

import msgspec


class ColourCalibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From a camera's light to colour as a person sees it.

    to_srgb: 3 x 3, rows red, green, blue: linear camera light (red, green, blue; 1 = full scale) to linear sRGB under
    D65; the identity for a camera that delivers sRGB.
    blush_from_deg, blush_to_deg: CIELAB hue angles of blush; ground colour reaches from there to
    ground_to_deg. least_chroma: below it a colour has no hue worth the name (gloss, labels, grime).
    """

    name: str = "srgb"
    to_srgb: tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]] = (
        (1.0, 0.0, 0.0),
        (0.0, 1.0, 0.0),
        (0.0, 0.0, 1.0),
    )
    blush_from_deg: float = -30.0
    blush_to_deg: float = 45.0
    ground_to_deg: float = 150.0
    least_chroma: float = 6.0
