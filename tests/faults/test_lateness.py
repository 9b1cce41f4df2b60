"""A station that is held up: what comes too late for its gate is not sent, and counted."""

from __future__ import annotations

import os
import signal
import time

from rig import Floor, StationProcess, until

from grader.domain.decisions import Result
from grader.domain.snapshot import FindingKind, State

HELD_S = 1.0
"""Decided fruit has 347 ms to its first gate, less its lead, and half a second more to the next: a good part of a
second's fruit is late, which is more than one in a hundred of ten seconds'."""


def test_a_decision_that_is_later_than_its_lead_is_never_sent_and_its_fruit_goes_to_the_default_outlet(
    station: StationProcess, floor: Floor
) -> None:
    late, known, by_default = station.shown().late, len(floor.outcomes()), floor.verdict().by_default
    os.kill(station.process.pid, signal.SIGSTOP)
    time.sleep(HELD_S)  # this is the fault
    os.kill(station.process.pid, signal.SIGCONT)
    until(lambda: station.shown().late > late, "late commands are counted")
    station.until_found(FindingKind.LATE)
    assert station.shown().state is State.RUNNING
    station.until_sorting()
    outcomes = [each for each in floor.outcomes(known) if each.result is Result.LATE]
    assert outcomes
    assert {each.fired_pulse for each in outcomes} == {None}
    until(lambda: floor.verdict().by_default >= by_default + len(outcomes), "they have run off the belt's end")
