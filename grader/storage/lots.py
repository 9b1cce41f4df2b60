"""The lots of a journal, put together again from what was written when they were opened, began and were closed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from grader.domain.events import Event, EventKind
from grader.domain.lots import NO_LOT, LotRecord

OF_LOTS = (EventKind.LOT_OPENED, EventKind.LOT_BEGAN, EventKind.LOT_CLOSED)


def lots_written(events: Iterable[Event], lanes: int) -> list[LotRecord]:
    """Stretches of the belt in the order of it. events: of the kinds `OF_LOTS`, oldest first."""
    stretches: list[LotRecord] = []
    for event in events:
        name = str(event.values.get("name", ""))
        match event.kind:
            case EventKind.LOT_OPENED:
                stretches.append(_opened(event, name, lanes))
            case EventKind.LOT_CLOSED if event.values.get("withdrawn"):
                stretches.pop()
            case EventKind.LOT_CLOSED:
                stretches.append(LotRecord(name=NO_LOT, first_cup=(None,) * lanes, closed_cup=(None,) * lanes))
            case EventKind.LOT_BEGAN if event.lane is not None:
                _begin(stretches, name, event.lane, event.cup)
    return [_with_end(stretch, stretches[place + 1 :]) for place, stretch in enumerate(stretches)]


def _opened(event: Event, name: str, lanes: int) -> LotRecord:
    def said(key: str) -> str:
        return str(event.values.get(key, ""))

    return LotRecord(
        name=name,
        grower=said("grower"),
        variety=said("variety"),
        sheet=said("sheet"),
        sheet_sha256=said("sheet_sha256"),
        first_cup=(None,) * lanes,
        closed_cup=(None,) * lanes,
    )


def _begin(stretches: list[LotRecord], name: str, lane: int, cup: int | None) -> None:
    """The latest stretch of that name has its first cup in a lane."""
    for place in reversed(range(len(stretches))):
        if stretches[place].name == name:
            first = list(stretches[place].first_cup)
            first[lane] = cup
            stretches[place] = msgspec.structs.replace(stretches[place], first_cup=tuple(first))
            return


def _with_end(stretch: LotRecord, later: list[LotRecord]) -> LotRecord:
    """It ends where the next one begins, lane by lane."""
    ends = tuple(
        min((one.first_cup[lane] for one in later if one.first_cup[lane] is not None), default=None)  # type: ignore[type-var]
        for lane in range(len(stretch.first_cup))
    )
    return msgspec.structs.replace(stretch, closed_cup=ends)
