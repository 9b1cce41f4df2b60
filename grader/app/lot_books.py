"""The lots of a station between its runs: read from the journal, with the sheets that they are graded by.

The journal keeps every sheet that a lot was opened with: a lot goes on by the sheet that it began with, whatever has
become of the file since.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from grader.app.setting_up import DEFAULT_SHEET
from grader.config.sheets import load_sheet_for, sheet_path
from grader.domain.events import EventKind
from grader.domain.installation import Installation
from grader.domain.lots import LotRecord
from grader.domain.orders import OpenLot
from grader.errors import JournalError
from grader.grading.compiled import CompiledSheet, compiled
from grader.grading.sheet import Sheet
from grader.station.lots import LotOrder, Lots, Start, lots_from
from grader.storage.journal import read_events, read_memory
from grader.storage.lots import OF_LOTS, lots_written
from grader.storage.provenance import sha256_of

Remember = Callable[[str, object], None]


def lots_on(journal: Path, lanes: int, unnamed: CompiledSheet) -> Lots:
    """The lots of a journal, to go on with. Raises JournalError."""
    events = [written.event for written in read_events(journal, OF_LOTS)] if journal.exists() else []

    def sheet_of(record: LotRecord) -> CompiledSheet:
        kept = read_memory(journal, _name_of(record.sheet_sha256))
        if kept is None:
            raise JournalError(f'{journal}: the sheet of lot "{record.name}" is not in it: open the lot anew')
        try:
            sheet = msgspec.convert(kept, Sheet, strict=False)
        except msgspec.ValidationError as problem:
            raise JournalError(
                f'{journal}: the sheet of lot "{record.name}" is of another version of the program ({problem}): '
                "begin a new folder"
            ) from problem
        return compiled(sheet, record.variety)

    return lots_from(lots_written(events, lanes), lanes, sheet_of, unnamed)


def growers_of(journal: Path) -> dict[str, str]:
    """Whose fruit the lots of a journal are, by their names. Raises JournalError."""
    opened = read_events(journal, (EventKind.LOT_OPENED,))
    return {str(each.event.values.get("name", "")): str(each.event.values.get("grower", "")) for each in opened}


def lot_order(order: OpenLot, installation: Installation, sheet: str, remember: Remember) -> LotOrder:
    """The order with its sheet, which is kept. sheet: the station's, for an order that names none.

    Raises BadSettings, JournalError.
    """
    wanted = order.sheet or sheet or DEFAULT_SHEET
    variety = order.variety or installation.variety
    loaded = load_sheet_for(wanted, variety=variety, outlets=installation.gates.outlets).sheet
    sha256 = sha256_of(sheet_path(wanted))
    remember(_name_of(sha256), msgspec.to_builtins(loaded))
    return LotOrder(
        name=order.name,
        sheet=compiled(loaded, variety),
        sheet_sha256=sha256,
        grower=order.grower,
        variety=variety,
        start=start_of(order.start),
    )


def start_of(start: Any) -> Start | tuple[int, ...]:
    """The start that an order means."""
    return start if isinstance(start, tuple) else {"now": Start.AT_ONCE, "gap": Start.AT_GAP}[start]


def _name_of(sheet_sha256: str) -> str:
    return f"sheet {sheet_sha256}"
