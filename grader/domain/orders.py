"""What people order of a running station, and what it answers. The same for the command line and the page."""

from __future__ import annotations

from typing import Literal

import msgspec

from grader.domain.snapshot import Snapshot

Start = Literal["now", "gap"] | tuple[int, ...]
"""From the first cup that no camera has begun to show, from the first gap in each lane, or from a cup per lane."""


class OpenLot(msgspec.Struct, frozen=True, kw_only=True, tag="open_lot", forbid_unknown_fields=True):
    """Begin a lot, or go on with one. sheet: a file's path or a preset's name; empty: the station's."""

    name: str
    grower: str = ""
    variety: str = ""
    sheet: str = ""
    start: Start = "gap"


class CloseLot(msgspec.Struct, frozen=True, kw_only=True, tag="close_lot", forbid_unknown_fields=True):
    """End a lot: what follows is of no lot until another begins."""

    name: str
    start: Start = "now"


class Reset(msgspec.Struct, frozen=True, tag="reset", forbid_unknown_fields=True):
    """The fault was looked after."""


class Stop(msgspec.Struct, frozen=True, tag="stop", forbid_unknown_fields=True):
    """Run the belt empty into its outlets, close the gates, end."""


class Show(msgspec.Struct, frozen=True, tag="show", forbid_unknown_fields=True):
    """Say how things stand."""


Order = OpenLot | CloseLot | Reset | Stop | Show


class Done(msgspec.Struct, frozen=True, tag="done"):
    """It was done."""


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """It was not done, and nothing was changed."""

    why: str


class Shown(msgspec.Struct, frozen=True, tag="shown"):
    """How things stand."""

    snapshot: Snapshot


Answer = Done | Refused | Shown
