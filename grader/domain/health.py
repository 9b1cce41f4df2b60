"""What is not as it should be, found by limits on snapshots: nothing but two moments of the station are looked at.

Three degrees, and no more: a flag on a fruit (`grader.domain.flags`), a lane that has to do without something and says
so, a station that is faulted until a person resets it. Findings are of the second degree; they come and go by
themselves. A finding goes only when the share has fallen well below what it came at, so that it does not flicker.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from grader.domain.snapshot import Finding, FindingKind, LaneSnapshot, ScaleAlarm, Snapshot, State


class HealthLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From when on something is wrong. Shares are of what came within window_s, from least fruit or frames on.

    A finding goes when its share has fallen below `goes` of the limit at which it came. least_light: of what the
    pictures had at the start. most_moved_mm: how far all fruit may lie beside where they lay at first. most_misfit: by
    how much fruit of a lane may be heavier or lighter for their size than those of the others.
    """

    window_s: float = 10.0
    least: int = 12
    no_weight: float = 0.3
    no_sugar: float = 0.5
    not_seen: float = 0.3
    no_map: float = 0.1
    turn_unsure: float = 0.3
    blurred: float = 0.2
    unlikely_size: float = 0.1
    frames_lost: float = 0.02
    late: float = 0.01
    refused: float = 0.01
    damaged_per_s: float = 1.0
    least_light: float = 0.6
    most_moved_mm: float = 1.2
    most_misfit: float = 0.025
    goes: float = 0.5


_WITHOUT = {
    FindingKind.NO_WEIGHT: ("no_weight", "bad_weight"),
    FindingKind.NO_SUGAR: (
        *("no_spectrum", "spectrum_saturated", "spectrum_dark", "spectrum_unlike", "spectrum_damaged"),
    ),
    FindingKind.NOT_SEEN: ("not_seen", "few_views"),
    FindingKind.NO_MAP: ("no_map",),
    FindingKind.TURN_UNSURE: ("turn_unsure",),
    FindingKind.BLURRED: ("blurred",),
    FindingKind.UNLIKELY_SIZE: ("unlikely_size",),
}
"""The flags that say that something of a fruit was not right. One may have several: the largest count is told."""

_OF_ALARM = {
    ScaleAlarm.FROZEN: FindingKind.SCALE_FROZEN,
    ScaleAlarm.ASTRAY: FindingKind.SCALE_ASTRAY,
    ScaleAlarm.CREEP: FindingKind.SCALE_CREEP,
    ScaleAlarm.DRIFT: FindingKind.SCALE_DRIFT,
    ScaleAlarm.STUCK: FindingKind.CUP_STUCK,
}


def findings(then: Snapshot, now: Snapshot, limits: HealthLimits) -> tuple[Finding, ...]:
    """What is wrong now. then: the station some `window_s` ago, with what was found wrong at that time or since."""
    if now.state not in (State.RUNNING, State.DRAINING, State.FAULTED):
        return ()
    return (
        *_of_plant(now),
        *_of_devices(then, now, limits),
        *_of_lanes(then, now, limits),
        *_of_scale(now, limits),
        *_of_lots(now),
    )


def _of_plant(now: Snapshot) -> Iterator[Finding]:
    if now.board is None:
        return
    if now.board.jogging:
        yield Finding(kind=FindingKind.BELT_JOGGED)
    elif not now.board.belt_running:
        yield Finding(kind=FindingKind.BELT_STOPPED)
    if not now.board.phase_known:
        yield Finding(kind=FindingKind.NOT_PHASED)
    for outlet in sorted(now.board.outlets_full):
        yield Finding(kind=FindingKind.OUTLET_FULL, outlet=outlet)


def _of_devices(then: Snapshot, now: Snapshot, limits: HealthLimits) -> Iterator[Finding]:
    if now.camera_trouble:
        yield Finding(kind=FindingKind.CAMERA, detail=now.camera_trouble)
    if now.sensor_trouble:
        yield Finding(kind=FindingKind.SENSORS, detail=now.sensor_trouble)
    if now.map_trouble:
        yield Finding(kind=FindingKind.MAPS, detail=now.map_trouble)
    if now.journal.trouble:
        yield Finding(kind=FindingKind.JOURNAL, detail=now.journal.trouble)
    if now.pictures.trouble:
        yield Finding(kind=FindingKind.PICTURES, detail=now.pictures.trouble)
    known = {finding.place for finding in now.findings}

    def above(share: float, limit: float, kind: FindingKind) -> bool:
        return share > limit * (limits.goes if (kind, None, None) in known else 1.0)

    frames, lost = now.frames - then.frames, now.frames_lost - then.frames_lost
    if frames >= limits.least and above(lost / frames, limits.frames_lost, FindingKind.FRAMES_LOST):
        yield Finding(kind=FindingKind.FRAMES_LOST, share=lost / frames)
    fruit = _fruit(now) - _fruit(then)
    for kind, befell in ((FindingKind.LATE, now.late - then.late), (FindingKind.REFUSED, now.refused - then.refused)):
        if fruit >= limits.least and above(befell / fruit, getattr(limits, kind.value), kind):
            yield Finding(kind=kind, share=min(befell / fruit, 1.0))  # some were decided before `then`
    seconds = max((now.t_ns - then.t_ns) / 1e9, 1e-9)
    damaged_per_s = (now.packets_damaged - then.packets_damaged) / seconds
    if above(damaged_per_s, limits.damaged_per_s, FindingKind.BOARD_LINK):
        yield Finding(kind=FindingKind.BOARD_LINK, detail=f"{damaged_per_s:.0f}/s")
    if now.light is not None and now.light < limits.least_light:
        yield Finding(kind=FindingKind.LIGHT, share=now.light)
    if now.seats_moved_mm is not None and above(now.seats_moved_mm, limits.most_moved_mm, FindingKind.FRUIT_BESIDE):
        yield Finding(kind=FindingKind.FRUIT_BESIDE, detail=f"{now.seats_moved_mm:.1f} mm")


def _of_lanes(then: Snapshot, now: Snapshot, limits: HealthLimits) -> Iterator[Finding]:
    known = {finding.place for finding in now.findings}
    for before, lane in zip(then.lanes, now.lanes, strict=True):
        fruit = lane.fruit - before.fruit
        if fruit < limits.least:
            # Nothing new is known.
            yield from (found for found in now.findings if found.lane == lane.lane and found.kind in _WITHOUT)
            continue
        for kind, flags in _WITHOUT.items():
            share = max(_flagged(lane, flag) - _flagged(before, flag) for flag in flags) / fruit
            limit = getattr(limits, kind.value)
            if share > limit * (limits.goes if (kind, lane.lane, None) in known else 1.0):
                yield Finding(kind=kind, lane=lane.lane, share=share)


def _of_scale(now: Snapshot, limits: HealthLimits) -> Iterator[Finding]:
    """Its alarms have limits of their own, for they are about cups and not about time."""
    known = {finding.place for finding in now.findings}
    for lane, misfit in enumerate(now.misfits):
        limit = limits.most_misfit * (limits.goes if (FindingKind.MISFIT, lane, None) in known else 1.0)
        if misfit is not None and abs(misfit) > limit:
            yield Finding(kind=FindingKind.MISFIT, lane=lane, detail=f"{100.0 * misfit:+.1f} %")
    for lane, scale in enumerate(now.scale):
        for alarm in scale.alarms:
            cups = scale.stuck_cups if alarm is ScaleAlarm.STUCK else ()
            yield Finding(kind=_OF_ALARM[alarm], lane=lane, detail=", ".join(f"{lane}/{cup}" for cup in cups))


def _of_lots(now: Snapshot) -> Iterator[Finding]:
    for name, lanes in now.lots_waiting.items():
        yield Finding(kind=FindingKind.LOT_WAITS, detail=f"{name}: {lanes}")


def _fruit(snapshot: Snapshot) -> int:
    return sum(lane.fruit for lane in snapshot.lanes)


def _flagged(lane: LaneSnapshot, flag: str) -> int:
    return lane.flags.get(flag, 0)
