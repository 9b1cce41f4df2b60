"""The simulated line at level `changing`: every fruit accounted for, and how far its values are from the truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench import accuracy

SEED, LANES = 2, 4

LIMITS = {"diameter_mm": (0.6, 1.0, "mm"), "blush_fraction": (4.0, 100.0, "points"), "mass_g": (1.5, 1.0, "g")}
"""By column: the RMSE asked for, the factor to its unit, the unit."""


def test_simulated_fruit_are_all_accounted_for_and_measured_to_the_limits(
    tmp_path: Path, request: pytest.FixtureRequest, grader: Callable[..., str], figure: Callable[..., None]
) -> None:
    fruit = request.config.getoption("--accept-fruit")
    recording, out = tmp_path / "line.packed", tmp_path / "out"
    grader("simulate", recording, "--level", "changing", "--fruit", fruit, "--lanes", LANES, "--seed", SEED)
    grader("replay", recording, "--out", out)

    found = accuracy.measure(recording, out / "fruit.csv")

    figure("fruit, level changing", found["truth_fruit"], least=fruit, of=f"seed {SEED}")
    figure("fruit without a row", found["missing"], most=0)
    figure("rows without a fruit", found["extra"], most=0)
    figure("fruit with a flag", 100 * found["flagged_fraction"], "%")
    for column, (most, factor, unit) in LIMITS.items():
        low, high = found[f"{column}_rmse_low95"] * factor, found[f"{column}_rmse_high95"] * factor
        spread = f"95 % {low:.3g} to {high:.3g}"
        figure(f"{column}: RMSE", found[f"{column}_rmse"] * factor, unit, most=most, of=spread)
        for what in ("bias", "worst", "rmse_unflagged"):
            figure(f"{column}: {what.replace('_', ' ')}", found[f"{column}_{what}"] * factor, unit)
        figure(f"{column}: fruit without a value", found[f"{column}_unmeasured"])
