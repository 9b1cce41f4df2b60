"""Fruit as closed surfaces: a radius for every direction seen from a point inside.

Body frame: the stem-calyx axis is z, the stem at +z. theta: angle from the stem, 0..pi. phi: longitude, 0..2 pi.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

THETA_STEPS, PHI_STEPS = 144, 288  # 1.25 degrees: bilinear radius is within 0.01 mm, also at a sharp shoulder


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The numbers that a body is made from. All zero but diameter_mm, with squareness 2 and slenderness 1: a sphere.

    slenderness: height over diameter of the body before its hollows. squareness: exponent of the
    superellipse of the profile, 2 is an ellipse, more has squarer shoulders. taper: share by which the stem end is
    larger than the calyx end. *_depth: depth of a hollow over the equator's radius; *_width_deg: its half width.
    oval: share by which the equator is longer one way. lopsided: share by which one shoulder is higher.
    ribs: share of the rib_count ribs that swell towards the calyx. ripple: share of three flat sides.
    *_phase: longitudes in radians.
    """

    diameter_mm: float
    slenderness: float = 1.0
    squareness: float = 2.0
    taper: float = 0.0
    stem_depth: float = 0.0
    stem_width_deg: float = 20.0
    calyx_depth: float = 0.0
    calyx_width_deg: float = 18.0
    oval: float = 0.0
    oval_phase: float = 0.0
    lopsided: float = 0.0
    lopsided_phase: float = 0.0
    ribs: float = 0.0
    rib_count: int = 5
    rib_phase: float = 0.0
    ripple: float = 0.0
    ripple_phase: float = 0.0


def _profile(shape: Shape, theta: Array) -> Array:
    """Radius over the equator's radius, of the body of revolution."""
    n = shape.squareness
    body = (np.sin(theta) ** n + np.abs(np.cos(theta) / shape.slenderness) ** n) ** (-1.0 / n)
    body = body * (1.0 + shape.taper * np.cos(theta))
    stem = shape.stem_depth * np.exp(-((theta / np.radians(shape.stem_width_deg)) ** 2))
    calyx = shape.calyx_depth * np.exp(-(((np.pi - theta) / np.radians(shape.calyx_width_deg)) ** 2))
    return np.asarray(body - stem - calyx)


def radius_shares(shape: Shape, theta: Array, phi: Array) -> Array:
    """Radius of the unscaled body over a grid: theta (n,), phi (m,) radians -> (n, m), about 1 at the equator.

    Every departure from a body of revolution is a product of a function of theta that vanishes at the poles and a
    wave along phi, so the surface is smooth everywhere.
    """
    round_, towards_calyx = np.sin(theta) ** 2, np.sin(theta) * (1.0 - np.cos(theta)) / 2.0
    high_shoulder = np.where(theta < np.pi / 2, np.sin(2.0 * theta), 0.0)
    waves = (
        0.5 * shape.oval * np.outer(round_, np.cos(2.0 * (phi - shape.oval_phase)))
        + shape.lopsided * np.outer(high_shoulder, np.cos(phi - shape.lopsided_phase))
        + shape.ribs * np.outer(towards_calyx, np.cos(shape.rib_count * (phi - shape.rib_phase)))
        + shape.ripple * np.outer(round_, np.cos(3.0 * (phi - shape.ripple_phase)))
    )
    return np.asarray(_profile(shape, theta)[:, None] * (1.0 + waves))


@dataclass(frozen=True)
class Body:
    """A shape at its true size, with the tables that a renderer and the truth need.

    radius_mm: (THETA_STEPS + 1, PHI_STEPS + 1) float64 at theta = i pi / THETA_STEPS, phi = j 2 pi / PHI_STEPS; the
    last column repeats the first. scale_mm: millimetres of one unit of the shape.
    """

    shape: Shape
    scale_mm: float
    radius_mm: Array

    @classmethod
    def of(cls, shape: Shape) -> Body:
        """The body whose largest width across the axis is exactly shape.diameter_mm."""
        theta, phi = node_angles()
        shares = radius_shares(shape, theta, phi)
        scale_mm = shape.diameter_mm / _widest(shares)
        return cls(shape, scale_mm, shares * scale_mm)

    def radius_at(self, theta: Array, phi: Array) -> Array:
        """Radius in mm over another grid, exact: theta (n,), phi (m,) -> (n, m)."""
        return radius_shares(self.shape, theta, phi) * self.scale_mm

    @cached_property
    def normals(self) -> Array:
        """(n, m, 3): the gradient of |p| - radius(direction) at the surface; its length is surface per solid angle
        over radius squared, its direction the outward normal."""
        theta, phi = node_angles()
        return surface_gradient(self.radius_mm, theta, phi)

    @cached_property
    def diameter_mm(self) -> float:
        """The largest width across the stem-calyx axis."""
        return _widest(self.radius_mm)

    @cached_property
    def _along_axis(self) -> Array:
        theta, _ = node_angles()
        return self.radius_mm * np.cos(theta)[:, None]

    @cached_property
    def height_mm(self) -> float:
        """From the highest shoulder to the base, along the axis; the stem does not count."""
        return float(self._along_axis.max() - self._along_axis.min())

    @cached_property
    def middle_mm(self) -> float:
        """Where the middle of the height lies on the axis, from the frame's origin."""
        return float(self._along_axis.max() + self._along_axis.min()) / 2.0

    @cached_property
    def volume_ml(self) -> float:
        """Volume in millilitres, by integration of radius^3 / 3 over the directions."""
        theta, _ = node_angles()
        cells = np.sin(theta)[:, None] * (np.pi / THETA_STEPS) * (2.0 * np.pi / PHI_STEPS)
        return float((self.radius_mm[:, :-1] ** 3 / 3.0 * cells).sum()) / 1000.0

    @cached_property
    def hollows(self) -> tuple[Array, Array]:
        """Where the skin begins and ends: theta of the rim of the stem cavity and of the calyx basin, (m,) each.

        The rim is the ridge: where the surface is highest, or lowest, along the axis at that longitude. Without a
        hollow it is at the pole.
        """
        near = int(THETA_STEPS * 65 / 180)  # no rim lies further from its pole
        stem = _ridge(self._along_axis[:near])
        calyx = np.pi - _ridge(-self._along_axis[::-1][:near])
        return stem, calyx


def node_angles() -> tuple[Array, Array]:
    """theta (THETA_STEPS + 1,) and phi (PHI_STEPS + 1,) of the nodes of a body's tables, radians."""
    return np.linspace(0.0, np.pi, THETA_STEPS + 1), np.linspace(0.0, 2.0 * np.pi, PHI_STEPS + 1)


def directions(theta: Array, phi: Array) -> Array:
    """Unit vectors (n, m, 3) of a grid of angles."""
    ring = np.sin(theta)[:, None]
    return np.stack(
        [ring * np.cos(phi), ring * np.sin(phi), np.broadcast_to(np.cos(theta)[:, None], (len(theta), len(phi)))],
        axis=-1,
    )


def surface_gradient(radius_mm: Array, theta: Array, phi: Array) -> Array:
    """Gradient of |p| - radius(direction) where it is 0: (n, m) over a full turn of phi -> (n, m, 3)."""
    by_theta = np.gradient(radius_mm, theta, axis=0) / radius_mm
    step = phi[1] - phi[0]
    closed = bool(np.isclose(phi[-1] - phi[0], 2.0 * np.pi))
    ring = radius_mm[:, :-1] if closed else radius_mm
    by_phi = (np.roll(ring, -1, axis=1) - np.roll(ring, 1, axis=1)) / (2.0 * step)
    if closed:
        by_phi = np.concatenate([by_phi, by_phi[:, :1]], axis=1)
    # At the poles the surface is level along phi: the quotient tends to 0, not to infinity.
    by_phi = by_phi / (radius_mm * np.maximum(np.sin(theta), 1e-3)[:, None])
    ct, st, cp, sp = np.cos(theta)[:, None], np.sin(theta)[:, None], np.cos(phi), np.sin(phi)
    return np.asarray(
        np.stack(
            [
                st * cp - by_theta * ct * cp + by_phi * sp,
                st * sp - by_theta * ct * sp - by_phi * cp,
                ct + by_theta * st + 0.0 * cp,
            ],
            axis=-1,
        )
    )


def _ridge(height: Array) -> Array:
    """Angle from the pole at which each column of (n, m) is highest, to a fraction of a step."""
    top = height.argmax(axis=0)
    inner = np.clip(top, 1, len(height) - 2)
    before, at, after = (np.take_along_axis(height, (inner + k)[None], axis=0)[0] for k in (-1, 0, 1))
    bend = np.minimum(before - 2.0 * at + after, -1e-12)
    between = np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    return np.asarray(np.where(top == 0, 0.0, inner + between) * np.pi / THETA_STEPS)


def _widest(radius: Array) -> float:
    """The largest calliper width across the axis, in the unit of the radius."""
    theta, phi = node_angles()
    reach = (radius * np.sin(theta)[:, None]).max(axis=0)[:-1]
    outline = np.stack([reach * np.cos(phi[:-1]), reach * np.sin(phi[:-1])])
    ways = np.stack([np.cos(phi[: PHI_STEPS // 2]), np.sin(phi[: PHI_STEPS // 2])], axis=1)
    along = ways @ outline
    return float((along.max(axis=1) - along.min(axis=1)).max())
