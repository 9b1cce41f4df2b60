"""Findings: limits on two snapshots, come at one share and gone at a lower one."""

from __future__ import annotations

import msgspec
import pytest

from grader.domain.decisions import BoardStatus
from grader.domain.health import HealthLimits, findings
from grader.domain.snapshot import (
    Finding,
    FindingKind,
    JournalHealth,
    LaneSnapshot,
    ScaleAlarm,
    ScaleHealth,
    Snapshot,
    State,
)
from grader.units import NS_PER_S, HostNs, Pulse

LIMITS = HealthLimits()
BOARD = BoardStatus(boot_id=1, config_crc=2, pulse=Pulse(0), pending=0, gates_open=0)


def seen(t_s: float, fruit: int = 0, flags: dict[str, int] | None = None, **changes: object) -> Snapshot:
    lanes = tuple(
        LaneSnapshot(lane=lane, fruit=fruit, fruit_per_s=0.0, occupancy=0.0, flags=(flags or {}) if lane == 1 else {})
        for lane in range(3)
    )
    return msgspec.structs.replace(
        Snapshot(
            t_ns=HostNs(int(t_s * NS_PER_S)),
            elapsed_s=t_s,
            state=State.RUNNING,
            pulse=Pulse(0),
            cups_per_s=12.0,
            lanes=lanes,
            grades={},
            outlets={},
            flags={},
            board=BOARD,
            latency={},
            journal_rows=0,
            lot="a",
            sheet="b",
        ),
        **changes,
    )


def kinds(then: Snapshot, now: Snapshot) -> list[tuple[FindingKind, int | None]]:
    return [(finding.kind, finding.lane) for finding in findings(then, now, LIMITS)]


def test_a_line_on_which_all_is_well_has_no_findings():
    assert kinds(seen(0), seen(10, 100, {"no_weight": 10, "spectrum_unlike": 20}, frames=240, late=1)) == []


@pytest.mark.parametrize(
    ("flag", "kind"),
    [
        ("no_weight", FindingKind.NO_WEIGHT),
        ("bad_weight", FindingKind.NO_WEIGHT),
        ("spectrum_dark", FindingKind.NO_SUGAR),
        ("not_seen", FindingKind.NOT_SEEN),
    ],
)
def test_a_lane_whose_fruit_do_without_something_is_found_and_no_other(flag: str, kind: FindingKind):
    assert kinds(seen(0), seen(10, 100, {flag: 60})) == [(kind, 1)]


def test_a_finding_stays_until_the_share_is_well_below_the_one_it_came_at():
    found = findings(seen(0), seen(10, 100, {"no_weight": 31}), LIMITS)
    assert [finding.share for finding in found] == [0.31]
    between = seen(10, 100, {"no_weight": 20})
    assert kinds(seen(0), between) == []
    assert kinds(seen(0), msgspec.structs.replace(between, findings=found)) == [(FindingKind.NO_WEIGHT, 1)]
    below = seen(10, 100, {"no_weight": 14}, findings=found)
    assert kinds(seen(0), below) == []


def test_late_commands_that_come_in_a_burst_befell_no_more_than_all_fruit():
    (found,) = findings(seen(0), seen(10, 20, late=71), LIMITS)
    assert (found.kind, found.share) == (FindingKind.LATE, 1.0)


def test_alarms_of_the_scale_are_found_in_their_lane_as_long_as_they_are_on():
    frozen = ScaleHealth(alarms=(ScaleAlarm.FROZEN,))
    stuck = ScaleHealth(alarms=(ScaleAlarm.CREEP, ScaleAlarm.STUCK), stuck_cups=(7, 31))
    found = findings(seen(0), seen(10, 100, scale=(frozen, ScaleHealth(), stuck)), LIMITS)
    assert [(each.kind, each.lane, each.detail) for each in found] == [
        (FindingKind.SCALE_FROZEN, 0, ""),
        (FindingKind.SCALE_CREEP, 2, ""),
        (FindingKind.CUP_STUCK, 2, "2/7, 2/31"),
    ]
    assert kinds(seen(0), seen(10, 100, findings=found, scale=(ScaleHealth(),) * 3)) == []
    assert kinds(seen(0), seen(10, findings=found, scale=(ScaleHealth(),) * 3)) == [], "without fruit either"


def test_every_alarm_of_the_scale_has_its_finding():
    every = ScaleHealth(alarms=tuple(ScaleAlarm), stuck_cups=(1,))
    assert len(set(kinds(seen(0), seen(1, scale=(every,))))) == len(ScaleAlarm)


def test_a_lane_without_fruit_says_nothing_new():
    found = (Finding(kind=FindingKind.NO_WEIGHT, lane=1, share=0.4),)
    assert kinds(seen(0, 100), seen(10, 103, {"no_weight": 3})) == []
    assert kinds(seen(0, 100), seen(10, 103, {}, findings=found)) == [(FindingKind.NO_WEIGHT, 1)]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"frames": 240, "frames_lost": 6}, FindingKind.FRAMES_LOST),
        ({"late": 4}, FindingKind.LATE),
        ({"packets_damaged": 30}, FindingKind.BOARD_LINK),
        ({"light": 0.5}, FindingKind.LIGHT),
        ({"seats_moved_mm": 2.0}, FindingKind.FRUIT_BESIDE),
        ({"camera_trouble": "no pictures"}, FindingKind.CAMERA),
        ({"sensor_trouble": "gone"}, FindingKind.SENSORS),
        ({"journal": JournalHealth(trouble="the disk is full")}, FindingKind.JOURNAL),
        ({"lots_waiting": {"noon": 2}}, FindingKind.LOT_WAITS),
        ({"board": msgspec.structs.replace(BOARD, belt_running=False)}, FindingKind.BELT_STOPPED),
        ({"board": msgspec.structs.replace(BOARD, jogging=True, belt_running=False)}, FindingKind.BELT_JOGGED),
        ({"board": msgspec.structs.replace(BOARD, phase_known=False)}, FindingKind.NOT_PHASED),
        ({"board": msgspec.structs.replace(BOARD, outlets_full=frozenset({3}))}, FindingKind.OUTLET_FULL),
    ],
)
def test_each_trouble_has_its_finding(changes: dict[str, object], kind: FindingKind):
    assert kinds(seen(0), seen(10, 100, **changes)) == [(kind, None)]


def test_a_lane_whose_fruit_are_too_heavy_for_their_size_is_found_and_stays_until_they_are_nearly_right_again():
    found = tuple(findings(seen(0), seen(10, misfits=(0.001, -0.03)), LIMITS))
    assert [(each.kind, each.lane, each.detail) for each in found] == [(FindingKind.MISFIT, 1, "-3.0 %")]
    assert kinds(seen(0), seen(10, misfits=(0.0, 0.02))) == []
    assert kinds(seen(0), seen(10, misfits=(0.0, 0.02), findings=found)) == [(FindingKind.MISFIT, 1)]
    assert kinds(seen(0), seen(10, misfits=(0.0, 0.01), findings=found)) == []
    assert kinds(seen(0), seen(10, misfits=(None, None))) == []


def test_a_station_that_has_ended_or_not_begun_has_no_findings():
    for state in (State.STARTING, State.STOPPED):
        assert kinds(seen(0), seen(10, 100, {"not_seen": 90}, state=state, camera_trouble="gone")) == []
