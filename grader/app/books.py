"""What is left of a run: fruit.csv, summary.json and, of the simulated line, the referee's verdict."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from grader.app.lot_books import growers_of
from grader.domain.decisions import DEFAULT_OUTLET, FruitRecord, Result
from grader.domain.events import EventKind
from grader.domain.installation import Installation
from grader.domain.snapshot import Snapshot
from grader.storage.fruit_table import write_fruit_csv
from grader.storage.journal import WrittenEvent, read_events, read_fruit, read_runs
from grader.storage.summary import Summary, summary_of, write_summary
from hardware.sim.live import read_referee
from hardware.sim.referee_log import Landed, Opening

JOURNAL = "journal.sqlite"

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


def closed_books(out: Path, last: Snapshot, seed: int | None) -> tuple[Summary, Refereed]:
    """Write the files of a run that has ended, from the journal in its folder. Raises JournalError, OSError."""
    path = out / JOURNAL
    records, runs = read_fruit(path), read_runs(path)
    run = list(runs.values())[-1]
    summary = summary_of(
        records,
        duration_s=last.elapsed_s if len(runs) == 1 else time.time() - next(iter(runs.values())).started_wall_s,
        frames_dropped=last.frames_dropped,
        latency=last.latency,
        versions=run.versions,
        hashes=run.hashes,
        growers=growers_of(path),
        seed=seed,
    )
    write_fruit_csv(out / "fruit.csv", records)
    write_summary(out / "summary.json", summary)
    seen = read_referee(out)
    phases = read_events(path, (EventKind.RUN_STARTED, EventKind.REPHASED))
    phases = [phase for phase in phases if phase.wall_s >= seen.since_wall_s]
    verdict = refereed(records, seen.landed, seen.openings, phases, run.installation)
    (out / "referee.json").write_bytes(msgspec.json.format(msgspec.json.encode(verdict), indent=1))
    return summary, verdict


def refereed(
    records: Sequence[FruitRecord],
    landed: Sequence[Landed],
    openings: Sequence[Opening],
    phases: Sequence[WrittenEvent],
    installation: Installation,
) -> Refereed:
    """Where fruit landed against where it was sent, by what the line itself saw.

    phases: where the station's pulses began anew: its serials are then ahead of the belt's cups by whole chains.
    """
    ahead = _Ahead(phases, landed, installation)
    decided: dict[tuple[int, int], list[FruitRecord]] = defaultdict(list)
    for record in records:
        if ahead.knows(record.cup):
            decided[record.lane, record.cup - ahead.of(record.cup)].append(record)
    as_decided = by_default = undecided = 0
    misses = []
    for each in landed:
        landing = each.landing
        about = decided.get((landing.lane, landing.cup), [])
        if any(record.outlet == landing.outlet for record in about):
            as_decided += 1
        elif landing.outlet == DEFAULT_OUTLET and any(record.gate_outcome in NOT_OPENED for record in about):
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
    seen = {(each.landing.lane, each.landing.cup) for each in landed}
    return Refereed(
        landed=len(landed),
        as_decided=as_decided,
        by_default=by_default,
        undecided=undecided,
        share=as_decided / len(landed) if landed else float("nan"),
        never_landed=len(decided.keys() - seen),
        openings=len(openings),
        unasked=sum(not _was_asked(opening, decided, installation) for opening in openings),
        misses=misses,
    )


def _was_asked(opening: Opening, decided: dict[tuple[int, int], list[FruitRecord]], installation: Installation) -> bool:
    """Whether a fruit that was sent to this outlet was under the gate, or due there, while it was open."""
    line, gates = installation.line, installation.gates
    post = gates.position_mm(opening.outlet) / line.mm_per_pulse
    first = int((opening.opening - post) // line.pulses_per_cup)
    last = int((opening.closing - post) // line.pulses_per_cup) + 1
    return any(
        record.outlet == opening.outlet
        for cup in range(first, last + 1)
        for record in decided.get((opening.lane, cup), [])
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
