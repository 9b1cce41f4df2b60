"""One fruit: everything about it drawn from its number, its body and skin made from that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hardware.sim.bodies import Array, Body, Shape
from hardware.sim.draws import keyed
from hardware.sim.lesions import Lesion, LesionRecipe, defect_area_mm2, defects_text, paint_lesions
from hardware.sim.levels import Level
from hardware.sim.litter import dirty
from hardware.sim.painting import Ripeness, hollow_shade, paint, ripeness_of
from hardware.sim.render import Model
from hardware.sim.skin import Skin
from hardware.sim.varieties import Variety, shape_of

MOST_LESIONS = 4
OVERSIZE_MM = (94.0, 102.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinTruth:
    """What only a painted skin knows."""

    blush_fraction: float
    defect_area_mm2: float
    defects: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fruit:
    """A fruit before its skin is painted: a few numbers. number: who it is; the same on every pass."""

    seed: int
    number: int
    variety: Variety
    level: Level
    shape: Shape
    diameter_mm: float
    height_mm: float
    volume_ml: float
    ripeness: Ripeness
    mass_g: float
    ssc_brix: float
    temperature_c: float
    gloss: float
    lesions: int
    lesion_recipes: tuple[LesionRecipe, ...]
    oversize: bool = False

    @classmethod
    def of(
        cls,
        seed: int,
        number: int,
        variety: Variety,
        level: Level,
        *,
        sound_share: float,
        lesion_recipes: tuple[LesionRecipe, ...],
        oversize_share: float = 0.0,
        diameter_mm: float | None = None,
    ) -> Fruit:
        """Draws one fruit. diameter_mm: given for the halves of a double, drawn otherwise."""
        rng = keyed(seed, "fruit", number)
        drawn_mm = float(np.clip(rng.normal(*variety.diameter_mm), variety.least_mm, variety.most_mm))
        oversize_mm, oversize = float(rng.uniform(*OVERSIZE_MM)), bool(rng.random() < oversize_share)
        size_mm = diameter_mm if diameter_mm is not None else oversize_mm if oversize else drawn_mm
        shape = shape_of(variety, size_mm, rng)
        body = Body.of(shape)
        ripeness = ripeness_of(variety, rng)
        mean_brix, sd_brix = variety.ssc_brix
        # Blush and sugar both come from the sun: the share of the spread that they have in common.
        common, blushed = variety.ssc_with_blush, 0.0
        if variety.blush_share:
            a, b = variety.blush_share
            blushed = (ripeness.blush_share - a / (a + b)) / np.sqrt(a * b / ((a + b) ** 2 * (a + b + 1.0)))
        own = float(rng.standard_normal())
        density, density_sd = variety.density_g_per_ml
        span = level.fruit_temp_span_c
        warmer = float(np.clip(level.fruit_temp_sd_c * rng.standard_normal(), -span, span))
        return cls(
            seed=seed,
            number=number,
            variety=variety,
            level=level,
            shape=shape,
            diameter_mm=body.diameter_mm,
            height_mm=body.height_mm,
            volume_ml=body.volume_ml,
            ripeness=ripeness,
            mass_g=body.volume_ml * float(rng.normal(density, density_sd)),
            ssc_brix=max(float(mean_brix + sd_brix * (common * blushed + np.sqrt(1.0 - common**2) * own)), 5.0),
            temperature_c=level.fruit_temp_mean_c + warmer,
            gloss=float(rng.uniform(level.gloss_low, level.gloss_high)),
            lesions=0 if rng.random() < sound_share else int(rng.integers(1, MOST_LESIONS + 1)),
            lesion_recipes=lesion_recipes,
            oversize=oversize and diameter_mm is None,
        )

    def painted(self) -> tuple[Body, Skin, list[Lesion]]:
        """The true skin with its lesions, without anything that lies on it. Takes some 30 ms."""
        body = Body.of(self.shape)
        skin = paint(self.variety, self.ripeness, body, keyed(self.seed, "skin", self.number))
        lesions = paint_lesions(skin, self.lesion_recipes, self.lesions, keyed(self.seed, "lesions", self.number))
        return body, skin, lesions

    def prepared(self, bands: int) -> tuple[Model, SkinTruth]:
        """What a camera of so many bands sees (the skin with stickers and drops, the shade of its hollows, the stalk),
        and what is true of the skin itself."""
        body, skin, lesions = self.painted()
        truth = SkinTruth(
            blush_fraction=skin.blush_fraction(),
            defect_area_mm2=defect_area_mm2(skin, lesions),
            defects=defects_text(lesions),
        )
        look = dirty(skin, keyed(self.seed, "dirt", self.number)) if self.level.fruit_dirt else skin.reflectance
        shaded = look[..., :bands] * hollow_shade(body)[..., None]
        stalk = _stalk(self.variety, body, keyed(self.seed, "stem", self.number))
        return Model.of(body, shaded, stalk, self.variety.stem_mm[1], self.gloss), truth


def _stalk(variety: Variety, body: Body, rng: np.random.Generator) -> Array:
    """Middle line of the stalk in the body frame, (n, 3): from the cavity's floor outwards, a little bent."""
    length_mm, _ = variety.stem_mm
    if length_mm == 0.0:
        return np.zeros((0, 3))
    share = np.linspace(0.0, 1.0, 5)
    lean, bend, turn = rng.normal(0.0, 0.12), rng.normal(0.0, 0.25), rng.uniform(0.0, 2.0 * np.pi)
    length_mm *= float(rng.uniform(0.55, 1.15))
    aside = length_mm * (lean * share + bend * share**2)
    up = body.radius_mm[0, 0] - 1.0 + length_mm * share
    return np.stack([aside * np.cos(turn), aside * np.sin(turn), up], axis=1)
