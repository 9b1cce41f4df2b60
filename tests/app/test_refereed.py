"""The referee's verdict: every fruit that landed is in one account, and serials that began anew are the same fruit."""

from __future__ import annotations

from typing import Any

from grader.app.refereed import Refereed, Sent, refereed
from grader.domain.decisions import FruitRecord
from grader.domain.events import Event, EventKind
from grader.domain.installation import CameraPlace, Installation, Line
from grader.storage.journal import WrittenEvent
from hardware.sim.live import Seen
from hardware.sim.referee import Landing
from hardware.sim.referee_log import Landed, Opening

CHAIN, PITCH = 480, 96
INSTALLATION = Installation(
    fruit="apple",
    line=Line(lanes=2, pulses_per_cup=PITCH, mm_per_pulse=1.0, cups_per_second=12.0, cups_per_chain=CHAIN),
    cameras={
        "top": CameraPlace(
            width_px=1280,
            height_px=310,
            bands=("blue", "green", "red"),
            mm_per_px=0.8,
            cup_zero_px=(0.0, 80.0),
            lane_pitch_px=150.0,
            pulses_per_frame=48,
        )
    },
)
END = 2000 + 8 * 600  # mm from cup zero to the end of the belt


def decided(cup: int, outlet: int, outcome: str = "", lane: int = 0) -> FruitRecord:
    if not outcome:
        outcome = "fired" if outlet else ""
    known: dict[str, Any] = {"lot": "a", "values": {}, "grade": "", "size": "", "reasons": (), "flags": 0}
    return FruitRecord(lane=lane, cup=cup, outlet=outlet, gate_outcome=outcome, **known)


def landed(cup: int, outlet: int, lane: int = 0) -> Landed:
    """At the end of the belt, which makes 1,152 pulses a second from second 1000 on."""
    pulse = cup * PITCH + END
    return Landed(landing=Landing(lane=lane, cup=cup, outlet=outlet), pulse=pulse, wall_s=1000 + pulse / 1152)


def started(at_pulse: int, wall_s: float, kind: EventKind = EventKind.RUN_STARTED) -> WrittenEvent:
    return WrittenEvent(run=1, wall_s=wall_s, event=Event(kind=kind, text="", values={"at_pulse": at_pulse}))


FROM_ZERO = [started(0, 1000.0)]


def verdict_on(
    records: list[FruitRecord], landings: list[Landed], openings: list[Opening], phases: list[WrittenEvent]
) -> Refereed:
    sent = Sent(phases, landings, INSTALLATION)
    for record in records:
        sent.add(record)
    return refereed(sent, Seen(0.0, landings, openings))


def test_every_fruit_that_landed_is_in_one_account():
    records = [
        decided(0, 3),
        decided(1, 0),
        decided(2, 4, "void"),
        decided(3, 4, "unknown"),
        decided(4, 2),
        decided(9, 1),
    ]
    landings = [landed(0, 3), landed(1, 0), landed(2, 0), landed(3, 0), landed(4, 5), landed(5, 0), landed(6, 7)]
    verdict = verdict_on(records, landings, [], FROM_ZERO)
    assert (verdict.as_decided, verdict.by_default, verdict.undecided) == (2, 2, 1)
    assert [(miss.cup, miss.decided, miss.landed) for miss in verdict.misses] == [(4, 2, 5), (6, -1, 7)]
    assert verdict.landed == 7
    assert verdict.never_landed == 1


def test_a_fruit_whose_gate_is_said_to_have_opened_and_that_ran_off_the_end_is_a_miss():
    verdict = verdict_on([decided(0, 3, "fired")], [landed(0, 0)], [], FROM_ZERO)
    assert [(miss.cup, miss.landed) for miss in verdict.misses] == [(0, 0)]


def test_serials_that_went_on_a_chain_further_are_of_the_same_cups():
    began_anew = 100 * PITCH + 1500  # of the belt, when the pulses went on by two rounds of the chain
    phases = [*FROM_ZERO, started(began_anew + 2 * CHAIN * PITCH, 1000 + began_anew / 1152, EventKind.REPHASED)]
    records = [decided(90, 3), decided(120 + 2 * CHAIN, 4), decided(121 + 2 * CHAIN, 5)]
    landings = [landed(90, 3), landed(120, 4), landed(121, 5)]
    verdict = verdict_on(records, landings, [], phases)
    assert (verdict.as_decided, verdict.never_landed, verdict.misses) == (3, 0, [])


def test_a_fruit_that_was_decided_about_twice_is_where_one_of_the_two_says():
    began_anew = 100 * PITCH + 1500
    phases = [*FROM_ZERO, started(began_anew + CHAIN * PITCH, 1000 + began_anew / 1152, EventKind.REPHASED)]
    records = [decided(99, 0), decided(105 + CHAIN, 0), decided(106 + CHAIN, 2, "void")]
    landings = [landed(99, 0), landed(105, 0), landed(106, 0)]
    verdict = verdict_on(records, landings, [], phases)
    assert (verdict.as_decided, verdict.by_default, verdict.misses) == (2, 1, [])


def test_what_an_earlier_line_had_is_no_matter_of_this_one():
    phases = [started(11 * CHAIN * PITCH, 1000.0)]
    records = [decided(12, 3), decided(11 * CHAIN, 4)]  # of a line that ended long ago; cup 0 of this one
    verdict = verdict_on(records, [landed(0, 4), landed(1, 0)], [], phases)
    assert (verdict.as_decided, verdict.undecided, verdict.never_landed) == (1, 1, 0)


def test_a_gate_that_opened_with_nobody_sent_there_is_counted():
    post = 2000 + 2 * 600  # of outlet 3
    asked = Opening(lane=0, outlet=3, opening=7 * PITCH + post - 40, closing=7 * PITCH + post + 40)
    elsewhere = Opening(lane=1, outlet=3, opening=asked.opening, closing=asked.closing)
    verdict = verdict_on([decided(7, 3)], [landed(7, 3)], [asked, elsewhere], FROM_ZERO)
    assert (verdict.openings, verdict.unasked) == (2, 1)
