"""Diameter, height and volume of bodies known in closed form, their axes given."""

from __future__ import annotations

import known_bodies as bodies
import numpy as np
import pytest

from grader.vision.form import Form, forms, forms_by_views


def form_of(width: bodies.Width, directions: bodies.Values, trust: bodies.Values | None = None) -> Form:
    widths = width(directions)[None, None]
    weight = np.ones_like(widths) if trust is None else trust[None, None]
    return forms(widths, directions[None, None], np.array([[0.0, 0.0, 1.0]]), weight)


def all_round(n: int = 400) -> bodies.Values:
    z = (np.arange(n) + 0.5) / n
    around = 2.399963 * np.arange(n)
    flat = np.sqrt(1 - z**2)
    return np.stack([flat * np.cos(around), flat * np.sin(around), z], axis=1)


@pytest.mark.parametrize(("diameter_mm", "height_mm"), [(80, 66), (70, 65), (90, 55)])
def test_a_body_flat_at_its_ends_is_measured_exactly(diameter_mm: float, height_mm: float) -> None:
    found = form_of(bodies.ringed(diameter_mm, height_mm), all_round())

    assert found.diameter[0] == pytest.approx(diameter_mm, abs=0.1)
    assert found.height[0] == pytest.approx(height_mm, abs=0.1)
    assert found.volume[0] / 1000 == pytest.approx(bodies.ringed_volume_ml(diameter_mm, height_mm), rel=0.003)


@pytest.mark.parametrize("height_mm", [62.0, 80.0, 98.0])
def test_a_spheroid_is_measured_to_a_hundredth_of_its_size(height_mm: float) -> None:
    found = form_of(bodies.ellipsoid(80, 80, height_mm), all_round())

    assert found.diameter[0] == pytest.approx(80.0, abs=0.05)
    assert found.height[0] == pytest.approx(height_mm, rel=0.01)
    assert found.volume[0] == pytest.approx(np.pi / 6 * 80 * 80 * height_mm, rel=0.01)


def test_the_largest_width_across_the_axis_counts_and_the_least_beside_it() -> None:
    found = form_of(bodies.ellipsoid(82, 78, 70), all_round())

    assert found.diameter[0] == pytest.approx(82.0, abs=0.15)
    assert found.narrowest[0] == pytest.approx(78.0, abs=0.15)


def test_a_leaf_over_a_tenth_of_the_widths_does_not_move_the_diameter() -> None:
    directions = all_round()
    body = bodies.ringed(80, 66)
    leafy = np.arange(len(directions)) % 10 == 0
    plain = form_of(body, directions)

    found = form_of(lambda n: body(n) + np.where(leafy, 9.0, 0.0), directions)

    assert found.diameter[0] == pytest.approx(plain.diameter[0], abs=0.1)
    assert found.height[0] == pytest.approx(plain.height[0], abs=0.3)


def test_what_is_not_trusted_at_all_has_no_size() -> None:
    directions = all_round()

    found = form_of(bodies.ellipsoid(80, 80, 70), directions, np.zeros(len(directions)))

    assert all(np.isnan(value[0]) for value in found)


def test_views_one_by_one_give_the_width_and_the_height_that_they_show() -> None:
    widest = np.array([[80.0, 80.2, 79.8, 80.1, 80.0, 79.9, 80.2, 80.1, 79.9, 95.0, np.nan]])
    callipers = np.repeat(np.linspace(80.0, 70.0, 16)[None, None], 11, axis=1)
    area = np.full((1, 11), np.pi / 4 * 80 * 70)

    found = forms_by_views(widest, callipers, area)

    assert found.diameter[0] == pytest.approx(80.1, abs=0.15)
    assert found.height[0] == pytest.approx(70.0)
    assert found.volume[0] == pytest.approx(np.pi / 6 * 80 * 80 * 70, rel=0.01)
    assert np.isnan(forms_by_views(widest * np.nan, callipers * np.nan, area * np.nan).diameter[0])
