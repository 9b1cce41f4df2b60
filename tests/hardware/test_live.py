"""The simulated line as a process of its own: it runs, drains, tells the truth and goes with its parent."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from grader.clock import SystemClock
from grader.domain.decisions import GateCommand, Result
from grader.errors import CameraLost, DeviceError
from grader.units import Pulse
from hardware.gate_board import GateBoardSettings, SerialGateBoard, board_configuration
from hardware.local_socket import connect, listen
from hardware.sim.bare_line import BareLine, prepare_bare_line
from hardware.sim.faults import Fault, FaultKind
from hardware.sim.line_talk import SOCKET
from hardware.sim.live import LiveLine, Saboteur, is_running, start_live_line
from hardware.triggered_camera import TriggeredCamera

SETTINGS = BareLine(lanes=2, cups_per_second=15.0, fruit_every=2, outlets=2)


def started(settings=SETTINGS, prepare=prepare_bare_line, **changes):
    return start_live_line(settings, prepare=prepare, installation=SETTINGS.installation, **changes)


def board_of(live) -> SerialGateBoard:
    installation = SETTINGS.installation
    config = board_configuration(installation.line, installation.gates, pulses_per_frame=48)
    return SerialGateBoard(GateBoardSettings(port=live.port), config, SystemClock())


def prepare_never(settings, progress):
    for done in range(10_000):
        progress(done / 10_000)
        time.sleep(0.005)


def prepare_badly(settings, progress):
    raise ValueError("no apples today")


def test_fruit_lands_where_its_command_says_and_the_line_drains():
    with started() as live:
        told: list[float] = []
        live.wait_ready(30, told.append)
        assert told[0] == 0.0
        os.kill(live._process.pid, signal.SIGINT)  # Ctrl-C in a terminal reaches it too: it must live to drain
        board = board_of(live)
        camera = TriggeredCamera("top", live.open_camera(), board.triggers, SystemClock(), pulses_per_frame=48)
        sensors = live.open_sensors()
        live.start_belt()
        live.start_belt()
        outlet, frames, readings, landings, outcomes, next_cup = {}, [], [], [], [], 0
        deadline = time.monotonic() + 20
        while live.report is None:
            assert time.monotonic() < deadline
            frame = camera.next_frame(0.02)
            if frame is not None:
                assert frame.damage == ""
                frames.append((frame.sequence, frame.pulse, int(frame.pixels[0, 0, 0]), int(frame.pixels[0, -1, 0])))
                camera.release(frame)
                if frame.sequence == 40:
                    live.stop_feeding()
                    live.stop_feeding()
            while next_cup * 96 + 1500 <= board.pulse():
                if next_cup % 4 == 0:
                    outlet[next_cup] = 1 + next_cup // 4 % 2
                    centre = next_cup * 96 + 2000 + (outlet[next_cup] - 1) * 600
                    window = {"open_pulse": Pulse(centre - 48), "close_pulse": Pulse(centre + 48)}
                    board.submit(
                        [GateCommand(lane=lane, cup=next_cup, outlet=outlet[next_cup], **window) for lane in (0, 1)]
                    )
                next_cup += 1
            readings.append(sensors.readings())
            landings += live.landings()
            outcomes += board.outcomes()
        report = live.report
        landings += live.landings()
        fed = range(0, report.last_cup + 1, 2)
        assert sorted((one.lane, one.cup) for one in landings) == [(lane, cup) for lane in (0, 1) for cup in fed]
        assert all(one.outlet == outlet.get(one.cup, 0) for one in landings)
        assert (report.entered, report.landed, report.frames_dropped) == (len(landings), len(landings), 0)
        assert sum(report.by_outlet.values()) == report.landed
        weighings = [weighing for one in readings for weighing in one.weighings]
        assert [(w.lane, w.pulse) for w in weighings] == [(lane, cup * 96 + 1200) for cup in fed for lane in (0, 1)]
        scans = [scan for one in readings for scan in one.scans]
        assert [scan.kind for scan in scans[:2]] == ["dark", "dark"]
        assert len(scans) == len(weighings) + 2
        assert {o.result for o in outcomes if o.cup <= report.last_cup} == {Result.FIRED}
        # Frame n is exposure n + 1 of the belt, its pixels are its place in the loop; where no fruit is fed it is 0.
        assert [frame[:2] for frame in frames] == [(n, 48 * (n + 1)) for n in range(len(frames))]
        assert frames[5][2:] == (1 + 6 % 20, 0)
        assert frames[35][2:] == (1 + 36 % 20, 1 + 36 % 20)
        assert frames[-1][2:] == (0, 0)
        for device in (camera, sensors, board):
            device.close()
    assert not live.is_alive()


def test_a_station_that_takes_no_frames_costs_frames_and_nothing_else():
    with started(slots=2) as live:
        live.wait_ready(30)
        board = board_of(live)
        pictures, triggers = live.open_camera(), []
        camera = TriggeredCamera("top", pictures, lambda: triggers, SystemClock(), pulses_per_frame=48)
        live.start_belt()
        deadline = time.monotonic() + 10
        while len(triggers) < 10 and time.monotonic() < deadline:
            board.wait(0.1)
            triggers += board.triggers()
        damage = [camera.next_frame(1.0).damage for _ in range(4)]
        assert damage == ["", "", "lost", "lost"]
        for device in (camera, board):
            device.close()


def test_orders_before_it_is_ready_and_a_preparation_that_takes_too_long_are_errors():
    with started(prepare=prepare_never) as live:
        with pytest.raises(DeviceError, match="not ready"):
            live.wait_ready(1.0)
        with pytest.raises(DeviceError, match="not ready yet"):
            live.start_belt()
    assert not live.is_alive()
    live.stop()


def test_a_preparation_that_fails_says_why(capfd):
    with started(prepare=prepare_badly) as live, pytest.raises(DeviceError, match="no apples today"):
        live.wait_ready(30)


def test_a_belt_that_never_ran_reports_nothing_landed():
    with started() as live:
        live.wait_ready(30)
        live.stop_feeding()
        report = live.wait_report(10)
        assert (report.entered, report.landed) == (0, 0)


def test_a_simulator_that_is_killed_is_noticed_and_its_folder_can_be_used_again(tmp_path):
    with started(folder=tmp_path) as live:
        live.wait_ready(30)
        board = board_of(live)
        camera = TriggeredCamera("top", live.open_camera(), board.triggers, SystemClock(), pulses_per_frame=48)
        os.kill(live._process.pid, signal.SIGKILL)
        with pytest.raises(DeviceError, match="ended"):
            live.wait_report(10)
        with pytest.raises(CameraLost):
            camera.next_frame(0.1)
        assert live.landings() == []
        for device in (camera, board):
            device.close()
    assert not is_running(tmp_path)
    with pytest.raises(DeviceError):
        LiveLine(tmp_path)
    with started(folder=tmp_path) as live:
        live.wait_ready(30)
        with pytest.raises(DeviceError, match="another process listens"):
            listen(tmp_path / SOCKET)


STARTS_A_LINE = """
import os, signal, sys
from pathlib import Path
from hardware.sim.bare_line import BareLine, prepare_bare_line
from hardware.sim.live import start_live_line
settings = BareLine()
if __name__ == "__main__":
    folder, alone_s = Path(sys.argv[1]), float(sys.argv[2])
    live = start_live_line(
        settings, prepare=prepare_bare_line, installation=settings.installation, folder=folder, alone_s=alone_s
    )
    live.wait_ready(30)
    live.start_belt()
    print(live._process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_station(folder: Path, alone_s: float) -> int:
    """The process number of the line that a killed station leaves behind."""
    command = [sys.executable, "-c", STARTS_A_LINE, str(folder), str(alone_s)]
    return int(subprocess.run(command, capture_output=True, text=True, timeout=60).stdout)


def test_the_line_outlives_a_killed_station_and_another_one_goes_on_with_it(tmp_path):
    pid = killed_station(tmp_path, 30.0)
    live = LiveLine(tmp_path)
    assert live.wait_ready(10).running
    board = board_of(live)
    camera = TriggeredCamera("top", live.open_camera(), board.triggers, SystemClock(), pulses_per_frame=48)
    frames, deadline = [], time.monotonic() + 10
    while len(frames) < 5 and time.monotonic() < deadline:
        frame = camera.next_frame(0.1)
        if frame is not None:
            frames.append((frame.sequence, frame.pulse, frame.damage))
            camera.release(frame)
    assert [damage for *_, damage in frames] == [""] * 5
    assert len({pulse - 48 * sequence for sequence, pulse, _ in frames}) == 1
    for device in (camera, board):
        device.close()
    live.stop()
    assert is_gone(pid)


def test_the_line_ends_when_its_station_is_killed_and_none_comes_back(tmp_path):
    pid = killed_station(tmp_path, 0.3)
    assert is_gone(pid)
    assert {file.name for file in tmp_path.iterdir()} == {"line.log", "referee.jsonl"}


def test_a_station_that_forgets_to_stop_it_ends_all_the_same():
    script = """
from hardware.sim.bare_line import BareLine, prepare_bare_line
from hardware.sim.live import start_live_line
settings = BareLine()
if __name__ == "__main__":
    live = start_live_line(settings, prepare=prepare_bare_line, installation=settings.installation)
    live.wait_ready(30)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_camera_that_is_gone_can_be_opened_again_when_it_is_back(tmp_path):
    with started(folder=tmp_path) as live:
        live.wait_ready(30)
        live.start_belt()
        board, pictures = board_of(live), live.open_camera()
        assert pictures.take(5.0) is not None
        saboteur = Saboteur(tmp_path)
        saboteur.let_fail(Fault(kind=FaultKind.CAMERA_GONE, at_s=0.0, for_s=60.0))
        assert not saboteur.wait(5).is_over
        while pictures.take(0.1) is not None:
            pass
        assert pictures.closed
        with pytest.raises(DeviceError):
            live.open_camera()
        saboteur.mend()
        assert saboteur.wait(5).is_over
        again = live.open_camera()
        assert again.take(5.0) is not None
        for device in (pictures, again, board, saboteur):
            device.close()


def test_what_is_no_talk_of_ours_does_not_hurt_the_line(tmp_path):
    with started(folder=tmp_path) as live:
        live.wait_ready(30)
        for noise in (b"", b"\xff" * 4, b"\x05\x00\x00\x00hello", bytes(100)):
            end = connect(tmp_path / SOCKET)
            end.sendall(noise)
            end.close()
        live.start_belt()
        assert live.is_alive()


def test_the_simulator_sleeps_between_events():
    with started() as live:
        live.wait_ready(30)
        board = board_of(live)
        live.start_belt()
        pictures = live.open_camera()
        before, began = cpu_s(live._process.pid), time.monotonic()
        while time.monotonic() < began + 1.5:
            frame = pictures.take(0.1)
            if frame:
                pictures.release(frame)
        assert cpu_s(live._process.pid) - before < 0.35 * (time.monotonic() - began)
        for device in (pictures, board):
            device.close()


def test_the_bare_line_says_every_fruit_once():
    line = prepare_bare_line(SETTINGS, lambda done: None).source
    cuts = [0, 1, 1199, 1200, 1201, 1500, 3000]
    pairs = itertools.pairwise(cuts)
    weighings = [w for first, last in pairs for w in line.weighings_between(Pulse(first), Pulse(last))]
    assert [w.pulse for w in weighings[::2]] == list(range(1200, 3000, 192))
    assert np.isfinite([w.mass_g for w in weighings]).all()


def is_gone(pid: int, within_s: float = 10.0) -> bool:
    status, deadline = Path(f"/proc/{pid}/stat"), time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if status.read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
