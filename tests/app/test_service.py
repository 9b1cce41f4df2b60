"""The station as a service: what the service manager is told, by the real command on a real socket."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from grader.app.systemd import ALIVE, READY, STOPPING, ServiceManager
from grader.config.station import reference_installation
from grader.domain.events import Event, EventKind
from grader.storage.journal import open_journal
from grader.storage.provenance import RunInfo
from grader.storage.resume import where_to_go_on

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "grader.service"
PATIENCE_S = 120.0
SILENCE_S = 3.0
"""Twelve times as long as between two signs of life."""

# Python runs this before the program: a camera whose driver never comes back, as long as a file is there.
A_DRIVER_THAT_HANGS = """
import os, time
from hardware.triggered_camera import TriggeredCamera
works = TriggeredCamera.next_frame
def next_frame(self, timeout_s):
    while os.path.exists(os.environ["HANGS"]):
        time.sleep(0.02)
    return works(self, timeout_s)
TriggeredCamera.next_frame = next_frame
"""


class Told:
    """A service manager's socket, and all that was said to it."""

    def __init__(self, address: str) -> None:
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._end.bind(address)
        self.said: list[str] = []

    def next(self, timeout_s: float = PATIENCE_S) -> str | None:
        """The next message; None when nothing comes in time."""
        self._end.settimeout(timeout_s)
        try:
            self.said.append(self._end.recv(4096).decode())
        except TimeoutError:
            return None
        return self.said[-1]

    def until(self, message: str, station: subprocess.Popen[str]) -> None:
        """What follows begins with this, after what else may come."""
        deadline = time.monotonic() + PATIENCE_S
        while not (self.next(1.0) or "").startswith(message):
            assert time.monotonic() < deadline and station.poll() is None, f"{message} does not come: {self.said}"

    def until_silent(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self.next(SILENCE_S) is not None:
            assert time.monotonic() < deadline, f"it goes on: {self.said[-3:]}"

    def close(self) -> None:
        self._end.close()


@contextmanager
def a_station(told: str, out: Path, *words: object, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """The real command; whatever happens, neither it nor its line outlives the test."""
    process = subprocess.Popen(
        [sys.executable, "-m", "grader", "run", "--headless", "--lanes", "1", "--out", str(out), *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "NOTIFY_SOCKET": told, "LC_ALL": "C.UTF-8", **environ},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # as systemd does with what is left
        print(process.communicate()[0])


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as asked:
        return int(asked.getsockname()[1])


def cores_of_threads(pid: int) -> set[str]:
    said = "\n".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status"))
    return set(re.findall(r"^Cpus_allowed_list:\s*(.*)$", said, re.MULTILINE))


def children_of(pid: int) -> list[int]:
    said = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for child in said.split()]


def log_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "station.log").read_text().splitlines()]


def test_a_station_says_that_it_is_ready_and_alive_and_is_silent_when_its_line_hangs(tmp_path: Path) -> None:
    out, hangs, notify, port = tmp_path / "station", tmp_path / "hangs", str(tmp_path / "notify"), a_free_port()
    (tmp_path / "sitecustomize.py").write_text(A_DRIVER_THAT_HANGS)
    told = Told(notify)
    environ = {"HANGS": str(hangs), "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    core = max(os.sched_getaffinity(0))
    (tmp_path / "station.toml").write_text(f"[service]\ncores = [{core}]\n")
    words = ("--station", tmp_path / "station.toml", "--metrics-port", port)
    with a_station(notify, out, *words, **environ) as station:
        told.until(READY, station)
        assert told.said == [READY], "nothing before it"
        told.until(ALIVE, station)
        asked = time.monotonic()
        told.until(ALIVE, station)
        assert time.monotonic() - asked < 5.0
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            figures = answer.read().decode()
        assert 'grader_state{state="running"} 1\n' in figures and "# TYPE grader_stage_seconds histogram" in figures
        assert any(said.startswith("STATUS=running; lot lot-1") for said in told.said)
        assert cores_of_threads(station.pid) == {str(core)}, "the cores that its station file names"
        others = set().union(*map(cores_of_threads, children_of(station.pid)))
        everywhere = cores_of_threads(os.getpid())
        assert others == everywhere | {str(core)}, "the map process is the station's; the simulated line's are free"

        hangs.touch()
        told.until_silent()
        assert station.poll() is None, "it only hangs"
        station.send_signal(signal.SIGABRT)  # as systemd's watchdog does
        assert station.wait(PATIENCE_S) == -signal.SIGABRT
    told.close()
    started = log_of(out)[0]
    assert started["event"] == "started" and set(started["figures"]) >= {"grader", "opencv", "sha256_sheet"}
    assert "run_started" in {line["event"] for line in log_of(out)}
    resume = where_to_go_on(out / "journal.sqlite")
    assert resume is not None
    assert not resume.ended and resume.latched is None, "it goes on by itself"


def test_a_fault_that_nobody_has_reset_is_there_again_after_a_restart(tmp_path: Path) -> None:
    out = tmp_path
    write_faulted_journal(out / "journal.sqlite")
    told = Told("\0grader-test-" + str(os.getpid()))
    where = "@grader-test-" + str(os.getpid())
    with a_station(where, out) as station:
        told.until(READY, station)
        told.until(ALIVE, station)
        latched = "was faulted before it ended: the chain jumped off; see to it, then reset"
        assert any(said.startswith(f"STATUS=faulted: {latched}") for said in told.said)
        order = [sys.executable, "-m", "grader", "order", "reset", "--out", str(out)]
        assert subprocess.run(order, capture_output=True, timeout=PATIENCE_S).returncode == 0
        told.until("STATUS=running", station)
        station.send_signal(signal.SIGTERM)
        told.until(STOPPING, station)
        told.until(ALIVE, station)  # it drains under the eyes of the watchdog
        told.until_silent()
        assert station.wait(PATIENCE_S) == 0
    told.close()
    texts = [line["text"] for line in log_of(out)]
    at = [texts.index(text) for text in (f"faulted: {latched}", "ordered: reset", "the program has ended")]
    assert at == sorted(at)


def write_faulted_journal(path: Path) -> None:
    run = RunInfo(started_wall_s=1.8e9, versions={}, hashes={}, installation=reference_installation(lanes=1))
    journal = open_journal(path, run)
    journal.commit([], [], [Event(kind=EventKind.FAULT, text="the chain jumped off")])
    journal.close()


def test_without_a_service_manager_or_with_one_that_is_gone_nothing_is_said(tmp_path: Path) -> None:
    ServiceManager({}).tell(READY)
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).tell(READY)


def test_a_service_manager_that_does_not_listen_holds_nobody_up(tmp_path: Path) -> None:
    told = Told(str(tmp_path / "notify"))
    manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    for _ in range(10_000):
        manager.tell(ALIVE)
    told.close()


def test_the_state_is_one_line_and_said_when_it_changes(tmp_path: Path) -> None:
    told = Told(str(tmp_path / "notify"))
    manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    for status in ("running", "running", "faulted: the board\nis silent", "running"):
        manager.show(status)
    assert [told.next(), told.next(), told.next()] == [
        "STATUS=running",
        "STATUS=faulted: the board is silent",
        "STATUS=running",
    ]
    told.close()


# The unit


def settings_of(unit: Path) -> dict[str, str]:
    lines = [line for line in unit.read_text().splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_the_unit_runs_it_as_nobody_special_checks_first_and_watches() -> None:
    unit = settings_of(UNIT)
    assert unit["User"] == "grader" and unit["CapabilityBoundingSet"] == "" and unit["ProtectSystem"] == "strict"
    assert unit["Type"] == "notify" and float(unit["WatchdogSec"]) >= 10.0
    station = unit["ExecStartPre"].split(" check ")[1]
    assert f"--station {station} " in unit["ExecStart"], "what is checked is what is run"


def test_every_option_of_the_unit_is_one_of_the_command() -> None:
    words = settings_of(UNIT)["ExecStart"].split()
    assert words[1] == "run"
    said = subprocess.run([sys.executable, "-m", "grader", "run", "--help"], capture_output=True, text=True, check=True)
    assert all(word in said.stdout for word in words if word.startswith("--"))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
def test_systemd_understands_every_line_of_the_unit(tmp_path: Path) -> None:
    # The program lies elsewhere here: another one stands for it, since only what the lines say is asked.
    unit = tmp_path / "grader.service"
    unit.write_text(UNIT.read_text().replace("/opt/grader/.venv/bin/grader", sys.executable))
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=PATIENCE_S
    )
    about = [line for line in (said.stdout + said.stderr).splitlines() if "grader.service" in line]
    assert about == []
