"""The referee's verdict on a run of the simulated line: where fruit landed against where they were sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec
import numpy as np

from grader.domain.decisions import DEFAULT_OUTLET, FruitRecord, Result
from grader.domain.installation import Installation
from grader.storage.journal import WrittenEvent
from hardware.sim.live import Seen
from hardware.sim.referee_log import Landed, Opening

NOT_OPENED = frozenset({Result.LATE, Result.REFUSED, Result.VOID, Result.UNKNOWN})
"""What became of a command whose fruit went on to the default outlet, and was written down for it."""


class Miss(msgspec.Struct, frozen=True, kw_only=True):
    """A fruit that is in an outlet that no decision about it names. decided: -1 where there is none. cup: the belt's
    own count."""

    lane: int
    cup: int
    decided: int
    landed: int
    gate_outcome: str
    struck: bool


class Refereed(msgspec.Struct, frozen=True, kw_only=True):
    """The simulated line's verdict about every fruit that landed.

    landed = as_decided + by_default + undecided + misses. as_decided: in the outlet of its decision. by_default: in the
    default outlet, because its gate did not open, and the journal says so. undecided: in the default outlet, and the
    journal does not know of it: it passed while no station ran. misses: every other one by name. never_landed: fruit of
    the journal that the referee saw leave nowhere: no fruit at all, or still on the belt. openings: of gates; unasked:
    those under which no fruit passed that was sent there.
    """

    landed: int
    as_decided: int
    by_default: int
    undecided: int
    share: float
    never_landed: int
    openings: int
    unasked: int
    misses: list[Miss]


def refereed(sent: Sent, seen: Seen) -> Refereed:
    """Where fruit landed against where they were sent, by what the line itself saw."""
    as_decided = by_default = undecided = 0
    misses = []
    for each in seen.landed:
        landing = each.landing
        about = sent.about(landing.lane, landing.cup)
        if any(decided.outlet == landing.outlet for decided in about):
            as_decided += 1
        elif landing.outlet == DEFAULT_OUTLET and any(decided.gate_outcome in NOT_OPENED for decided in about):
            by_default += 1
        elif landing.outlet == DEFAULT_OUTLET and not about:
            undecided += 1
        else:
            misses.append(
                Miss(
                    lane=landing.lane,
                    cup=landing.cup,
                    decided=about[-1].outlet if about else -1,
                    landed=landing.outlet,
                    gate_outcome=about[-1].gate_outcome if about else "",
                    struck=landing.struck,
                )
            )
    return Refereed(
        landed=len(seen.landed),
        as_decided=as_decided,
        by_default=by_default,
        undecided=undecided,
        share=as_decided / len(seen.landed) if seen.landed else float("nan"),
        never_landed=sent.others_than((each.landing.lane, each.landing.cup) for each in seen.landed),
        openings=len(seen.openings),
        unasked=sum(not sent.asked(opening) for opening in seen.openings),
        misses=misses,
    )


class _Decided(NamedTuple):
    """All that the referee needs of a fruit's row."""

    outlet: int
    gate_outcome: str


@lru_cache  # one for all fruit of which the same is known: there are millions
def _once(outlet: int, gate_outcome: str) -> tuple[_Decided, ...]:
    return (_Decided(outlet, gate_outcome),)


class Sent:
    """Where the fruit of the line that is there were sent, by the belt's own cups.

    phases: where the station's pulses began anew: its serials are then ahead of the belt's cups by whole chains.
    landed: by which the chains are told.
    """

    def __init__(self, phases: Sequence[WrittenEvent], landed: Sequence[Landed], installation: Installation) -> None:
        self._ahead = _Ahead(phases, landed, installation)
        self._installation = installation
        self._decided: dict[tuple[int, int], tuple[_Decided, ...]] = {}

    def add(self, record: FruitRecord) -> None:
        """A row of the journal. One of an earlier line is none of this one."""
        if self._ahead.knows(record.cup):
            fruit = record.lane, record.cup - self._ahead.of(record.cup)
            decided = _once(record.outlet, record.gate_outcome)
            self._decided[fruit] = self._decided[fruit] + decided if fruit in self._decided else decided

    def about(self, lane: int, cup: int) -> tuple[_Decided, ...]:
        """What was decided about a fruit: nothing, or more than once, where serials began anew."""
        return self._decided.get((lane, cup), ())

    def others_than(self, fruit: Iterable[tuple[int, int]]) -> int:
        """How many others than these there are."""
        return len(self._decided.keys() - set(fruit))

    def asked(self, opening: Opening) -> bool:
        """Whether a fruit that was sent to this outlet was under the gate, or due there, while it was open."""
        line, gates = self._installation.line, self._installation.gates
        post = gates.position_mm(opening.outlet) / line.mm_per_pulse
        first = int((opening.opening - post) // line.pulses_per_cup)
        last = int((opening.closing - post) // line.pulses_per_cup) + 1
        return any(
            decided.outlet == opening.outlet
            for cup in range(first, last + 1)
            for decided in self.about(opening.lane, cup)
        )


class _Ahead:
    """By how many cups the station's serials are ahead of the belt's, from which serial on.

    A count that begins anew goes on at a multiple of the chain: which one, the time of its first pulse tells well
    enough, for a round of the chain takes half a minute.
    """

    def __init__(self, phases: Sequence[WrittenEvent], landed: Sequence[Landed], installation: Installation) -> None:
        line = installation.line
        chain = line.cups_per_chain
        when = np.array([each.wall_s for each in landed])
        where = np.array([each.pulse for each in landed])
        decision = installation.gates.decision_mm / line.mm_per_pulse
        self._from: list[tuple[int, int]] = []
        for phase in phases:
            at = int(phase.event.values.get("at_pulse", 0))
            cups = 0
            if chain is not None and len(when) > 1:
                belt = np.interp(phase.wall_s, when, where)
                cups = round((at - belt) / (line.pulses_per_cup * chain)) * chain
            self._from.append((int((at - decision) // line.pulses_per_cup), cups))

    def knows(self, cup: int) -> bool:
        """Whether it is of this line."""
        return not self._from or cup >= self._from[0][0]

    def of(self, cup: int) -> int:
        """For this serial."""
        return next((cups for since, cups in reversed(self._from) if cup >= since), 0)
