"""What a spreadsheet makes of a table by its own ways, called by name: what a reader stumbles on would lead astray."""

from __future__ import annotations

import codecs

SAVE_AGAIN = "save it as CSV UTF-8, separated by commas"
"""How to put right what `foreign_form` finds."""

START_BYTES = 1 << 12
"""So much of a file shows its form."""

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SEPARATORS = {b";": "semicolons", b"\t": "tabs"}


def foreign_form(start: bytes) -> str:
    """In which way a file that begins so is no table of ours; empty if in none that is known."""
    if start.startswith(_UTF_16):
        return "is UTF-16, not UTF-8 text"
    first_column = start.lstrip(b"\r\n").partition(b"\n")[0].partition(b",")[0]
    found = (name for separator, name in _SEPARATORS.items() if separator in first_column)
    return next((f"is separated by {name}, not by commas" for name in found), "")
