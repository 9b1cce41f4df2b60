"""How long a gate command takes: from `submit` until the board's answer is read, over a real pseudo-terminal.

The board runs in the process of the simulator; commands come a row of cups at a time, 15 rows a second.
A pseudo-terminal says nothing about a USB adapter's latency timer: that comes on top.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from grader.clock import SystemClock
from grader.domain.decisions import GateCommand, GateOutcome, Result
from grader.units import NS_PER_MS, Pulse
from hardware.gate_board import GateBoardSettings, SerialGateBoard, board_configuration
from hardware.sim.bare_line import BareLine, prepare_bare_line
from hardware.sim.live import start_live_line

LINE = BareLine(lanes=8, cups_per_second=15.0, outlets=8)


def measure(seconds: float = 10.0) -> dict[str, float]:
    """dispatch_ms_p50, _p99, _worst over all commands; raises when one did not fire."""
    installation = LINE.installation
    with start_live_line(LINE, prepare=prepare_bare_line, installation=installation) as live:
        live.wait_ready(60)
        config = board_configuration(installation.line, installation.gates, pulses_per_frame=48)
        board = SerialGateBoard(GateBoardSettings(port=live.port), config, SystemClock())
        try:
            live.start_belt()
            sent = _dispatch(board, seconds)
            outcomes: list[GateOutcome] = []
            deadline = time.monotonic() + 10
            while len(outcomes) < sent and time.monotonic() < deadline:
                board.wait(0.1)
                outcomes += board.outcomes()
            fired = sum(outcome.result is Result.FIRED for outcome in outcomes)
            if fired != sent:
                raise RuntimeError(f"{fired} of {sent} commands fired: the figures would be of something else")
            took_ms = np.array(board.round_trips_ns()) / NS_PER_MS
        finally:
            board.close()
    return {
        "dispatch_ms_p50": float(np.percentile(took_ms, 50)),
        "dispatch_ms_p99": float(np.percentile(took_ms, 99)),
        "dispatch_ms_worst": float(took_ms.max()),
        "dispatch_commands": float(sent),
    }


def _dispatch(board: SerialGateBoard, seconds: float) -> int:
    """A row of commands per cup pitch, each for the gate that the cup would meet; returns how many."""
    sent, cup, end = 0, 0, time.monotonic() + seconds
    while time.monotonic() < end:
        while board.pulse() < cup * 96:
            board.wait(0.005)
        outlets = [1 + (cup + lane) % 8 for lane in range(LINE.lanes)]
        centres = [cup * 96 + 500 + (outlet - 1) * 600 for outlet in outlets]
        board.submit(
            [
                GateCommand(
                    lane=lane, cup=cup, outlet=outlet, open_pulse=Pulse(centre - 48), close_pulse=Pulse(centre + 48)
                )
                for lane, (outlet, centre) in enumerate(zip(outlets, centres, strict=True))
            ]
        )
        sent, cup = sent + LINE.lanes, cup + 1
    return sent


if __name__ == "__main__":
    for name, value in measure(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0).items():
        print(f"{name:24} {value:10.3f}")
