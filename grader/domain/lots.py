"""What is kept of a lot: whose fruit, graded by which sheet, from which cup to which."""

from __future__ import annotations

import msgspec

NO_LOT = "no-lot"
"""What the journal calls the fruit that came after a lot was closed and before another began."""


class LotRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the belt that is of one lot; a lot that was taken up again has several. `NO_LOT` is one too.

    sheet: its name; sheet_sha256: of its file; both empty for `NO_LOT`. Serials, one per lane: first_cup, None where it
    has not begun; closed_cup, the first that is of a later stretch, None while there is none.
    """

    name: str
    grower: str = ""
    variety: str = ""
    sheet: str = ""
    sheet_sha256: str = ""
    first_cup: tuple[int | None, ...]
    closed_cup: tuple[int | None, ...]
