"""The line holds: killed a hundred times, broken for an hour, at the full rate."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.holding import faults, kills, rate

SEED = 1
LONGEST_GOING_ON_S = 3.0
MOST_GROWTH_MB, MOST_GROWTH_FILES = 20.0, 0


@pytest.mark.parametrize("disk", kills.DISKS)
def test_a_station_that_is_killed_fires_nothing_unwritten_and_goes_on(
    request: pytest.FixtureRequest, figure: Callable[..., None], disk: str
) -> None:
    times = request.config.getoption("--accept-kills")
    found = kills.measure(times, disk, SEED)

    figure("kills", found["kills"], of=f"4 lanes x 12 cups/s, disk {disk}, seed {SEED}")
    for name in ("landed", "as_decided", "by_default", "undecided", "openings"):
        figure(name.replace("_", " "), found[name])
    figure("fruit in an outlet that no decision names", found["misses"], most=0)
    figure("openings without a decision", found["unasked"], most=0)
    for name in ("p50", "p99"):
        figure(f"until the lot goes on, {name}", found[f"goes_on_s_{name}"], "s")
    figure("until the lot goes on, worst", found["goes_on_s_worst"], "s", most=LONGEST_GOING_ON_S)


def test_whatever_goes_wrong_no_fruit_is_where_its_decision_does_not_send_it(
    request: pytest.FixtureRequest, figure: Callable[..., None]
) -> None:
    found = faults.measure(request.config.getoption("--accept-fault-minutes"), SEED)

    figure("minutes with a fault every 20 s", found["minutes"], of=f"4 lanes x 12 cups/s, seed {SEED}")
    for name in ("fruit", "landed", "as_decided", "by_default", "undecided", "openings", "late", "refused", "void"):
        figure(name.replace("_", " "), found[name])
    figure("resets by a person", found["resets"], of=f"refused {found['resets_refused']:g}")
    figure("time faulted", 100 * found["faulted_share"], "%")
    figure("fruit in an outlet that no decision names", found["misses"], most=0)
    figure("openings without a decision", found["unasked"], most=0)
    figure("well in the end", found["well"], least=1)
    figure("memory growth from when it had settled", found["growth_mb"], "MB", most=MOST_GROWTH_MB)
    figure("more open files than then", found["growth_files"], most=MOST_GROWTH_FILES)


def test_the_full_rate_holds(request: pytest.FixtureRequest, figure: Callable[..., None]) -> None:
    minutes = request.config.getoption("--accept-rate-minutes")
    held = rate.run(8, 15.0, minutes * 60.0, SEED)

    figure("cups a second", held.fruit_per_s, of=f"8 lanes x 15, {minutes:g} minutes, seed {SEED}")
    figure("frames dropped", held.dropped, most=0)
    figure("commands late, refused or void", held.late, most=0)
    figure("landed where they were sent", 100 * held.share, "%", least=100 * rate.LEAST_SHARE)
    figure("frame to command, p99.9", held.p999_ms, "ms", most=rate.MOST_LATENCY_MS)
    figure("frame to command, worst", held.worst_ms, "ms")


def test_the_largest_rate_that_holds(request: pytest.FixtureRequest, figure: Callable[..., None]) -> None:
    found = rate.measure(seconds=request.config.getoption("--accept-seconds") * 3.0, seed=SEED)
    figure("largest rate that holds", found["largest_rate_cups_per_s_all"], "cups/s", of=f"8 lanes, seed {SEED}")
