"""What lies on the belt, roughly: pieces as they hang together, and the rims that tell where to look for an edge."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from grader.vision.rays import N_RAYS
from grader.vision.rim import Pieces, RimFinder, rim_radius

SHAPE = (150, 320)
MM_PER_PX, PITCH_PX = 1.6, 60.0
FRUIT = 90  # counts from the belt


def finder(shape: tuple[int, int] = SHAPE, mm_per_px: float = MM_PER_PX) -> RimFinder:
    pitch_px = PITCH_PX * MM_PER_PX / mm_per_px
    return RimFinder(shape, mm_per_px, pitch_px=pitch_px, least_counts=6, stalk_mm=8.0, longest_pitches=1.25)


def plane(*discs: tuple[float, float, float], level: int = FRUIT) -> NDArray[np.uint8]:
    """A plane with discs on it: x, y, radius in pixels."""
    picture = np.zeros(SHAPE, np.uint8)
    for x, y, radius in discs:
        cv2.circle(picture, (round(x * 16), round(y * 16)), round(radius * 16), level, cv2.FILLED, cv2.LINE_AA, shift=4)
    return picture


def found(distance: NDArray[np.uint8]) -> Pieces:
    return finder().find(distance)


def test_bare_belt_has_no_pieces() -> None:
    assert len(found(np.full(SHAPE, 5, np.uint8)).shared) == 0


def test_each_thing_is_a_piece_with_its_box_to_a_coarse_pixel() -> None:
    pieces = found(plane((60, 40, 22), (150, 90, 28)))
    assert len(pieces.shared) == 2 and not pieces.shared.any()
    for x, y, radius in ((60, 40, 22), (150, 90, 28)):
        piece = int(np.abs((pieces.low + pieces.high)[0] / 2 - x).argmin())
        assert (pieces.low + pieces.high)[:, piece] / 2 == pytest.approx([x, y], abs=3)
        assert (pieces.high - pieces.low)[:, piece] == pytest.approx(2 * radius, abs=8)
        assert pieces.low[:, piece].min() >= min(x, y) - radius


def test_rim_lies_inside_the_fruit_and_near_its_edge_all_round() -> None:
    pieces = found(plane((60, 40, 22), (150, 90, 28)))
    order = np.argsort(pieces.low[0])
    radius = rim_radius(pieces, order, np.array([[60, 150], [40, 90]], np.float32))
    assert radius.shape == (2, N_RAYS)
    for measured, true in zip(radius, (22, 28), strict=True):
        assert (measured <= true).all() and (measured > true - 7).all()


def test_a_hole_is_filled_and_a_bay_is_not() -> None:
    whole, holed = plane((100, 75, 26)), plane((100, 75, 26))
    cv2.circle(holed, (100, 75), 12, 0, cv2.FILLED)
    for one, other in zip(found(whole), found(holed), strict=True):
        assert np.array_equal(one, other)
    cv2.rectangle(holed, (100, 68), (140, 82), 0, cv2.FILLED)  # opens it to the belt
    assert len(found(holed).piece) > len(found(whole).piece)


def test_what_is_longer_than_a_cup_is_cut_into_stretches_of_a_pitch() -> None:
    pieces = found(plane((60, 75, 29), (115, 75, 29), (170, 75, 29)))
    assert pieces.shared.tolist() == [True, True, True]
    order = np.argsort(pieces.low[0])
    middle = ((pieces.low + pieces.high) / 2)[0, order]
    assert np.diff(middle) == pytest.approx(PITCH_PX, abs=8)
    assert set(pieces.piece.tolist()) == {0, 1, 2}


@pytest.mark.parametrize(("mm_per_px", "coarse"), [(0.6, 3), (1.6, 3), (2.4, 2), (3.6, 1), (9.0, 1)])
def test_a_coarse_pixel_is_never_much_wider_than_five_millimetres(mm_per_px: float, coarse: int) -> None:
    assert finder(mm_per_px=mm_per_px).coarse == coarse


def test_more_specks_than_sixteen_bits_can_number_are_no_trouble() -> None:
    wide = np.full((1500, 2100), FRUIT, np.uint8)
    for row in range(3):
        for column in range(3):
            wide[3 + row :: 6, 3 + column :: 6] = 0  # 87,500 holes of a coarse pixel
    pieces = finder((1500, 2100)).find(wide)
    assert (pieces.high.max(axis=1) > [2000, 1400]).all()
    assert len(finder((1500, 2100)).find(np.subtract(FRUIT, wide)).shared) == 0  # as specks they are too small
