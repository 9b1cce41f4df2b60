"""Bodies against solids whose measures are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from hardware.sim.bodies import Body, Shape, directions
from hardware.sim.skin import Skin
from hardware.sim.varieties import FUJI, VARIETIES, shape_of


def polyhedron(body: Body) -> np.ndarray:
    """Vertices (n, m, 3) of a mesh finer than, and not aligned with, the body's own tables."""
    theta, phi = np.linspace(0.0, np.pi, 401), np.linspace(0.0, 2.0 * np.pi, 701)
    return directions(theta, phi) * body.radius_at(theta, phi)[..., None]


def test_a_sphere_has_the_measures_of_a_sphere() -> None:
    body = Body.of(Shape(diameter_mm=80.0))
    assert body.diameter_mm == pytest.approx(80.0, abs=1e-9)
    assert body.height_mm == pytest.approx(80.0, abs=1e-9)
    assert body.volume_ml == pytest.approx(4.0 / 3.0 * np.pi * 40.0**3 / 1000.0, rel=1e-4)
    assert body.middle_mm == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("slenderness", [0.8, 1.25])
def test_a_spheroid_has_the_volume_and_surface_of_a_spheroid(slenderness: float) -> None:
    body = Body.of(Shape(diameter_mm=70.0, slenderness=slenderness))
    a, c = 35.0, 35.0 * slenderness
    assert body.height_mm == pytest.approx(2.0 * c, rel=1e-6)
    assert body.volume_ml == pytest.approx(4.0 / 3.0 * np.pi * a * a * c / 1000.0, rel=1e-4)
    e = np.sqrt(abs(1.0 - min(a, c) ** 2 / max(a, c) ** 2))
    surface = (
        2.0 * np.pi * a * a * (1.0 + (1.0 - e * e) / e * np.arctanh(e))
        if c < a
        else 2.0 * np.pi * a * a * (1.0 + c / (a * e) * np.arcsin(e))
    )
    assert float(Skin.bare(body).area_mm2.sum(dtype=np.float64)) == pytest.approx(surface, rel=5e-4)


@pytest.mark.parametrize("name", sorted(VARIETIES))
def test_volume_diameter_and_height_of_fruit_are_those_of_their_mesh(name: str) -> None:
    body = Body.of(shape_of(VARIETIES[name], 78.0, np.random.default_rng(4)))
    mesh = polyhedron(body)
    a, b, c, d = mesh[:-1, :-1], mesh[1:, :-1], mesh[1:, 1:], mesh[:-1, 1:]
    tetrahedra = (a * np.cross(b, c)).sum(-1) + (a * np.cross(c, d)).sum(-1)
    assert body.volume_ml == pytest.approx(float(tetrahedra.sum()) / 6000.0, rel=2e-4)
    around = mesh.reshape(-1, 3)[:, :2]
    widths = [np.ptp(around @ (np.cos(t), np.sin(t))) for t in np.linspace(0.0, np.pi, 90)]
    assert max(widths) == pytest.approx(78.0, abs=0.02)
    assert body.height_mm == pytest.approx(np.ptp(mesh[..., 2]), abs=0.02)


def test_an_apple_has_hollows_shoulders_and_flattened_ends() -> None:
    body = Body.of(shape_of(FUJI, 80.0, np.random.default_rng(1)))
    stem, calyx = body.hollows
    assert 20.0 < np.degrees(stem).mean() < 40.0
    assert 140.0 < np.degrees(calyx).mean() < 165.0
    assert body.radius_mm[0, 0] < 0.75 * body.height_mm / 2.0, "the cavity's floor lies deep below the shoulders"
    assert 0.75 < body.height_mm / body.diameter_mm < 0.95
    rounder = Body.of(Shape(diameter_mm=80.0))
    assert np.ptp(rounder.hollows[0]) == 0.0 and rounder.hollows[0].max() == 0.0


def test_normals_stand_on_the_surface() -> None:
    body = Body.of(shape_of(FUJI, 80.0, np.random.default_rng(2)))
    theta, phi = np.linspace(0.0, np.pi, 145), np.linspace(0.0, 2.0 * np.pi, 289)
    points = directions(theta, phi) * body.radius_mm[..., None]
    inner = slice(8, -8)  # away from the poles, where longitudes crowd
    for axis in (0, 1):
        along = np.gradient(points, axis=axis)[inner, 2:-2]
        normal = body.normals[inner, 2:-2]
        sine = (along * normal).sum(-1) / np.linalg.norm(along, axis=-1) / np.linalg.norm(normal, axis=-1)
        assert np.abs(sine).max() < 0.02
