"""Sugar: what one fruit costs in the lane, and how far off it is on lots that the model has never seen.

    python -m bench.sugar

Timed as the lane has them: raw counts in; value, standard error and flags out; 48 fruit at once.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from calibration.sugar import make_default_sugar_model
from calibration.sugar_reference import Lots, simulated_reference_fruit
from grader.domain.artefacts import Values
from grader.spectra.sugar import soluble_solids

SEED, N_FRUIT, FRUIT_PER_LOT = 4242, 4000, 40
TOGETHER, ROUNDS = 48, 400


def measure() -> dict[str, float]:
    """Figures by name, units in the names. Raises ValueError when what was timed is not what was judged."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        model = make_default_sugar_model(Path(folder) / "sugar.npz")
    making_s = time.perf_counter() - started

    fruit = simulated_reference_fruit(N_FRUIT, SEED, fruit_per_lot=FRUIT_PER_LOT)
    found = soluble_solids(model, fruit.counts, fruit.white, fruit.dark)
    error_brix = found.ssc_brix - fruit.ssc_brix
    valued = np.isfinite(error_brix)
    low, high = _interval_over_lots(error_brix[valued], fruit.lots[valued])
    # What the flags are worth: the error if every scan that gives any number at all had been believed.
    believing = replace(model, t2_limit=1e12, q_limit=1e12, ssc_range_brix=(-1e3, 1e3))
    believed = soluble_solids(believing, fruit.counts, fruit.white, fruit.dark).ssc_brix - fruit.ssc_brix

    # One lot has one white and one dark, as a lane has.
    rows = np.resize(np.flatnonzero(fruit.lots == 0), TOGETHER)
    counts, white, dark = fruit.counts[rows].astype(np.float32), fruit.white[0], fruit.dark[0]
    rounds_us = np.empty(ROUNDS)
    for lap in range(ROUNDS):
        started = time.perf_counter()
        timed = soluble_solids(model, counts, white, dark)
        rounds_us[lap] = (time.perf_counter() - started) * 1e6 / TOGETHER
    if not np.allclose(timed.ssc_brix, found.ssc_brix[rows], equal_nan=True):
        raise ValueError("the values that were timed are not those that were judged")
    return {
        "sugar_us_per_fruit": float(np.median(rounds_us)),
        "sugar_us_per_fruit_p99": float(np.quantile(rounds_us, 0.99)),
        "sugar_model_made_s": making_s,
        "sugar_rmse_brix": _rmse(error_brix[valued]),
        "sugar_rmse_brix_low95": low,
        "sugar_rmse_brix_high95": high,
        "sugar_rmse_brix_flags_ignored": _rmse(believed[np.isfinite(believed)]),
        "sugar_bias_brix": float(error_brix[valued].mean()),
        "sugar_flagged_fraction": float(1.0 - valued.mean()),
        "sugar_within_two_sd_fraction": float((np.abs(error_brix) < 1.96 * found.ssc_brix_sd)[valued].mean()),
        "sugar_n_fruit": float(N_FRUIT),
        "sugar_n_lots": float(len(np.unique(fruit.lots))),
    }


def _rmse(error_brix: Values) -> float:
    return float(np.sqrt((error_brix**2).mean()))


def _interval_over_lots(error_brix: Values, lots: Lots) -> tuple[float, float]:
    """95 % of the RMSE when whole lots are drawn again: fruit of a lot share its error, so lots are what counts."""
    names, lot = np.unique(lots, return_inverse=True)
    squared, fruit = np.bincount(lot, error_brix**2), np.bincount(lot)
    drawn = np.random.default_rng(SEED).integers(0, len(names), (2000, len(names)))
    low, high = np.quantile(np.sqrt(squared[drawn].sum(axis=1) / fruit[drawn].sum(axis=1)), [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    print(
        f"level changing, seed {SEED}, {N_FRUIT} fruit in lots of {FRUIT_PER_LOT}; {ROUNDS} rounds of {TOGETHER} fruit"
    )
    for name, value in measure().items():
        print(f"{name:32s} {value:10.4f}")
