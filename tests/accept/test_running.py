"""The line runs for minutes: no frame dropped, nothing late, every fruit where it was sent, memory at rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

LANES, CUPS_PER_SECOND, SEED = 4, 12.0, 1
SETTLED_SHARE = 0.2
"""Memory is compared with what it was after this share of the run: minute 2 of 10."""

MOST_GROWTH_MB = 20.0


def test_a_live_run_drops_nothing_is_never_late_and_sorts_as_it_decides(
    tmp_path: Path, request: pytest.FixtureRequest, figure: Callable[..., None]
) -> None:
    minutes = request.config.getoption("--accept-minutes")
    lanes = ("--lanes", str(LANES), "--cups-per-second", str(CUPS_PER_SECOND), "--seed", str(SEED))
    words = ("run", "--headless", "--minutes", str(minutes), *lanes, "--out", str(tmp_path))
    command = [sys.executable, "-m", "grader", *words]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as station:
        try:
            memory = _watched(station, minutes)
        except BaseException:
            station.terminate()  # it drains
            raise
    assert station.returncode == 0

    summary = json.loads((tmp_path / "summary.json").read_text())
    verdict = json.loads((tmp_path / "referee.json").read_text())
    for miss in verdict["misses"]:
        print(f"  missed: {miss}")
    latency = summary["latency"]["frame_to_command"]
    for name in ("p50_ms", "p99_ms", "p999_ms", "worst_ms"):
        figure(f"frame to command, {name.removesuffix('_ms')}", latency[name], "ms", of=f"n {latency['n']}")
    for stage in ("frame_to_step", "step", "commit"):
        figure(f"{stage}, p99", summary["latency"][stage]["p99_ms"], "ms", of=f"n {summary['latency'][stage]['n']}")
    rate = f"{LANES} lanes x {CUPS_PER_SECOND:g}/s, {minutes:g} minutes, seed {SEED}"
    figure("fruit", summary["fruit"], of=rate)
    figure("rows more than landings", summary["fruit"] - verdict["landed"], most=0, least=0)
    figure("rows whose fruit landed nowhere", verdict["never_landed"], most=0)
    figure("frames dropped", summary["frames_dropped"], most=0)
    figure("commands late, refused or void", sum(summary[name] for name in ("late", "refused", "void")), most=0)
    figure("landed where they were sent", 100 * verdict["share"], "%", least=99.9, of=f"n {verdict['landed']}")
    figure("memory when settled", memory[0], "MB")
    figure("memory growth until the end", memory[1] - memory[0], "MB", most=MOST_GROWTH_MB)


def _watched(station: subprocess.Popen[str], minutes: float) -> tuple[float, float]:
    """Memory of the station's process (MB) when settled and at the end of the run, by the system's own count."""
    assert station.stdout is not None
    for line in station.stdout:
        if line.startswith("RUNNING"):
            break
    began = time.monotonic()
    settled = end = 0.0
    for line in station.stdout:  # a line every ten seconds
        if line.startswith("DRAINING"):
            end = _resident_mb(station.pid)
        elif not settled and time.monotonic() - began >= SETTLED_SHARE * minutes * 60:
            settled = _resident_mb(station.pid)
    assert settled and end, "the run was too short to be watched"
    return settled, end


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return int(kilobytes) / 1024
