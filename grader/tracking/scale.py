"""What the scale has learnt from empty cups: the zero of every lane, and what each cup of the chain weighs beside it.

    mass = reading - zero of the lane - tare of the cup

The zero is a median of the lane's latest empty cups, less their tares. The tare of a cup is what remained of its own
latest empty weighings: the middle half of them, so that a leaf that lay in it once does not count, drawn towards 0 by
what the noise of so few weighings is worth. With the spread of tares `s` and the noise of a weighing `e`, the mean of n
weighings is multiplied by n / (n + e²/s²), which leaves the least error.

Which cup of the chain a serial is, nobody can be sure of: the encoder may have slipped, a restart may have begun at
another cup, the chain may have been stated wrongly. So a lane's tares are put to the test by every empty cup: is its
reading better foretold with its tare or without? Only while the evidence for them is good are they used, and where it
turns against them they are forgotten.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import isnan
from statistics import fmean, median
from typing import NamedTuple

import msgspec

from grader.domain.events import Event, EventKind
from grader.domain.installation import Installation
from grader.domain.snapshot import ScaleAlarm
from grader.tracking.settings import ScaleSettings
from grader.units import Pulse

_BELIEVED, _CERTAIN, _DOUBTED, _DISPROVED = 5.0, 15.0, 0.0, -7.0
"""Of the evidence for tares: from where they are used, the most that is kept of it, where they are used no more, and
where they are forgotten. Logarithms of how many times likelier the readings are with tares than without: 150, three
million, 1 and a thousandth."""


@dataclass(slots=True)
class CupScale:
    """One cup of the chain. latest_g: what its latest empty weighings were above the zero; tare_g: what is made of
    them, 0 for too few; written_g: as it was last written down. off_g: how far the latest were from the zero, however
    far."""

    latest_g: deque[float]
    off_g: deque[float]
    tare_g: float = 0.0
    written_g: float = 0.0


@dataclass(slots=True)
class LaneScale:
    """The bridge of one lane.

    zero_g; latest_g: readings of the latest empty cups, less their tares; began_g: the zero before there were any,
    which counts for those still missing; written_g: as it was last written down. cups, by their number in the chain.
    evidence: for the tares; tares_used: there is enough. g_per_count: its span; None: it says grams itself.

    What `scale_watch` keeps: last_g and repeats, how many fruit in a row were said to weigh exactly the same; far_g,
    what empty cups in a row weighed that weighed a fruit; fitting, how many fruit in a row weighed what they should for
    their size since it went astray; anchor_g and anchor_cup, the zero that creep is measured from; home_g, the first
    zero that was made of empty cups alone, NaN before; alarms that are on; stuck_cups, of the chain, in which something
    sits.
    """

    latest_g: deque[float]
    far_g: deque[float]
    zero_g: float = 0.0
    began_g: float = 0.0
    written_g: float = 0.0
    cups: dict[int, CupScale] = field(default_factory=dict)
    evidence: float = 0.0
    tares_used: bool = False
    g_per_count: float | None = None
    last_g: float = float("nan")
    repeats: int = 0
    fitting: int = 0
    anchor_g: float = 0.0
    anchor_cup: int | None = None
    home_g: float = float("nan")
    alarms: set[ScaleAlarm] = field(default_factory=set)
    stuck_cups: set[int] = field(default_factory=set)

    def tare_g(self, chain_cup: int | None) -> float:
        """What a weighing in this cup is lessened by; 0 where nothing certain is known."""
        known = self.cups.get(chain_cup) if chain_cup is not None and self.tares_used else None
        return 0.0 if known is None else known.tare_g

    def cup_of(self, chain_cup: int, settings: ScaleSettings) -> CupScale:
        """What is known of a cup, from now on if nothing was."""
        if chain_cup not in self.cups:
            self.cups[chain_cup] = CupScale(
                deque(maxlen=settings.most_tare_weighings), deque(maxlen=settings.stuck_times)
            )
        return self.cups[chain_cup]


@dataclass(slots=True)
class ScaleState:
    """The bridges of all lanes, and how long the chain is; None where nobody said."""

    lanes: list[LaneScale]
    cups_per_chain: int | None

    def chain_cup(self, cup: int) -> int | None:
        """Which cup of the chain a serial is, by its own count."""
        return None if self.cups_per_chain is None else cup % self.cups_per_chain


class Place(NamedTuple):
    """Which weighing: of what cup, and where the belt was."""

    lane: int
    cup: int
    chain_cup: int | None
    pulse: Pulse


# What a restart goes on with


class CupMemory(msgspec.Struct, frozen=True):
    """A cup of the chain: its tare, and of how many weighings it is made."""

    cup: int
    tare_g: float
    weighings: int


class LaneMemory(msgspec.Struct, frozen=True):
    """The zero of a lane, of how many empty cups it is made, where it was at first (None: too few cups yet), the span
    that its bridge was last said to have (None: it says grams itself), and its cups."""

    zero_g: float
    empty_cups: int
    home_g: float | None = None
    g_per_count: float | None = None
    cups: tuple[CupMemory, ...] = ()


class ScaleMemory(msgspec.Struct, frozen=True):
    """All that the scale has learnt, to be kept and given back at the next start."""

    cups_per_chain: int | None
    lanes: tuple[LaneMemory, ...]


def new_scale(
    installation: Installation, settings: ScaleSettings, memory: ScaleMemory | None = None
) -> tuple[ScaleState, list[Event]]:
    """A scale that knows nothing, or what it knew; and its spans, where the station states them anew.

    memory: of as many lanes as it has. Its tares are taken where the chain is as long as it was, and used once empty
    cups have shown that serials still count the same cups.
    """
    line = installation.line
    lanes = [
        LaneScale(deque(maxlen=settings.most_zero_cups), deque(maxlen=settings.astray_cups)) for _ in range(line.lanes)
    ]
    if installation.scale is not None and installation.scale.g_per_count is not None:
        for lane, span in zip(lanes, installation.scale.g_per_count, strict=True):
            lane.g_per_count = span
    remembered = () if memory is None else memory.lanes
    for lane, known in zip(lanes, remembered, strict=False):
        lane.zero_g = lane.began_g = lane.written_g = lane.anchor_g = known.zero_g
        lane.latest_g.extend([known.zero_g] * min(known.empty_cups, settings.most_zero_cups))
        lane.home_g = float("nan") if known.home_g is None else known.home_g
        if memory is not None and memory.cups_per_chain == line.cups_per_chain:
            for cup in known.cups:
                _remember(lane.cup_of(cup.cup, settings), cup, settings)
    return ScaleState(lanes, line.cups_per_chain), _spans(lanes, remembered)


def memory_of(scale: ScaleState) -> ScaleMemory:
    """What is to be kept of a scale. Cups without a tare, as they were weighed empty too seldom, are left out."""
    return ScaleMemory(
        cups_per_chain=scale.cups_per_chain,
        lanes=tuple(
            LaneMemory(
                zero_g=lane.zero_g,
                empty_cups=len(lane.latest_g),
                home_g=None if isnan(lane.home_g) else lane.home_g,
                g_per_count=lane.g_per_count,
                cups=tuple(
                    CupMemory(cup, known.tare_g, len(known.latest_g))
                    for cup, known in sorted(lane.cups.items())
                    if known.tare_g
                ),
            )
            for lane in scale.lanes
        ),
    )


def _remember(known: CupScale, cup: CupMemory, settings: ScaleSettings) -> None:
    """Its weighings are taken to have been all the same: what the middle of them must have been."""
    weighings = min(cup.weighings, settings.most_tare_weighings)
    if weighings:
        known.latest_g.extend([cup.tare_g / _worth(weighings, settings)] * weighings)
    known.tare_g = known.written_g = cup.tare_g


def _spans(lanes: list[LaneScale], remembered: tuple[LaneMemory, ...]) -> list[Event]:
    """Spans that are not what they were. A scale that says grams itself, and always has, has none to be told."""
    told = []
    for number, lane in enumerate(lanes):
        before = remembered[number].g_per_count if number < len(remembered) else None
        now = lane.g_per_count
        if now != before:
            says = "the scale says grams itself" if now is None else f"a count of the scale is {now:g} g"
            known = {name: each for name, each in (("from", before), ("to", now)) if each is not None}
            text = f"Lane {number}: {says}."
            told.append(Event(kind=EventKind.SCALE_SPAN, text=text, lane=number, values={**known}))
    return told


# What empty cups teach


def learn(
    lane: LaneScale, place: Place, reading_g: float, *, sure_of_cup: bool, settings: ScaleSettings, events: list[Event]
) -> None:
    """An empty cup was weighed: it moves the zero, and, where it is certain which one it was, its own tare."""
    above_g, tare_g = reading_g - lane.zero_g, lane.tare_g(place.chain_cup)
    if place.chain_cup is not None and sure_of_cup and abs(above_g) <= settings.stuck_g:
        known = lane.cup_of(place.chain_cup, settings)
        _test(lane, place, above_g, known.tare_g, settings, events)
        _learn_tare(known, above_g, settings)
        if lane.tares_used:
            _write_tare(known, place, settings, events)
    lane.latest_g.append(reading_g - tare_g)
    missing = max(0, settings.least_zero_cups - len(lane.latest_g))
    lane.zero_g = median([*lane.latest_g, *[lane.began_g] * missing])
    _write_zero(lane, place, settings, events)


def doubt_cups(scale: ScaleState, pulse: Pulse | None, events: list[Event]) -> None:
    """The encoder's count is in doubt: tares are not used until empty cups have shown again whose they are."""
    for number, lane in enumerate(scale.lanes):
        lane.evidence = min(lane.evidence, _DOUBTED)
        _use_tares(lane, number, pulse, events)


def _test(
    lane: LaneScale, place: Place, above_g: float, tare_g: float, settings: ScaleSettings, events: list[Event]
) -> None:
    """One more reading for or against the tares. They are written down when they come into use, and forgotten when they
    are disproved."""
    most_g = 3 * settings.noise_g  # litter proves nothing
    off_g = min(max(above_g, -most_g), most_g)
    gain = (off_g**2 - (off_g - tare_g) ** 2) / (2 * settings.noise_g**2)
    lane.evidence = min(lane.evidence + gain, _CERTAIN)
    if _use_tares(lane, place.lane, place.pulse, events):
        for chain_cup, known in sorted(lane.cups.items()):
            _write_tare(known, place._replace(chain_cup=chain_cup), settings, events)
    if lane.evidence <= _DISPROVED:
        lane.evidence = _DOUBTED
        for known in lane.cups.values():
            known.latest_g.clear()
            known.tare_g = 0.0


def _use_tares(lane: LaneScale, number: int, pulse: Pulse | None, events: list[Event]) -> bool:
    """Use tares that are proven, or use them no more; whether they are used from now on."""
    use = lane.evidence > _DOUBTED if lane.tares_used else lane.evidence >= _BELIEVED
    if use == lane.tares_used:
        return False
    lane.tares_used = use
    words = "are proven, and used from here on" if use else "are in doubt, and not used until they are proven"
    text = f"Lane {number}: the tares of its cups {words}."
    events.append(Event(kind=EventKind.CUP_TARE, text=text, pulse=pulse, lane=number, values={"used": int(use)}))
    return use


def _learn_tare(known: CupScale, above_g: float, settings: ScaleSettings) -> None:
    known.latest_g.append(above_g)
    n = len(known.latest_g)
    if n >= settings.least_tare_weighings:
        aside = -(-n // 4)
        known.tare_g = _worth(n, settings) * fmean(sorted(known.latest_g)[aside : n - aside])


def _write_tare(known: CupScale, place: Place, settings: ScaleSettings, events: list[Event]) -> None:
    if abs(known.tare_g - known.written_g) < settings.tare_step_g:
        return
    words = f"Lane {place.lane}, cup {place.chain_cup} of the chain: tare {known.tare_g:+.2f} g"
    events.append(
        Event(
            kind=EventKind.CUP_TARE,
            text=f"{words}, was {known.written_g:+.2f} g.",
            pulse=place.pulse,
            lane=place.lane,
            cup=place.chain_cup,
            values={"from_g": round(known.written_g, 3), "to_g": round(known.tare_g, 3)},
        )
    )
    known.written_g = known.tare_g


def _write_zero(lane: LaneScale, place: Place, settings: ScaleSettings, events: list[Event]) -> None:
    if abs(lane.zero_g - lane.written_g) < settings.zero_step_g:
        return
    events.append(
        Event(
            kind=EventKind.SCALE_ZERO,
            text=f"Lane {place.lane}: zero of the scale {lane.zero_g:+.2f} g, was {lane.written_g:+.2f} g.",
            pulse=place.pulse,
            lane=place.lane,
            values={"from_g": round(lane.written_g, 3), "to_g": round(lane.zero_g, 3)},
        )
    )
    lane.written_g = lane.zero_g


def _worth(weighings: int, settings: ScaleSettings) -> float:
    return weighings / (weighings + (settings.noise_g / settings.tare_sd_g) ** 2)
