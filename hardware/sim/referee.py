"""Where every fruit really went: from what the gates did, not from what anybody decided or reported.

The rule. A cup tips when the lever under it is held up by an open gate. The lever is 40 mm long: the gate must be
all the way open from 20 mm before the cup's centre reaches it to 20 mm after, or the cup rides on. A lever that
meets a gate which is moving, or open for part of the way only, is struck: the cup rides on, and the referee says
so when the fruit lands. What no gate tips runs off the end of the belt, one gate pitch after the last gate: that
is outlet 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from grader.domain.decisions import DEFAULT_OUTLET
from grader.domain.installation import Gates, Line
from hardware.sim.gates import GateMovement

LEVER_MM = 40.0


class Landing(msgspec.Struct, frozen=True, kw_only=True):
    """One fruit left the belt. struck: a gate moved under its cup on the way."""

    lane: int
    cup: int
    outlet: int
    struck: bool = False


class Referee:
    """Follows every occupied cup from the first gate to where it leaves; each lands exactly once.

    occupied(lane, cup): whether there is fruit in a cup. movements(lane, outlet): what a gate did, oldest first.
    """

    def __init__(
        self,
        line: Line,
        gates: Gates,
        occupied: Callable[[int, int], bool],
        movements: Callable[[int, int], Sequence[GateMovement]],
    ) -> None:
        self._line, self._occupied, self._movements = line, occupied, movements
        self._half_lever = LEVER_MM / 2 / line.mm_per_pulse
        self._posts = [gates.position_mm(outlet) / line.mm_per_pulse for outlet in range(1, gates.outlets + 1)]
        self._end = gates.position_mm(gates.outlets + 1) / line.mm_per_pulse
        self._next_cup = [line.first_cup] * (gates.outlets + 1)  # at each gate, then at the end: the same for all lanes
        self._riding: dict[tuple[int, int], bool] = {}  # fruit past the first gate → whether it was struck
        self.entered = self.landed = 0

    @property
    def riding(self) -> int:
        """Fruit between the first gate and the end of the belt."""
        return len(self._riding)

    @property
    def settled_cup(self) -> int:
        """Every cup below this serial has passed the end of the belt."""
        return self._next_cup[-1]

    @property
    def reach_back(self) -> float:
        """Pulses before now of which the referee still needs the movements."""
        return 2 * self._half_lever + self._line.pulses_per_cup

    def judge(self, pulse: float) -> list[Landing]:
        """Fruit that left the belt since the last call, now that it has come to `pulse`."""
        landings: list[Landing] = []
        lanes = range(self._line.lanes)
        # Loops over cups that passed a place since the last call: a few hundred a second on a full line.
        for place, post in enumerate(self._posts):
            for cup in self._passed(place, post + self._half_lever, pulse):
                begins = cup * self._line.pulses_per_cup + post - self._half_lever
                for lane in lanes:
                    self._pass_gate(lane, cup, place + 1, begins, landings)
        for cup in self._passed(len(self._posts), self._end, pulse):
            landings += [self._land(lane, cup, DEFAULT_OUTLET) for lane in lanes if (lane, cup) in self._riding]
        return landings

    def _passed(self, place: int, position: float, pulse: float) -> range:
        """The cups whose centre came past a position since this place was last asked for."""
        first = self._next_cup[place]
        beyond = max(first, int((pulse - position) // self._line.pulses_per_cup) + 1)
        self._next_cup[place] = beyond
        return range(first, beyond)

    def _pass_gate(self, lane: int, cup: int, outlet: int, begins: float, landings: list[Landing]) -> None:
        fruit = (lane, cup)
        if outlet == 1 and self._occupied(lane, cup):
            self._riding[fruit] = False
            self.entered += 1
        if fruit not in self._riding:
            return
        ends = begins + 2 * self._half_lever
        met = [m for m in self._movements(lane, outlet) if m.opening < ends and (m.closed is None or m.closed > begins)]
        if any(_open_throughout(movement, begins, ends) for movement in met):
            landings.append(self._land(lane, cup, outlet))
        elif met:
            self._riding[fruit] = True

    def _land(self, lane: int, cup: int, outlet: int) -> Landing:
        self.landed += 1
        return Landing(lane=lane, cup=cup, outlet=outlet, struck=self._riding.pop((lane, cup)))


def _open_throughout(movement: GateMovement, begins: float, ends: float) -> bool:
    """Whether the gate was all the way open from one pulse to another."""
    opened, closing = movement.opened, movement.closing
    return opened is not None and opened <= begins and (closing is None or closing >= ends)
