"""Which lot every fruit belongs to, and how lots begin and end while the line runs.

    lane 0   ... morning morning | noon noon noon ...          each lot a stretch of cups, lane by lane;
    lane 1   ... morning | noon noon noon noon noon ...        the next one begins at a cup of its own

A fruit belongs to the stretch that began last at or before its cup: to one, whatever was ordered, and always in the
order in which lots were ordered. What comes after a lot was closed is of no lot: it is measured, graded by no sheet and
sent to the default outlet, because nobody has said whose it is (docs/decisions/0006-lots-on-the-belt.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from grader.domain.events import Event, EventKind
from grader.domain.installation import LotMark
from grader.domain.lots import NO_LOT, LotRecord
from grader.domain.snapshot import LotOnBelt
from grader.errors import GraderError
from grader.grading.compiled import CompiledSheet
from grader.grading.send import Turns
from grader.tracking.state import TrackState

Cups = NDArray[np.int64]

UNNAMED_LOT = "lot-1"
"""What came before any lot was named."""
BEFORE_ALL, NOT_BEGUN = -(1 << 62), 1 << 62
"""First cups that no belt comes to."""


class Start(StrEnum):
    """When an order about a lot takes effect; else first cups are given, one per lane.

    AT_ONCE: with the first cup that no picture shows yet. AT_GAP: in each lane by itself, with the first fruit after
    enough empty cups in a row, all of which came into the picture after the order.
    """

    AT_ONCE = "at_once"
    AT_GAP = "at_gap"


@dataclass(frozen=True, slots=True)
class LotOrder:
    """A lot that somebody wants to begin, or to go on with."""

    name: str
    sheet: CompiledSheet
    sheet_sha256: str = ""
    grower: str = ""
    variety: str = ""
    start: Start | tuple[int, ...] = Start.AT_GAP


@dataclass(slots=True, eq=False)
class Lot:
    """A lot as the line knows it. turns: of its own outlets and samples. sheet, turns: None for fruit of no lot."""

    name: str
    sheet: CompiledSheet | None
    turns: Turns | None
    sheet_sha256: str = ""
    grower: str = ""
    variety: str = ""


@dataclass(slots=True)
class Lots:
    """The lots of a line; changed in place by the functions here.

    known: every lot by its name. stretches: in the order of the belt; a lot that was taken up again has several.
    first_cup (n_stretches, lanes) int64: NOT_BEGUN where it has not. gap_from: for each stretch (lanes,), the cup from
    which empty ones count for its gap. empty_from (lanes,), while a lot waits for one: the first cup after the latest
    fruit, or after what nobody watched.
    """

    known: dict[str, Lot]
    stretches: list[Lot]
    first_cup: Cups
    gap_from: list[Cups]
    empty_from: Cups

    @property
    def lanes(self) -> int:
        return len(self.empty_from)


# -- made and kept -----------------------------------------------------------------------------------------------------


def lots_from(
    records: Sequence[LotRecord], lanes: int, sheet_of: Callable[[LotRecord], CompiledSheet], unnamed: CompiledSheet
) -> Lots:
    """The lots that were kept, in the order of the belt; turns of outlets and samples begin anew.

    sheet_of: asked once for each lot. unnamed: the sheet for what comes before the first of them. Lanes in which the
    last of them has not begun wait for a gap that is still to come.
    """
    known: dict[str, Lot] = {}
    for record in records:
        if record.name not in known and record.name != NO_LOT:
            sheet = sheet_of(record)
            known[record.name] = Lot(
                record.name,
                sheet,
                Turns.fresh(sheet, lanes),
                sheet_sha256=record.sheet_sha256,
                grower=record.grower,
                variety=record.variety,
            )
    before = Lot(UNNAMED_LOT, unnamed, Turns.fresh(unnamed, lanes))  # nobody has opened it: the name is free
    lots = Lots(
        known=known,
        stretches=[before],
        first_cup=np.full((1, lanes), BEFORE_ALL, np.int64),
        gap_from=[np.full(lanes, BEFORE_ALL, np.int64)],
        empty_from=np.full(lanes, BEFORE_ALL, np.int64),
    )
    for record in records:
        _append(lots, known.get(record.name) or _no_lot(), lots.empty_from)
        lots.first_cup[-1] = [NOT_BEGUN if cup is None else cup for cup in record.first_cup]
    return lots


def lots_of_marks(marks: Sequence[LotMark], lanes: int, sheet: CompiledSheet) -> Lots:
    """The lots of a recording, all graded by one sheet."""
    records = [
        LotRecord(
            name=mark.name,
            grower=mark.grower,
            variety=mark.variety,
            sheet=sheet.sheet.name,
            first_cup=mark.first_cup,
            closed_cup=(None,) * lanes,
        )
        for mark in sorted(marks, key=lambda mark: mark.first_cup)
    ]
    return lots_from(records, lanes, lambda record: sheet, sheet)


def lot_records(lots: Lots) -> list[LotRecord]:
    """What has to be kept so that `lots_from` can go on, without what came before the first lot was named."""
    records = []
    for index, lot in enumerate(lots.stretches[1:], start=1):
        later = lots.first_cup[index + 1 :].min(axis=0, initial=NOT_BEGUN)
        records.append(
            LotRecord(
                name=lot.name,
                grower=lot.grower,
                variety=lot.variety,
                sheet=lot.sheet.sheet.name if lot.sheet is not None else "",
                sheet_sha256=lot.sheet_sha256,
                first_cup=_or_none(lots.first_cup[index]),
                closed_cup=_or_none(later),
            )
        )
    return records


def lot_at(lots: Lots, lane: int, cup: int) -> Lot:
    """The lot that a cup belongs to, as far as it is known now."""
    first_cup = lots.first_cup  # another thread may be adding a stretch: it exchanges the array last
    return lots.stretches[int(_stretch_of(first_cup, np.array([lane]), np.array([cup]))[0])]


def lots_on_belt(lots: Lots, oldest: int, newest: int) -> tuple[LotOnBelt, ...]:
    """The lots of the cups from oldest to newest in every lane, in the order of the belt, and those that wait."""
    first_cup = lots.first_cup
    lanes = np.arange(lots.lanes)
    last, first = (_stretch_of(first_cup, lanes, np.full(lots.lanes, cup)) for cup in (oldest, newest))
    waiting = _waiting(first_cup)
    shown: dict[str, LotOnBelt] = {}
    # Another thread may be adding a stretch, or taking one away; on a belt are one or two of them.
    for index, lot in enumerate(lots.stretches[: len(first_cup)]):
        passes = (first_cup[index] <= newest) & (last <= index) & (index <= first)
        comes = first == index
        if (passes.any() and (index or comes.any())) or waiting[index].any():  # before the first lot were no fruit
            before = shown.get(lot.name, LotOnBelt(name=lot.name, grower=lot.grower))
            shown[lot.name] = LotOnBelt(
                name=lot.name,
                grower=lot.grower,
                lanes=before.lanes + int(comes.sum()),
                lanes_waiting=before.lanes_waiting + int(waiting[index].sum()),
            )
    return tuple(shown.values())


def lanes_waiting(lots: Lots) -> dict[str, int]:
    """In how many lanes the lots that were ordered still wait for a gap."""
    waiting = _waiting(lots.first_cup).sum(axis=1).tolist()
    # Another thread may be adding a stretch, or taking one away.
    return {lot.name: lanes for lot, lanes in zip(lots.stretches, waiting, strict=False) if lanes}


# -- orders ------------------------------------------------------------------------------------------------------------


def open_lot(lots: Lots, track: TrackState, order: LotOrder) -> list[Event]:
    """Begin a lot, or go on with one. Raises GraderError, and changes nothing, where that cannot be.

    A name that exists is the same lot, if grower, variety and sheet are the same. Ordered once more, a lot that waits
    for a gap can be made to begin at once. Lots ordered before it that still wait, wait no more where its cups are
    known: they get no fruit there.
    """
    lot = _lot_for(lots, order)
    goes_on = lots.stretches[-1] is lot
    next_cup = _next_cup(track)
    settled = lots.first_cup[: len(lots.stretches) - goes_on]
    wanted = _wanted(order.name, order.start, next_cup, _known_last(settled), lots)
    events: list[Event] = []
    if not goes_on:
        values: dict[str, float | int | str] = {
            "name": lot.name,
            "grower": lot.grower,
            "variety": lot.variety,
            "sheet": order.sheet.sheet.name,
            "sheet_sha256": lot.sheet_sha256,
        }
        said = "is taken up again" if lot.name in lots.known else "is opened"
        events.append(_event(EventKind.LOT_OPENED, f'lot "{lot.name}" {said}', track, values))
        lots.known[lot.name] = lot
        _append(lots, lot, next_cup)
    return [*events, *_settle(lots, track, wanted, next_cup)]


def close_lot(lots: Lots, track: TrackState, name: str, start: Start | tuple[int, ...] = Start.AT_ONCE) -> list[Event]:
    """End a lot: what follows is of no lot until another begins. Raises GraderError where that cannot be.

    Closed at once, a lot that no cup has come to yet is withdrawn, and what was before it goes on; one that has begun
    does not begin any more in lanes that it has not come to, nor does a lot before it.
    """
    if lots.stretches[-1].name != name:
        followed = f'it was followed by "{lots.stretches[-1].name}"' if name in lots.known else "there is no such lot"
        raise GraderError(f'lot "{name}" cannot be closed: {followed}')
    next_cup = _next_cup(track)
    if start is Start.AT_ONCE:
        if (lots.first_cup[-1] >= next_cup).all():
            _withdraw(lots)
            return [_event(EventKind.LOT_CLOSED, f'lot "{name}" is withdrawn', track, {"name": name, "withdrawn": 1})]
        lots.first_cup = np.where(lots.first_cup < next_cup, lots.first_cup, NOT_BEGUN)
    wanted = _wanted(name, start, next_cup, _known_last(lots.first_cup), lots)
    _append(lots, _no_lot(), next_cup)
    closed = _event(EventKind.LOT_CLOSED, f'lot "{name}" is closed', track, {"name": name})
    return [closed, *_settle(lots, track, wanted, next_cup)]


def _lot_for(lots: Lots, order: LotOrder) -> Lot:
    """The lot that an order means."""
    name = order.name
    if not name.strip() or not name.isprintable() or name == NO_LOT:
        raise GraderError(f"{name!r} cannot be the name of a lot: give it another")
    lot = lots.known.get(name)
    if lot is None:
        turns = Turns.fresh(order.sheet, lots.lanes)
        return Lot(name, order.sheet, turns, order.sheet_sha256, grower=order.grower, variety=order.variety)
    for what, is_, wanted in (("grower", lot.grower, order.grower), ("variety", lot.variety, order.variety)):
        if is_ != wanted:
            raise GraderError(f'lot "{name}" is there already, with {what} "{is_}": give this one another name')
    known = lot.sheet
    if known is None or (known.sheet, known.variety) != (order.sheet.sheet, order.sheet.variety):
        raise GraderError(f'lot "{name}" is there already, graded by another sheet: give this one another name')
    return lot


def _wanted(name: str, start: Start | tuple[int, ...], next_cup: Cups, known_last: Cups, lots: Lots) -> Cups | None:
    """The first cup of each lane; None: at the gap. Raises GraderError for cups that it cannot begin at."""
    if start is Start.AT_GAP:
        return None
    if isinstance(start, tuple) and len(start) != lots.lanes:
        raise GraderError(f'lot "{name}": {len(start)} cups are given, the line has {lots.lanes} lanes')
    wanted = next_cup if isinstance(start, Start) else np.array(start, object)
    for lane, cup in enumerate(wanted.tolist()):
        if not next_cup[lane] <= cup < NOT_BEGUN:
            raise GraderError(
                f'lot "{name}": cup {cup} of lane {lane} is none that is still to come; {next_cup[lane]} is'
            )
        if cup < known_last[lane]:
            raise GraderError(
                f'lot "{name}": at cup {cup} of lane {lane} it would come before one that is ordered to begin at cup '
                f"{known_last[lane]}: close that first"
            )
    return wanted.astype(np.int64)


def _settle(lots: Lots, track: TrackState, wanted: Cups | None, next_cup: Cups) -> list[Event]:
    """Set the first cups of the last stretch where no cup has come to it."""
    if wanted is None:
        return []
    lanes = np.flatnonzero(lots.first_cup[-1] >= next_cup)
    lots.first_cup[-1, lanes] = wanted[lanes]
    last = len(lots.stretches) - 1
    return [_began(lots, last, lane, int(wanted[lane]), track) for lane in lanes.tolist()]


def _append(lots: Lots, lot: Lot, gap_from: Cups) -> None:
    lots.stretches.append(lot)
    lots.gap_from.append(gap_from.copy())
    lots.first_cup = np.vstack([lots.first_cup, np.full((1, lots.lanes), NOT_BEGUN, np.int64)])


def _withdraw(lots: Lots) -> None:
    lots.first_cup = lots.first_cup[:-1]
    lots.gap_from.pop()
    withdrawn = lots.stretches.pop()
    if withdrawn not in lots.stretches:
        lots.known.pop(withdrawn.name, None)


def _no_lot() -> Lot:
    return Lot(NO_LOT, None, None)


# -- fruit -------------------------------------------------------------------------------------------------------------


def deal(
    lots: Lots, track: TrackState, lane: NDArray[np.int16], cup: Cups, gap_cups: int
) -> tuple[list[tuple[Lot, NDArray[np.intp]]], list[Event]]:
    """The lots of decided fruit, each with its rows, and what began with them.

    lane, cup (n,), at least one: in every lane all that are decided, in the order of the belt. What lies between two of
    them were empty cups, `gap_cups` of which let a lot begin that waits for a gap.
    """
    events: list[Event] = []
    if (lots.first_cup[-1] == NOT_BEGUN).any():
        # A loop over fruit, because each of them ends a gap; only while a lot waits for one.
        for at_lane, at_cup in zip(lane.tolist(), cup.tolist(), strict=True):
            begun = _begun_by(lots, at_lane, at_cup, gap_cups)
            if begun is not None:
                lots.first_cup[begun, at_lane] = at_cup
                events.append(_began(lots, begun, at_lane, at_cup, track))
            lots.empty_from[at_lane] = max(lots.empty_from[at_lane], at_cup + 1)
    stretch = _stretch_of(lots.first_cup, lane, cup)
    if stretch.min() == stretch.max():  # as nearly always
        return [(lots.stretches[stretch[0]], np.arange(len(stretch)))], events
    rows_of: dict[int, tuple[Lot, list[int]]] = {}  # a lot that was taken up again has several stretches
    for row, index in enumerate(stretch.tolist()):
        lot = lots.stretches[index]
        rows_of.setdefault(id(lot), (lot, []))[1].append(row)
    return [(lot, np.array(rows)) for lot, rows in rows_of.values()], events


def unwatched(lots: Lots, track: TrackState) -> None:
    """Nobody can say that cups without a fruit were empty, of those that have come into the picture until now."""
    lots.empty_from = np.maximum(lots.empty_from, _next_cup(track))


def _begun_by(lots: Lots, lane: int, cup: int, gap_cups: int) -> int | None:
    """The stretch that begins with a fruit, because of the gap before it."""
    first = int(_waiting(lots.first_cup)[:, lane].argmax())  # those that wait are the last ones
    if lots.first_cup[first, lane] != NOT_BEGUN:
        return None
    empty_from = max(int(lots.empty_from[lane]), int(_known_last(lots.first_cup)[lane]))

    def is_due(stretch: int) -> bool:
        return cup - max(empty_from, int(lots.gap_from[stretch][lane])) >= gap_cups

    if not is_due(first):
        return None
    # A lot closed at the gap at which another begins: nothing is between them.
    is_end = lots.stretches[first].sheet is None
    return first + (is_end and first + 1 < len(lots.stretches) and is_due(first + 1))


def _next_cup(track: TrackState) -> Cups:
    """(lanes,) the first cup that no picture shows, and of which nothing is decided."""
    pulse = track.belt.pulse
    enters = track.passed + 1 if pulse is None else max(track.passed + 1, track.course.next_to_enter(pulse))
    return np.maximum(track.decided + 1, enters)


def _stretch_of(first_cup: Cups, lane: NDArray[np.integer], cup: Cups) -> NDArray[np.intp]:
    """(n,) of stretches that began at or before a cup the one that began last; of several the last ordered."""
    begun = np.where(first_cup[:, lane] <= cup, first_cup[:, lane], BEFORE_ALL - 1)
    return np.asarray(len(begun) - 1 - begun[::-1].argmax(axis=0))


def _waiting(first_cup: Cups) -> NDArray[np.bool_]:
    """(n_stretches, lanes): where it has no first cup, nor has any that was ordered after it."""
    is_known = first_cup != NOT_BEGUN
    return np.asarray(~np.logical_or.accumulate(is_known[::-1])[::-1])


def _known_last(first_cup: Cups) -> Cups:
    """(lanes,) the last of the first cups that are known."""
    return np.asarray(np.where(first_cup == NOT_BEGUN, BEFORE_ALL, first_cup).max(axis=0, initial=BEFORE_ALL))


def _or_none(cups: Cups) -> tuple[int | None, ...]:
    return tuple(None if cup == NOT_BEGUN else cup for cup in cups.tolist())


def _began(lots: Lots, stretch: int, lane: int, cup: int, track: TrackState) -> Event:
    """stretch: which one in `lot_records`, from 1; a lot that was taken up again has several that may wait."""
    name = lots.stretches[stretch].name
    text = f'lot "{name}" begins in lane {lane} at cup {cup}'
    return _event(EventKind.LOT_BEGAN, text, track, {"name": name, "stretch": stretch}, lane, cup)


def _event(
    kind: EventKind,
    text: str,
    track: TrackState,
    values: dict[str, float | int | str],
    lane: int | None = None,
    cup: int | None = None,
) -> Event:
    return Event(kind=kind, text=text, pulse=track.belt.pulse, lane=lane, cup=cup, values=values)
