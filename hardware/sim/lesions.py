"""Lesions: spots of damaged skin with exactly known area, painted by recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hardware.sim.skin import Grid, Skin, cells
from hardware.sim.varieties import Reflectance, linear

Place = Literal["anywhere", "stem", "calyx", "side"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionRecipe:
    """One kind of lesion.

    area_mm2: least and most, drawn evenly in the logarithm. place: where on the fruit. longer: least and most length
    over width. ragged: how uneven the outline is. edge_mm: width over which it fades into the skin; the true area
    ends where it is half faded.
    tint: what it multiplies the skin by (blush shows through); colour, cover: what it covers it with and how far.
    rim_mm, rim: width and colour of a rim inside the edge, 0 for none. mottle: SD of its own mottling.
    cluster_deg: further lesions of the kind on one fruit lie so far from the first; 0: anywhere.
    share: how common it is among lesions.
    """

    name: str
    area_mm2: tuple[float, float]
    place: Place = "anywhere"
    longer: tuple[float, float] = (1.0, 1.4)
    ragged: float = 0.1
    edge_mm: float = 1.0
    tint: Reflectance = (1.0, 1.0, 1.0, 1.0)
    colour: Reflectance = (0.05, 0.1, 0.15, 0.4)
    cover: tuple[float, float] = (0.7, 0.9)
    rim_mm: float = 0.0
    rim: Reflectance = (0.05, 0.1, 0.15, 0.4)
    mottle: float = 0.1
    cluster_deg: float = 0.0
    share: float = 1.0


@dataclass(frozen=True)
class Lesion:
    """One painted lesion. cells: flat indices into the grid; cover: (n,) share 0..1 of each of them that it takes."""

    kind: str
    cells: NDArray[np.intp]
    cover: Grid


@dataclass(frozen=True, slots=True)
class Outline:
    """A closed curve on the surface about a centre: mean radius, length over width, and waves of its edge."""

    centre: Grid  # unit vector (3,)
    radius_mm: float
    longer: float
    lean: float  # radians, which way its length lies
    ragged: Grid  # (n,) amplitudes of 2 .. n + 1 waves around the edge
    ragged_phase: Grid


def paint_lesions(skin: Skin, recipes: tuple[LesionRecipe, ...], count: int, rng: np.random.Generator) -> list[Lesion]:
    """Paints `count` lesions, usually of one kind, as damage comes: hail hits more than once."""
    painted: list[Lesion] = []
    shares = np.array([recipe.share for recipe in recipes])
    recipe, first = recipes[int(rng.choice(len(recipes), p=shares / shares.sum()))], None
    for _ in range(count):
        if painted and rng.random() > 0.65:
            recipe, first = recipes[int(rng.choice(len(recipes), p=shares / shares.sum()))], None
        outline = drawn_outline(recipe, first, rng)
        first = outline.centre if first is None else first
        painted.append(paint_lesion(skin, recipe, outline, rng))
    return painted


def drawn_outline(recipe: LesionRecipe, near: Grid | None, rng: np.random.Generator) -> Outline:
    """Where a lesion lies and how its edge runs. near: unit vector of the first of a cluster."""
    low, high = np.log(recipe.area_mm2)
    area_mm2 = float(np.exp(rng.uniform(low, high)))
    if near is not None and recipe.cluster_deg > 0.0:
        centre = near + np.tan(np.radians(recipe.cluster_deg)) * 0.6 * rng.standard_normal(3)
    else:
        z_low, z_high = {"anywhere": (-0.75, 0.75), "stem": (0.4, 0.85), "calyx": (-0.8, -0.3), "side": (-0.4, 0.6)}[
            recipe.place
        ]
        z, phi = rng.uniform(z_low, z_high), rng.uniform(0.0, 2.0 * np.pi)
        ring = np.sqrt(1.0 - z * z)
        centre = np.array([ring * np.cos(phi), ring * np.sin(phi), z])
    return Outline(
        centre=(centre / np.linalg.norm(centre)).astype(np.float32),
        radius_mm=float(np.sqrt(area_mm2 / np.pi)),
        longer=float(rng.uniform(*recipe.longer)),
        lean=float(rng.uniform(0.0, np.pi)),
        ragged=(recipe.ragged * rng.standard_normal(5) / np.arange(1.0, 6.0)).astype(np.float32),
        ragged_phase=rng.uniform(0.0, 2.0 * np.pi, 5).astype(np.float32),
    )


def paint_lesion(skin: Skin, recipe: LesionRecipe, outline: Outline, rng: np.random.Generator) -> Lesion:
    """Paints one lesion in place and says which cells it took."""
    inside_mm, where = depth_inside(skin, outline, recipe.edge_mm)
    look = skin.reflectance.reshape(-1, 4)
    before = look[where]
    fade = np.clip(0.5 + inside_mm / max(recipe.edge_mm, 0.1), 0.0, 1.0)[:, None]
    colour: Grid = np.broadcast_to(linear(recipe.colour), before.shape)
    if recipe.rim_mm > 0.0:
        rim = np.clip(1.5 - inside_mm / recipe.rim_mm, 0.0, 1.0)[:, None]
        colour = colour + rim * (linear(recipe.rim) - colour)
    colour = colour * (1.0 + recipe.mottle * rng.standard_normal((len(where), 1), dtype=np.float32))
    cover = float(rng.uniform(*recipe.cover))
    after = before * linear(recipe.tint) * (1.0 - cover) + colour * cover
    look[where] = np.clip(before + fade * (after - before), 0.0, 0.95).astype(np.float32)
    return Lesion(recipe.name, where, share_inside(skin, inside_mm, where))


def depth_inside(skin: Skin, outline: Outline, reach_mm: float) -> tuple[Grid, NDArray[np.intp]]:
    """How far inside the outline cells near it lie, in mm along the surface, negative outside; and which cells.

    Only cells within reach_mm outside the outline are returned. Distances are chords from the centre bent back onto the
    arc, so that an outline of radius r on a sphere is a cap of arc r.
    """
    way = cells().way
    centre = outline.centre
    at_mm = float(skin.radius_mm.reshape(-1)[int((way @ centre).argmax())])
    longest_mm = outline.radius_mm * np.sqrt(outline.longer) * (1.0 + float(np.abs(outline.ragged).sum())) + reach_mm
    near = way @ centre > np.cos(min(1.3 * longest_mm / at_mm + 0.05, np.pi))
    where = np.flatnonzero(near)
    one = np.cross(centre, (1.0, 0.0, 0.0) if abs(centre[0]) < 0.8 else (0.0, 1.0, 0.0)).astype(np.float32)
    one /= np.linalg.norm(one)
    two = np.cross(centre, one).astype(np.float32)
    ways = way.reshape(-1, 3)[where]
    arc_mm = np.arccos(np.clip(ways @ centre, -1.0, 1.0)) * at_mm
    turn = np.arctan2(ways @ two, ways @ one) - outline.lean
    # An ellipse of the same area, then waves along its edge.
    edge_mm = outline.radius_mm / np.sqrt(np.cos(turn) ** 2 / outline.longer + np.sin(turn) ** 2 * outline.longer)
    orders = np.arange(2, 2 + len(outline.ragged))
    waves = (outline.ragged * np.cos(turn[:, None] * orders + outline.ragged_phase)).sum(axis=1)
    inside = edge_mm * np.maximum(1.0 + waves, 0.2) - arc_mm
    keep = inside > -reach_mm
    return inside[keep].astype(np.float32), where[keep]


def share_inside(skin: Skin, inside_mm: Grid, where: NDArray[np.intp]) -> Grid:
    """Share of each cell that lies inside an edge: cells are not all in or all out, so areas are right below a cell."""
    across_mm = np.sqrt(skin.area_mm2.reshape(-1)[where])
    return np.asarray(np.clip(0.5 + inside_mm / across_mm, 0.0, 1.0), np.float32)


def defect_area_mm2(skin: Skin, lesions: list[Lesion]) -> float:
    """True area of all lesions on the skin; where two overlap, the skin counts once."""
    cover = np.zeros(skin.area_mm2.size, np.float32)
    for lesion in lesions:
        np.maximum.at(cover, lesion.cells, lesion.cover)
    return float((cover * skin.area_mm2.reshape(-1))[skin.skin.reshape(-1)].sum(dtype=np.float64))


def defects_text(lesions: list[Lesion]) -> str:
    """`bruise:1+scab:2`, kinds in the alphabet's order; empty for a sound fruit."""
    kinds = [lesion.kind for lesion in lesions]
    return "+".join(f"{kind}:{kinds.count(kind)}" for kind in sorted(set(kinds)))
