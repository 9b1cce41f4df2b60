"""What the plant says at the moment, and whether gates can be used: an argument of the line's step."""

from __future__ import annotations

import msgspec


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """Under what conditions fruit are decided about.

    gates_shut: no gate will open for what is decided now (the station is faulted, the belt is jogged): every fruit is
    sent to the default outlet, and its flag says so. outlets_full: outlets, from 1, that can take no more fruit.
    """

    gates_shut: bool = False
    outlets_full: frozenset[int] = frozenset()


ALL_WELL = Conditions()
