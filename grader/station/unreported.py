"""What is written of gates that a station was stopped too early to hear of."""

from __future__ import annotations

from collections.abc import Iterable

from grader.domain.decisions import GateOutcome, Result
from grader.domain.installation import Installation
from grader.station.line import gate_window

NOT_KNOWN = "not known: the station was stopped before the board had reported"


def not_known(installation: Installation, fruit: Iterable[tuple[int, int, int]]) -> list[GateOutcome]:
    """An outcome for each (lane, cup, outlet), so that every fruit that had a gate has one.

    Each gate may have opened, and it is not said that it did: the board went on by its own counter for as long as it
    had its commands. installation: as it was when the fruit were decided.
    """
    outcomes = []
    for lane, cup, outlet in fruit:
        opens, closes = gate_window(installation, cup, outlet)
        outcomes.append(
            GateOutcome(
                lane=lane,
                cup=cup,
                outlet=outlet,
                open_pulse=opens,
                close_pulse=closes,
                fired_pulse=None,
                result=Result.UNKNOWN,
                reason=NOT_KNOWN,
            )
        )
    return outcomes
