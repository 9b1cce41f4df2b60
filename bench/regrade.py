"""How long a million fruit that have passed take to be graded again by another sheet."""

from __future__ import annotations

import math
import time

import numpy as np

from grader.domain.fruit import FruitMeasurements
from grader.grading.compiled import CompiledSheet, compiled
from grader.grading.judge import Grades, grade
from grader.grading.presets import load_preset

FRUIT = 1_000_000
RUNS = 3
SAMPLE = 2_000


def measure() -> dict[str, float]:
    """`regrade_million_s`: median of three runs of the whole EU apple sheet. Raises ValueError for a wrong grade."""
    fruit, sheet = lot(FRUIT, seed=11), compiled(load_preset("eu_apples"), "Fuji")
    took_s = []
    for _ in range(RUNS):
        start = time.perf_counter()
        grades = grade(sheet, fruit)
        took_s.append(time.perf_counter() - start)
    check(sheet, fruit, grades)
    return {"regrade_million_s": sorted(took_s)[RUNS // 2]}


def lot(n: int, seed: int) -> FruitMeasurements:
    """Fruit around every limit of the sheet; some of them without weight or sugar."""
    rng = np.random.default_rng(seed)

    def some(values: np.ndarray) -> np.ndarray:
        return np.where(rng.random(n) < 0.05, np.nan, values)

    return FruitMeasurements.unmeasured(
        rng.integers(0, 8, n),
        np.arange(n),
        rng.choice([0, 0, 0, 0, 2], n),
        diameter_mm=rng.normal(72, 12, n),
        mass_g=some(rng.normal(170, 60, n)),
        blush_fraction=rng.beta(2, 2, n),
        defect_area_mm2=rng.exponential(60, n),
        ssc_brix=some(rng.normal(12, 2, n)),
    )


def check(sheet: CompiledSheet, fruit: FruitMeasurements, grades: Grades) -> None:
    """Compare a sample, fruit by fruit, with the sheet's text as one would read it aloud."""
    for row in range(0, len(fruit), max(1, len(fruit) // SAMPLE)):
        found = sheet.class_name(int(grades.grade[row]))
        wanted = class_by_hand(fruit, row)
        if found != wanted:
            raise ValueError(f"fruit {row} is graded {found!r}, it should be {wanted!r}")


def class_by_hand(fruit: FruitMeasurements, row: int) -> str:
    """The EU class of one Fuji apple (group B)."""
    diameter_mm, mass_g = round(float(fruit.diameter_mm[row]), 2), round(float(fruit.mass_g[row]), 2)
    ssc_brix, blush = round(float(fruit.ssc_brix[row]), 2), round(float(fruit.blush_fraction[row]), 4)
    defect_area_mm2 = round(float(fruit.defect_area_mm2[row]), 1)
    if fruit.flags[row]:
        return ""
    big = diameter_mm >= 60 or mass_g >= 90
    sweet = not math.isnan(ssc_brix) and ssc_brix >= 10.5 and (diameter_mm >= 50 or mass_g >= 70)
    if not (big or sweet):
        return ""
    if blush >= 0.50 and defect_area_mm2 <= 25:
        return "Extra"
    if blush >= 0.3333 and defect_area_mm2 <= 100:
        return "Class I"
    return "Class II" if defect_area_mm2 <= 250 else ""


if __name__ == "__main__":
    print(measure())
