"""One view of one fruit: rays from the lens to the body's surface, shaded, with an outline right to a few hundredths
of a pixel.

World: millimetres, x along the belt and y across as in the picture, z towards the lens, 0 at the widest section of a
fruit of 80 mm, the lens at (0, 0, lens_above_mm). Colours are linear light.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware.sim.bodies import PHI_STEPS, THETA_STEPS, Array, Body
from hardware.sim.light import Lighting
from hardware.sim.skin import N_LAT, N_LON, Grid
from hardware.sim.varieties import linear

OUTLINE_WAYS = 192  # directions in which the outline is looked for; linear between them is within 0.003 mm
OUTLINE_LEVELS = np.radians(np.linspace(45.0, 135.0, 37))  # angles from the ray to the lens
NEWTON_STEPS = 6
LEAST_SLOPE, LONGEST_STEP = 0.2, 0.2  # short steps near a rim and over a hollow, or they would jump to its far side
SHADOW_PX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """A pinhole: mm_per_px at z = 0, height of the lens, its foot in the picture."""

    mm_per_px: float
    above_mm: float
    foot_px: tuple[float, float]

    def world_mm(self, x_px: float, y_px: float) -> tuple[float, float]:
        """Where a pixel lies in the plane z = 0."""
        return (x_px - self.foot_px[0]) * self.mm_per_px, (y_px - self.foot_px[1]) * self.mm_per_px

    def pixels(self, points: Array) -> Array:
        """(n, 3) world points -> (n, 2) pixels, x and y."""
        scale = self.above_mm / (self.above_mm - points[:, 2:]) / self.mm_per_px
        return np.asarray(points[:, :2] * scale + np.array(self.foot_px))


@dataclass(frozen=True)
class Model:
    """What rendering needs of a fruit, prepared once.

    surface: (THETA_STEPS + 1, PHI_STEPS + 1, 4) float32, gradient x, y, z and radius in mm at the nodes.
    look: (N_LAT, N_LON + 2, bands) uint16, reflectance with the hollows' shade in 65,535ths (float32 would take twice
        the memory, and a hundred fruit are ready at a time), one column repeated at each end.
    stem_mm: (n, 3) points of the stalk's middle line in the body frame, empty without; stem_width_mm.
    gloss: share of the outline that mirrors the lamps. reach_mm: largest radius. middle_mm: along the axis.
    """

    surface: Grid
    radius: Grid
    look: NDArray[np.uint16]
    stem_mm: Array
    stem_width_mm: float
    gloss: float
    middle_mm: float

    @classmethod
    def of(cls, body: Body, look: Grid, stem_mm: Array, stem_width_mm: float, gloss: float) -> Model:
        """The tables of a body with the look of its skin, (N_LAT, N_LON, bands)."""
        wrapped = np.concatenate([look[:, -1:], look, look[:, :1]], axis=1)
        surface = np.concatenate([body.normals, body.radius_mm[..., None]], axis=-1).astype(np.float32)
        return cls(
            surface=np.ascontiguousarray(surface),
            radius=np.ascontiguousarray(surface[..., 3]),
            look=np.round(np.clip(wrapped, 0.0, 1.0) * 65535.0).astype(np.uint16),
            stem_mm=stem_mm,
            stem_width_mm=stem_width_mm,
            gloss=gloss,
            middle_mm=body.middle_mm,
        )


def draw_fruit(canvas: Grid, model: Model, turn: Array, centre_mm: Array, lens: Lens, lighting: Lighting) -> None:
    """Draws one fruit into a picture of linear light, (h, w, bands), before the field's light is applied.

    turn: (3, 3) from body to world. centre_mm: (3,) world place of the middle of the body's height on its axis.
    """
    origin = centre_mm - turn @ np.array([0.0, 0.0, model.middle_mm])
    from_lens = origin - np.array([0.0, 0.0, lens.above_mm])
    distance = float(np.linalg.norm(from_lens))
    basis = _basis(from_lens / distance)
    to_body = (turn.T @ basis).astype(np.float32)
    reach = _outline(model, to_body, distance)

    x0, x1, y0, y1 = _box(reach, basis, lens, canvas.shape)
    if x1 <= x0 or y1 <= y0:
        return
    one, two = _rays(basis, lens, x0, x1, y0, y1)
    tangent, way = _polar(one, two)
    limit = _around(reach, way)
    inside_px = _distance_px(limit - tangent)
    cover = np.clip(inside_px + 0.5, 0.0, 1.0)

    patch = canvas[y0:y1, x0:x1]
    patch *= (1.0 - 0.5 * np.exp(np.minimum(inside_px, 0.0) / (0.4 * SHADOW_PX)))[..., None]
    seen = np.flatnonzero(cover > 0.0)
    if seen.size:
        shrink = np.minimum(1.0, 0.997 * limit.ravel()[seen] / np.maximum(tangent.ravel()[seen], 1e-9))
        light, depth = _surface_light(
            model, to_body, distance, one.ravel()[seen] * shrink, two.ravel()[seen] * shrink, basis, lighting
        )
        share = cover.ravel()[seen, None]
        flat = patch.reshape(-1, patch.shape[2])  # a copy: the patch is a window of the canvas
        flat[seen] = flat[seen] * (1.0 - share) + light * share
        patch[...] = flat.reshape(patch.shape)
        depths = np.full(cover.size, np.inf, np.float32)
        depths[seen] = np.where(cover.ravel()[seen] > 0.5, depth, np.inf)
        if len(model.stem_mm):
            _draw_stem(canvas, model, turn, origin, lens, depths.reshape(cover.shape), (x0, y0), basis)


def _basis(away: Array) -> Array:
    """Columns: two unit vectors across the ray from lens to fruit, and the ray."""
    one = np.array([away[2], 0.0, -away[0]]) / np.hypot(away[0], away[2])
    two = np.array([away[1] * one[2], away[2] * one[0] - away[0] * one[2], -away[1] * one[0]])
    return np.stack([one, two, away], axis=1)


@cache
def _outline_ways() -> tuple[Grid, Grid, Grid]:
    """Unit vectors (ways * levels, 3) in the basis about the ray, and sine and cosine of the levels."""
    way = np.arange(OUTLINE_WAYS) * 2.0 * np.pi / OUTLINE_WAYS
    sine, cosine = np.sin(OUTLINE_LEVELS), np.cos(OUTLINE_LEVELS)
    vectors = np.stack(
        [np.outer(np.cos(way), sine), np.outer(np.sin(way), sine), np.broadcast_to(-cosine, (len(way), len(sine)))],
        axis=-1,
    )
    return vectors.reshape(-1, 3).astype(np.float32), sine.astype(np.float32), cosine.astype(np.float32)


def _outline(model: Model, to_body: Grid, distance: float) -> Grid:
    """Tangent of the angle between the ray to the centre and the outline, (OUTLINE_WAYS,).

    The body is star-shaped about its centre, so its picture is about the centre's picture: in each direction the
    outline is the largest tangent among the surface points of that half plane, to a parabola between levels.
    """
    vectors, sine, cosine = _outline_ways()
    x, y, z = np.ascontiguousarray((vectors @ to_body.T).T)
    theta, phi, _ = _angles(x, y, z)
    radius = cv2.remap(model.radius, *_node_maps(theta, phi), cv2.INTER_LINEAR).reshape(OUTLINE_WAYS, -1)
    tangent = radius * sine / (distance - radius * cosine)
    top = np.clip(tangent.argmax(axis=1), 1, tangent.shape[1] - 2)
    rows = np.arange(OUTLINE_WAYS)
    before, at, after = tangent[rows, top - 1], tangent[rows, top], tangent[rows, top + 1]
    bend = np.minimum(before - 2.0 * at + after, -1e-9)
    return np.asarray(at - (before - after) ** 2 / (8.0 * bend), np.float32)


def _box(reach: Grid, basis: Array, lens: Lens, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Window of the picture that the outline and its shadow need, cut to the picture."""
    way = np.arange(OUTLINE_WAYS) * 2.0 * np.pi / OUTLINE_WAYS
    rays = basis @ np.stack([reach * np.cos(way), reach * np.sin(way), np.ones(OUTLINE_WAYS)])
    px = rays[:2] / -rays[2] * lens.above_mm / lens.mm_per_px + np.array(lens.foot_px)[:, None]
    low, high = np.floor(px.min(axis=1)).astype(int) - SHADOW_PX, np.ceil(px.max(axis=1)).astype(int) + SHADOW_PX + 1
    return max(low[0], 0), min(high[0], shape[1]), max(low[1], 0), min(high[1], shape[0])


def _rays(basis: Array, lens: Lens, x0: int, x1: int, y0: int, y1: int) -> tuple[Grid, Grid]:
    """Each pixel's ray over its component along the ray to the centre: two planes (y1 - y0, x1 - x0)."""
    x = ((np.arange(x0, x1) - lens.foot_px[0]) * lens.mm_per_px)[None]
    y = ((np.arange(y0, y1) - lens.foot_px[1]) * lens.mm_per_px)[:, None]
    along = x * basis[0, 2] + y * basis[1, 2] - lens.above_mm * basis[2, 2]
    one = (x * basis[0, 0] + y * basis[1, 0] - lens.above_mm * basis[2, 0]) / along
    two = (x * basis[0, 1] + y * basis[1, 1] - lens.above_mm * basis[2, 1]) / along
    return one.astype(np.float32), two.astype(np.float32)


def _around(reach: Grid, way: Grid) -> Grid:
    """The outline's tangent in the direction of each pixel."""
    closed = np.concatenate([reach, reach[:1]])[None]
    return np.asarray(
        cv2.remap(closed, way * np.float32(OUTLINE_WAYS / (2.0 * np.pi)), np.zeros_like(way), cv2.INTER_LINEAR)
    )


def _distance_px(inside: Grid) -> Grid:
    """A function that is 0 on a curve, as distance in pixels near the curve: over the length of its gradient."""
    dx = cv2.Sobel(inside, cv2.CV_32F, 1, 0, ksize=1, scale=0.5, borderType=cv2.BORDER_REPLICATE)
    dy = cv2.Sobel(inside, cv2.CV_32F, 0, 1, ksize=1, scale=0.5, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(inside / np.maximum(cv2.magnitude(dx, dy), 1e-9))


def _angles(x: Grid, y: Grid, z: Grid) -> tuple[Grid, Grid, Grid]:
    """theta, phi and length of vectors (n,), each (1, n): OpenCV is six times slower on columns."""
    ring, phi = _polar(x[None], y[None])
    length, theta = _polar(z[None], ring)
    return theta, phi, length


def _polar(x: Grid, y: Grid) -> tuple[Grid, Grid]:
    """Length and angle, 0..2 pi, of plane vectors; OpenCV's is right to 0.01 degrees and ten times as fast."""
    length, angle = cv2.cartToPolar(x, y)
    return np.asarray(length, np.float32), np.asarray(angle, np.float32)


def _node_maps(theta: Grid, phi: Grid) -> tuple[Grid, Grid]:
    return phi * np.float32(PHI_STEPS / (2.0 * np.pi)), theta * np.float32(THETA_STEPS / np.pi)


def _surface_light(
    model: Model, to_body: Grid, distance: float, one: Grid, two: Grid, basis: Array, lighting: Lighting
) -> tuple[Grid, Grid]:
    """Light that leaves the first surface point on each ray (n, bands), and its depth along the central ray (n,).

    Newton's steps from outside on |p| - radius(direction): the body is convex but for its hollows, so they close in
    from the front without passing the surface.
    """
    ray = to_body[:, :1] * one + to_body[:, 1:2] * two + to_body[:, 2:]
    start = -distance * to_body[:, 2:]
    front = float(model.radius.max())
    miss = distance * np.hypot(one, two)
    depth = (distance - np.sqrt(np.maximum(front**2 - miss**2, (0.2 * front) ** 2))).astype(np.float32)
    hidden = np.full_like(depth, np.inf)  # a depth known to lie inside: no step goes past it
    for _ in range(NEWTON_STEPS):
        x, y, z = start + depth * ray
        theta, phi, length = _angles(x, y, z)
        at = cv2.remap(model.surface, *_node_maps(theta, phi), cv2.INTER_LINEAR).reshape(-1, 4)
        gap = length.ravel() - at[:, 3]
        towards = np.minimum(np.einsum("ij,ji->i", at[:, :3], ray), -LEAST_SLOPE)
        np.minimum(hidden, depth, out=hidden, where=gap < 0.0)
        stepped = depth + np.minimum(-gap / towards, LONGEST_STEP * front)
        depth = np.where(stepped < hidden, stepped, 0.5 * (depth + hidden))
    look = cv2.remap(
        model.look,
        phi * np.float32(N_LON / (2.0 * np.pi)) + np.float32(0.5),
        theta * np.float32(N_LAT / np.pi) - np.float32(0.5),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).reshape(len(depth), -1)
    normal = at[:, :3] / np.sqrt(np.einsum("ij,ij->i", at[:, :3], at[:, :3]))[:, None]
    facing = np.clip(-(normal @ to_body[:, 2]), 0.0, 1.0)
    world_to_body = to_body @ basis.T
    lit = np.clip(normal @ (world_to_body @ np.array(lighting.towards)).astype(np.float32), 0.0, 1.0)
    shade = lighting.dome * (1.0 - lighting.limb * (1.0 - facing) ** 1.5) + (1.0 - lighting.dome) * lit
    light = look * (lighting.exposure / 65535.0 * shade)[:, None]
    if model.gloss > 0.0:
        light += _gloss(model.gloss, normal, world_to_body, lighting)[:, None]
    return light, depth


def _gloss(share: float, normal: Grid, world_to_body: Array, lighting: Lighting) -> Grid:
    """Mirror light (n,): the lamps' highlights together take about `share` of the outline.

    A cap of half angle b about a normal at angle t from the lens covers sin(b)^2 cos(t) of a sphere's outline.
    """
    mirrored = np.zeros(len(normal), np.float32)
    for lamp in lighting.lamps:
        half = np.array(lamp) + np.array([0.0, 0.0, 1.0])
        half /= np.linalg.norm(half)
        wide = np.arcsin(np.sqrt(share / len(lighting.lamps) / half[2]))
        angle = np.arccos(np.clip(normal @ (world_to_body @ half).astype(np.float32), -1.0, 1.0))
        mirrored += 0.75 * np.clip(1.0 - (angle - 0.7 * wide) / (0.6 * wide), 0.0, 1.0) ** 2
    return mirrored


def _draw_stem(
    canvas: Grid,
    model: Model,
    turn: Array,
    origin: Array,
    lens: Lens,
    depths: NDArray[np.float32],
    corner: tuple[int, int],
    basis: Array,
) -> None:
    """Draws the stalk where the fruit does not hide it, piece by piece of its middle line."""
    points = model.stem_mm @ turn.T + origin
    px = lens.pixels(points)
    along = (points - np.array([0.0, 0.0, lens.above_mm])) @ basis[:, 2]
    half_px = 0.5 * model.stem_width_mm / lens.mm_per_px
    low = np.maximum(np.floor(px.min(axis=0) - half_px - 1).astype(int), 0)
    high = np.minimum(np.ceil(px.max(axis=0) + half_px + 2).astype(int), (canvas.shape[1], canvas.shape[0]))
    if (high <= low).any():
        return
    x, y = np.arange(low[0], high[0])[None, None], np.arange(low[1], high[1])[None, :, None]
    # All pieces of the line at once, (pieces, h, w): the nearest one gives a pixel its distance and depth.
    begin, step = px[:-1, :, None, None], np.diff(px, axis=0)[:, :, None, None]
    off_x, off_y = x - begin[:, 0], y - begin[:, 1]
    length = np.maximum(step[:, 0] ** 2 + step[:, 1] ** 2, 1e-6)
    share = np.clip((off_x * step[:, 0] + off_y * step[:, 1]) / length, 0.0, 1.0)
    off_x, off_y = off_x - share * step[:, 0], off_y - share * step[:, 1]
    depth = along[:-1, None, None] + share * np.diff(along)[:, None, None]
    off = off_x**2 + off_y**2
    which = off.argmin(axis=0)[None]
    nearest = np.sqrt(np.take_along_axis(off, which, axis=0)[0])
    depth = np.take_along_axis(depth, which, axis=0)[0]
    side = np.take_along_axis(off_x - off_y, which, axis=0)[0]
    body = np.full(depth.shape, np.inf)
    left, top = np.maximum(low, corner)
    right, bottom = np.minimum(high, (corner[0] + depths.shape[1], corner[1] + depths.shape[0]))
    if left < right and top < bottom:
        overlap = depths[top - corner[1] : bottom - corner[1], left - corner[0] : right - corner[0]]
        body[top - low[1] : bottom - low[1], left - low[0] : right - low[0]] = overlap
    cover = np.clip(half_px - nearest + 0.5, 0.0, 1.0) * (depth < body + 0.6)
    light = linear((0.035, 0.085, 0.12, 0.5))[: canvas.shape[2]] * (0.8 + 0.2 * np.tanh(side))[..., None]
    patch = canvas[low[1] : high[1], low[0] : high[0]]
    patch += cover[..., None].astype(np.float32) * (light.astype(np.float32) - patch)
