"""One thing after the other goes wrong on a running line, and a person resets what has latched.

    python -m bench.holding.faults [--minutes 60] [--seed 1] [--lanes 4] [--cups-per-second 12]

The faults are those of `hardware.sim.faults`, one every 20 s, each kind once before any comes again. In the end no
fruit may lie in an outlet that its decision does not name, the station must be well, and it must not have grown.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.holding.station import RunningStation
from grader.app.orders import give_order
from grader.domain.orders import Refused, Reset, Show, Shown
from grader.domain.snapshot import Snapshot, State
from grader.errors import DeviceError
from hardware.sim.faults import DRAWN

LOOK_S = 0.5
SETTLED_SHARE = 0.2
"""Memory and open files of the last tenth of the time are compared with those of a tenth that begins here: medians, for
a device that is being opened again has its files open or not."""
WELL_WITHIN_S = 60.0
"""After the last fault: a camera is opened again at most a minute later."""


def measure(
    minutes: float,
    seed: int = 1,
    lanes: int = 4,
    cups_per_second: float = 12.0,
    progress: Callable[[float], None] = lambda share: None,
    out: Path | None = None,
) -> dict[str, float]:
    """resets, resets_refused; faulted_share of the time; well: 1 if the station was running without findings in the
    end; growth_mb and growth_files from when it had settled. The rest as in `grader.app.refereed.Refereed`."""
    with tempfile.TemporaryDirectory(prefix="faults-") as passing:
        folder = out if out is not None else Path(passing)
        faults = _scenario(folder, minutes, seed, lanes)
        station = RunningStation(
            folder,
            *("--lanes", lanes, "--cups-per-second", cups_per_second, "--seed", seed, "--scenario", faults),
        )
        try:
            found = _watched(station, minutes, progress)
            station.stop(120.0)
        finally:
            station.process.kill()
            station.process.wait()
        verdict, summary = station.verdict(), station.summary()
    return {
        **found,
        "fruit": float(summary["fruit"]),
        **{name: float(summary[name]) for name in ("late", "refused", "void")},
        **{
            name: float(verdict[name])
            for name in ("landed", "as_decided", "by_default", "undecided", "openings", "unasked")
        },
        "misses": float(len(verdict["misses"])),
    }


def _scenario(folder: Path, minutes: float, seed: int, lanes: int) -> Path:
    """A file of faults that ends a while before the run does."""
    from hardware.sim.faults import random_faults

    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for fault in random_faults(20.0, seed, lanes=lanes, outlets=8):
        if fault.at_s > minutes * 60.0:
            break
        lines.append("[[fault]]")
        for name in fault.__struct_fields__:
            value = getattr(fault, name)
            if value is not None:
                lines.append(f"{name} = {json.dumps(value)}")
    path = folder / "scenario.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _watched(station: RunningStation, minutes: float, progress: Callable[[float], None]) -> dict[str, float]:
    """Look on, and reset what has latched."""
    _wait_until_it_runs(station)
    began = time.monotonic()
    resets = refused = looks = faulted = 0
    grown: list[tuple[float, int]] = []  # memory and open files at every look
    while (so_far_s := time.monotonic() - began) < minutes * 60.0:
        time.sleep(LOOK_S)
        station.require_alive()
        shown = _look(station.folder)
        looks += 1
        if shown is not None and shown.state is State.FAULTED:
            faulted += 1
            if isinstance(give_order(station.folder, Reset()), Refused):
                refused += 1
            else:
                resets += 1
        grown.append((station.resident_mb(), station.open_files()))
        progress(so_far_s / (minutes * 60.0))
    well = _gets_well(station)
    settled, end = np.array(grown[int(SETTLED_SHARE * looks) :]), np.array(grown[-max(looks // 10, 1) :])
    before_mb, before_files = np.median(settled[: len(end)], axis=0).tolist()
    after_mb, after_files = np.median(end, axis=0).tolist()
    return {
        "minutes": minutes,
        "resets": float(resets),
        "resets_refused": float(refused),
        "faulted_share": faulted / max(looks, 1),
        "well": float(well),
        "settled_mb": before_mb,
        "growth_mb": after_mb - before_mb,
        "settled_files": before_files,
        "growth_files": after_files - before_files,
    }


def _wait_until_it_runs(station: RunningStation) -> None:
    deadline = time.monotonic() + 300.0
    while station.fruit_kept() == 0:
        station.require_alive()
        if time.monotonic() > deadline:
            raise RuntimeError("no fruit was written within five minutes")
        time.sleep(0.1)


def _look(folder: Path) -> Snapshot | None:
    try:
        answer = give_order(folder, Show())
    except DeviceError:
        return None
    return answer.snapshot if isinstance(answer, Shown) else None


def _gets_well(station: RunningStation) -> bool:
    """Whether it runs, with nothing found wrong, within the time that the slowest return takes. If not, says why."""
    deadline, shown = time.monotonic() + WELL_WITHIN_S, None
    while time.monotonic() < deadline:
        shown = _look(station.folder)
        if shown is not None and shown.state is State.RUNNING and not shown.findings:
            return True
        if shown is not None and shown.state is State.FAULTED:
            give_order(station.folder, Reset())
        time.sleep(LOOK_S)
    ailing = "it does not answer" if shown is None else ", ".join([shown.state.value, *map(str, shown.findings)])
    print(f"not well after {WELL_WITHIN_S:g} s: {ailing}", file=sys.stderr)
    return False


def main() -> None:
    """Print what came of it."""
    asked = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    asked.add_argument("--minutes", type=float, default=60.0)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--lanes", type=int, default=4)
    asked.add_argument("--cups-per-second", type=float, default=12.0)
    asked.add_argument("--out", type=Path, help="a folder to keep what came of it")
    given = asked.parse_args()
    print(f"{given.minutes:g} minutes, {given.lanes} lanes x {given.cups_per_second:g}/s, seed {given.seed}:")
    print(f"one of {len(DRAWN)} kinds of faults every 20 s", flush=True)
    found = measure(given.minutes, given.seed, given.lanes, given.cups_per_second, out=given.out)
    for name, value in found.items():
        print(f"{name:24} {value:12.6g}", flush=True)


if __name__ == "__main__":
    main()
