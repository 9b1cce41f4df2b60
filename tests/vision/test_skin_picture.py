"""A fruit to look at: every view, and the skin where it lies."""

from __future__ import annotations

import numpy as np
import painted_bodies as painted
import pytest
from test_skin_map import surely_mapped

from grader.domain.skin import PORTRAIT_PX
from grader.vision.skin_map.grid import N_LATITUDES, N_LONGITUDES
from grader.vision.skin_map.landmarks import Landmarks
from grader.vision.skin_map.mapper import MapSettings
from grader.vision.skin_map.measures import spots_on
from grader.vision.skin_map.picture import picture_of, spot_letter


def test_the_map_is_drawn_under_the_views_with_red_where_the_skin_is_red() -> None:
    fruit = painted.filmed(painted.blotches(3), 22.0, views=19)
    skin_map = surely_mapped(fruit)
    picture = picture_of(fruit.portraits, skin_map)
    views = picture_of(fruit.portraits, None)
    assert views.shape[0] == 2 * 2 * PORTRAIT_PX
    assert np.array_equal(picture[: len(views)], views)
    top, height = len(views) + 16, 460
    rows = top + ((np.arange(N_LATITUDES) + 0.5) / N_LATITUDES * height).astype(int)
    columns = ((np.arange(N_LONGITUDES) + 0.5) / N_LONGITUDES * picture.shape[1]).astype(int)
    drawn = picture[rows][:, columns].astype(int)
    light = skin_map.skin.light
    is_red, is_drawn_red = light[..., 1] < 0.5 * light[..., 2], drawn[..., 1] < 0.6 * drawn[..., 2]
    assert (is_red == is_drawn_red)[skin_map.skin.seen].mean() > 0.95
    unseen = skin_map.skin.weight == 0
    assert (drawn[unseen].std(axis=1) < 15).mean() > 0.9, "what was not seen is grey"


def test_a_spot_is_outlined_where_it_lies_and_nothing_else_is() -> None:
    fruit = painted.filmed(painted.with_caps(painted.blotches(3), painted.Cap((0.3, 0.2, 1.0), 150.0)), 22.0, noise=2.0)
    skin_map = surely_mapped(fruit)
    spots = spots_on(skin_map, MapSettings())
    plain, drawn = picture_of(fruit.portraits, skin_map), picture_of(fruit.portraits, skin_map, spots)
    y, x = np.nonzero((plain != drawn).any(axis=-1))
    where = [np.arctan2(0.3, 1.0) / (2 * np.pi), 0.5 + 0.5 * 0.2 / np.linalg.norm((0.3, 0.2, 1.0))]
    top = len(picture_of(fruit.portraits, None)) + 16
    assert [np.median(x) / plain.shape[1], (np.median(y) - top) / 460] == pytest.approx(where, abs=0.03)
    assert np.ptp(x) < 0.12 * plain.shape[1]


def test_stem_and_calyx_are_told_apart_in_the_picture_only_where_they_are_known() -> None:
    fruit = painted.filmed(painted.blotches(3), 22.0, axis=np.array([0.6, 0.8, 0.0]), ratio=0.85, noise=2.0)
    skin_map = surely_mapped(fruit)
    plain, guessed, known, other_way = (
        picture_of(fruit.portraits, skin_map, None, ends)
        for ends in (
            None,
            Landmarks(skin_map.body.axis, 0.5, 0.0),
            Landmarks(skin_map.body.axis, 0.99, 0.0),
            Landmarks(-skin_map.body.axis, 0.99, 0.0),
        )
    )
    assert np.array_equal(plain, guessed)
    assert (plain != known).any() and (plain != other_way).any() and (known != other_way).any()


def test_spots_are_called_by_letters_without_end() -> None:
    assert [spot_letter(index) for index in (0, 25, 26, 53)] == ["A", "Z", "A2", "B3"]


def test_more_views_than_a_row_has_places_go_on_in_the_next() -> None:
    fruit = painted.filmed(painted.blotches(1), 22.0, views=12)
    assert picture_of(fruit.portraits, None).shape == (4 * PORTRAIT_PX, 22 * PORTRAIT_PX, 3)
