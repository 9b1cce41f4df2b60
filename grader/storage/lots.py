"""The lots of a journal, put together again from what was written when they were opened, began and were closed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from grader.domain.events import Event, EventKind
from grader.domain.lots import NO_LOT, LotRecord

OF_LOTS = (EventKind.LOT_OPENED, EventKind.LOT_BEGAN, EventKind.LOT_CLOSED)


def lots_written(events: Iterable[Event], lanes: int) -> list[LotRecord]:
    """Stretches of the belt in the order of it. events: of the kinds `OF_LOTS`, oldest first.

    It is what `grader.station.lots.lot_records` said when the last of them was written.
    """
    stretches: list[_Stretch] = []
    for event in events:
        _go_on(stretches, event)
    return [_record(stretch, stretches[after:], lanes) for after, stretch in enumerate(stretches, start=1)]


@dataclass
class _Stretch:
    """name, grower, variety, sheet, sheet_sha256 as they were ordered; first_cup by lane."""

    said: dict[str, str]
    first_cup: dict[int, int] = field(default_factory=dict)


def _go_on(stretches: list[_Stretch], event: Event) -> None:
    """What an event makes of the stretches. An event that fits none of them changes nothing."""
    said = {key: str(event.values.get(key, "")) for key in ("name", "grower", "variety", "sheet", "sheet_sha256")}
    if event.kind is EventKind.LOT_OPENED:
        stretches.append(_Stretch(said))
    elif event.kind is EventKind.LOT_BEGAN:
        _begin(stretches, event)
    elif stretches and stretches[-1].said["name"] == said["name"]:
        if "withdrawn" in event.values:
            stretches.pop()
        else:
            stretches.append(_Stretch({**dict.fromkeys(said, ""), "name": NO_LOT}))


def _begin(stretches: list[_Stretch], event: Event) -> None:
    number, lane, cup = event.values.get("stretch"), event.lane, event.cup
    if not isinstance(number, int) or not 0 < number <= len(stretches) or lane is None or cup is None:
        return
    stretch = stretches[number - 1]
    stretch.first_cup[lane] = cup
    if stretch.said["name"] == NO_LOT:  # closed at once: what was to begin later does not begin there any more
        for before in stretches[: number - 1]:
            if before.first_cup.get(lane, cup - 1) >= cup:
                del before.first_cup[lane]


def _record(stretch: _Stretch, later: list[_Stretch], lanes: int) -> LotRecord:
    def closed_cup(lane: int) -> int | None:
        return min((other.first_cup[lane] for other in later if lane in other.first_cup), default=None)

    said = stretch.said
    return LotRecord(
        name=said["name"],
        grower=said["grower"],
        variety=said["variety"],
        sheet=said["sheet"],
        sheet_sha256=said["sheet_sha256"],
        first_cup=tuple(stretch.first_cup.get(lane) for lane in range(lanes)),
        closed_cup=tuple(closed_cup(lane) for lane in range(lanes)),
    )
