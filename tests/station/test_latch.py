"""A fault latches: nothing but a person's reset ends it, and the first reason stands."""

from __future__ import annotations

import itertools

import pytest

from grader.domain.snapshot import FaultKind, State
from grader.station.latch import Latch
from grader.units import HostNs

KIND = FaultKind.OTHER


def running() -> Latch:
    latch = Latch()
    latch.run()
    return latch


def fault(latch: Latch, reason: str, *, can_reset: bool = True, now: int = 0) -> bool:
    return latch.fault(reason, KIND, now=HostNs(now), can_reset=can_reset)


def test_the_first_reason_stands_until_a_reset_which_leads_back_to_where_it_was():
    latch = running()
    latch.drain("time is up")
    assert fault(latch, "the board is silent", now=1_000_000_000)
    assert not fault(latch, "and the camera too")
    assert (latch.state, latch.reason) == (State.FAULTED, "the board is silent")
    assert latch.faulted_s(HostNs(3_500_000_000)) == 2.5
    latch.reset()
    assert (latch.state, latch.reason, latch.kind) == (State.DRAINING, "time is up", None)
    assert latch.faulted_s(HostNs(9_000_000_000)) == 0.0


def test_what_no_reset_helps_against_replaces_what_one_would_have_helped_against():
    latch = running()
    fault(latch, "the belt jumped")
    assert fault(latch, "the journal is damaged", can_reset=False)
    assert not fault(latch, "and something else", can_reset=False)
    latch.reset()
    assert (latch.state, latch.reason, latch.can_reset) == (State.FAULTED, "the journal is damaged", False)


def test_a_stop_ends_everything_but_a_fault():
    latch = running()
    latch.stop()
    assert latch.state is State.STOPPED
    assert not fault(latch, "too late")
    latch = running()
    fault(latch, "the board is silent")
    latch.stop()
    assert latch.state is State.FAULTED


def test_a_drain_that_is_asked_for_in_a_fault_comes_after_the_reset():
    latch = running()
    fault(latch, "the board is silent")
    latch.drain("time is up")
    assert latch.state is State.FAULTED
    latch.reset()
    assert latch.state is State.DRAINING


@pytest.mark.parametrize("way", list(itertools.permutations(["run", "drain", "reset", "stop"], 3)))
def test_out_of_a_fault_no_way_leads_but_the_reset(way: tuple[str, ...]):
    latch = Latch()
    fault(latch, "broken before it began")
    for act in way[: way.index("reset")] if "reset" in way else way:
        latch.drain("x") if act == "drain" else getattr(latch, act)()
        assert latch.state is State.FAULTED
    latch.reset()
    assert latch.state in (State.RUNNING, State.DRAINING)
