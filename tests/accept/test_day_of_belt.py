"""A day of belt through the step: every fruit in its own row, or named, however frames, readings and encoder fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench import day

SEED, FAULTY_SHARE = 5, 0.1
"""With faults a tenth of a day is run: some hundred of each kind."""
MOST_GROWTH_MB = 20.0
MOST_RMSE_G = 1.15
"""In the last rounds of the chain. The scale's own noise is 1.0, without tares it is 1.24; a lane that is hardly ever
empty needs some 200 rounds to learn them."""


@pytest.mark.parametrize("faults", [False, True], ids=["undisturbed", "with faults"])
def test_a_day_of_belt_loses_and_mixes_up_nobody(
    faults: bool, request: pytest.FixtureRequest, figure: Callable[..., None]
) -> None:
    fruit = request.config.getoption("--accept-day-fruit")
    found = day.measure(round(fruit * FAULTY_SHARE) if faults else fruit, seed=SEED, faults=faults)

    book = found.book
    print("\n".join(day.report(found)))
    figure("fruit that entered", book.entered, of=f"seed {SEED}, {day.LANES} lanes")
    figure("fruit lost", book.lost, most=0)
    figure("rows of another fruit, without a flag", book.mixed_up, most=0)
    figure("fruit that the books do not account for", abs(book.balance), most=0)
    if not faults:
        figure("fruit in doubt, rows of no fruit", book.in_doubt + book.rows_in_doubt, most=0)
        figure("rows with a flag", 100 * book.flagged / book.rows, "%", most=2.0)
    if not faults and fruit >= 500_000:
        figure("mass at the end of the day, RMSE", book.mass_rmse_g(slice(-10, None)), "g", most=MOST_RMSE_G)
    figure("memory growth", found.rss_mb[1] - found.rss_mb[0], "MB", most=MOST_GROWTH_MB)
    figure("speed", book.entered / found.seconds, "fruit/s")
