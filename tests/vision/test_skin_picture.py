"""A fruit to look at: every view, and the skin where it lies."""

from __future__ import annotations

import numpy as np
import painted_bodies as painted
from test_skin_map import surely_mapped

from grader.domain.skin import PORTRAIT_PX
from grader.vision.skin_map.grid import N_LATITUDES, N_LONGITUDES
from grader.vision.skin_map.picture import picture_of


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


def test_more_views_than_a_row_has_places_go_on_in_the_next() -> None:
    fruit = painted.filmed(painted.blotches(1), 22.0, views=12)
    assert picture_of(fruit.portraits, None).shape == (4 * PORTRAIT_PX, 22 * PORTRAIT_PX, 3)
