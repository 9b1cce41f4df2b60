"""A packing floor to break things on: a simulated line, a station in a process of its own, and who lets things fail.

Nothing here is imitated: the station is `grader run`, its orders go over its socket, what it decided is read from its
journal, and what truly happened from the line's own record.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np

from grader.app.orders import SOCKET, give_order
from grader.app.refereed import Refereed, Sent, refereed
from grader.domain.decisions import FruitRecord, GateOutcome, Result
from grader.domain.events import EventKind
from grader.domain.flags import Flag
from grader.domain.installation import Installation
from grader.domain.orders import Answer, Order, Reset, Show, Shown
from grader.domain.snapshot import FindingKind, Snapshot, State
from grader.errors import DeviceError
from grader.storage.journal import WrittenEvent, read_events, read_fruit, read_outcomes
from hardware.local_socket import is_alive
from hardware.sim.faults import Fault, FaultKind
from hardware.sim.levels import LEVELS
from hardware.sim.line import LineSettings, SimulatedLine
from hardware.sim.line_talk import Broken
from hardware.sim.live import LiveLine, Saboteur, read_referee, start_live_line
from hardware.sim.loop_camera import PreparedLine
from hardware.sim.referee_log import Opening
from hardware.sim.simulate import prepare_simulated_line
from hardware.sim.varieties import VARIETIES

LANES, OUTLETS, CUPS_PER_SECOND, SEED = 2, 3, 12.0, 1
PULSES_PER_CUP = 96
PULSES_PER_S = CUPS_PER_SECOND * PULSES_PER_CUP
CHAIN_CUPS = 54
"""The index mark comes every 4.5 seconds: a ninth of a real chain, lest the tests wait for it."""

PATIENCE_S = 30.0
"""No promise: what has not come after so long is taken for lost."""

SHEET = """
name = "By sugar"
fruit = "apple"
standard = "of the tests"
edition = "1"
status = "project_default"

[[classes]]
name = "Sweet"
[classes.limits]
ssc_brix = { min = 1 }

[[classes]]
name = "Plain"

[[products]]
name = "Sweet"
classes = ["Sweet"]
outlets = [1, 2]

[[products]]
name = "Plain"
classes = ["Plain"]
outlets = [3]
"""
"""Whose sugar is known goes to outlets 1 and 2, whose is not to outlet 3: every fruit that can be judged has a gate."""

ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8", "NO_COLOR": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

_Found = TypeVar("_Found")


def until(found: Callable[[], _Found], what: str, within_s: float = PATIENCE_S) -> _Found:
    """What is found, as soon as there is something to find. Looking takes a quarter of a core at most: maps of skin are
    made with what the line and its observers leave."""
    deadline = time.monotonic() + within_s
    began = time.monotonic()
    while not (result := found()):
        took_s = time.monotonic() - began
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}"
        time.sleep(max(0.03, 3.0 * took_s))
        began = time.monotonic()
    return result


class KeptPictures(NamedTuple):
    """The settings of a line whose pictures are drawn once and kept in a file."""

    settings: LineSettings
    path: Path


def prepare_kept(kept: KeptPictures, progress: Callable[[float], None]) -> PreparedLine:
    """The simulated line with its pictures: from the file if it is there, else into it."""
    if kept.path.exists():
        with np.load(kept.path) as pictures:
            return PreparedLine(SimulatedLine(kept.settings), pictures["loop"], pictures["empty"])
    line = prepare_simulated_line(kept.settings, progress)
    np.savez(kept.path, loop=line.loop, empty=line.empty)
    return line


class Floor:
    """A folder with a line that runs in it, and everything that can be learnt from there. `close` ends the line."""

    def __init__(self, folder: Path, pictures: Path, least_free_bytes: int = 0) -> None:
        self.folder, self.journal = folder, folder / "journal.sqlite"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sheet.toml").write_text(SHEET)
        self.station_file = folder / "station.toml"
        self.station_file.write_text(f"[pictures]\nevery = 2\nleast_free_bytes = {least_free_bytes}\n")
        settings = LineSettings(
            level=LEVELS["changing"],
            seed=SEED,
            variety=VARIETIES["Fuji"],
            lanes=LANES,
            cups_per_second=CUPS_PER_SECOND,
            cups_per_chain=CHAIN_CUPS,
            loop_cups=18,
        )
        known = SimulatedLine(settings).installation
        self.installation: Installation = msgspec.structs.replace(
            known, gates=msgspec.structs.replace(known.gates, outlets=OUTLETS)
        )
        self._simulated = SimulatedLine(settings)
        self._line: LiveLine = start_live_line(
            KeptPictures(settings, pictures),
            prepare=prepare_kept,
            installation=self.installation,
            folder=folder,
            asked={"level": "changing", "seed": SEED, "station": str(self.station_file)},
        )
        self._line.wait_ready(120)
        self._saboteur = Saboteur(folder)

    def close(self) -> None:
        """Idempotent."""
        self._saboteur.close()
        self._line.stop(0.3)  # it obeys the station alone, and that is gone

    # What goes wrong

    def happens(self, kind: FaultKind, **how: float) -> Broken:
        """Something goes wrong once; returns when it has."""
        self._saboteur.let_fail(Fault(kind=kind, **{"at_s": 0.0, **how}))
        return self.news()

    @contextmanager
    def broken(self, kind: FaultKind, **how: float) -> Iterator[Broken]:
        """Something is wrong for as long as this is entered."""
        began = self.happens(kind, for_s=3600.0, **how)
        try:
            yield began
        finally:
            self.mend()

    def mend(self) -> Broken:
        """What `broken` broke is whole again; returns when it is."""
        self._saboteur.mend()
        return self.news()

    def news(self) -> Broken:
        news = self._saboteur.wait(PATIENCE_S)
        assert news is not None, "the line did not do it"
        return news

    # What the journal says

    def fruit(self, since: int = 0) -> list[FruitRecord]:
        """Of cups from this serial on."""
        return [record for record in read_fruit(self.journal) if record.cup >= since]

    def without_a_row(self, cups: range) -> list[tuple[int, int]]:
        """Fruit in these cups that the journal does not have: (lane, cup). The chain is three rounds of the line's
        fruit: serials that are whole chains ahead of the belt's are of the same fruit."""
        known = {(record.lane, record.cup) for record in self.fruit(cups.start)}
        there = [(lane, cup) for cup in cups for lane in range(LANES) if self._simulated.occupied(lane, cup)]
        return [fruit for fruit in there if fruit not in known]

    def next_cup(self) -> int:
        """A serial beyond every one that is written down."""
        return max((record.cup for record in read_fruit(self.journal)), default=-1) + 1

    def outcomes(self, after: int = 0) -> list[GateOutcome]:
        """But for the first `after` of them."""
        return read_outcomes(self.journal)[after:]

    def events(self, *kinds: EventKind, after: int = 0) -> list[WrittenEvent]:
        """Those kinds, but for the first `after` of them."""
        return read_events(self.journal, kinds or None)[after:]

    # What the line saw

    def verdict(self) -> Refereed:
        """Where every fruit landed against where it was sent."""
        seen = read_referee(self.folder)
        phases = [
            each for each in self.events(EventKind.RUN_STARTED, EventKind.REPHASED) if each.wall_s >= seen.since_wall_s
        ]
        sent = Sent(phases, seen.landed, self.installation)
        for record in self.fruit():
            sent.add(record)
        return refereed(sent, seen)

    def openings_between(self, first: float, last: float, outlet: int | None = None) -> list[Opening]:
        """Of gates, or of those of one outlet, that began between two places of the belt."""
        openings = read_referee(self.folder).openings
        return [each for each in openings if first < each.opening < last and outlet in (None, each.outlet)]


class StationProcess:
    """`grader run` on a floor."""

    def __init__(self, floor: Floor, *words: str) -> None:
        self.floor = floor
        self.log = floor.folder / "said.log"
        said = self.log.open("a")
        command = [sys.executable, "-m", "grader", "run", "--headless", "--out", str(floor.folder)]
        self.process = subprocess.Popen(
            [*command, "--station", str(floor.station_file), "--sheet", str(floor.folder / "sheet.toml"), *words],
            stdout=said,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT,
        )
        said.close()
        until(self._is_up, "the station runs")

    def _is_up(self) -> bool:
        assert self.process.poll() is None, f"the station ended: {self.said()}"
        try:
            return is_alive(self.floor.folder / SOCKET) and isinstance(self.give(Show()), Shown)
        except DeviceError:
            return False

    def said(self) -> str:
        """All that it printed."""
        return self.log.read_text()

    def give(self, order: Order) -> Answer:
        """An order, and its answer."""
        return give_order(self.floor.folder, order)

    def shown(self) -> Snapshot:
        """How things stand."""
        answer = self.give(Show())
        assert isinstance(answer, Shown), answer
        return answer.snapshot

    def found(self, kind: FindingKind) -> list[int | None]:
        """The lanes, or outlets, of which this is found at present; None for the whole station."""
        return [
            each.lane if each.lane is not None else each.outlet for each in self.shown().findings if each.kind is kind
        ]

    def until_found(self, kind: FindingKind, within_s: float = PATIENCE_S) -> None:
        """An operator sees it."""
        until(lambda: self.found(kind), f"found: {kind}", within_s)

    def until_not_found(self, kind: FindingKind, within_s: float = PATIENCE_S) -> None:
        """It has gone by itself."""
        until(lambda: not self.found(kind), f"gone: {kind}", within_s)

    def until_sorting(self, within_s: float = PATIENCE_S) -> None:
        """Gates open for fruit that are decided from now on."""
        cup = self.floor.next_cup()
        until(
            lambda: [each for each in self.floor.outcomes() if each.result is Result.FIRED and each.cup >= cup],
            f"gates fire; {self.shown().reason}",
            within_s,
        )

    def until_faulted(self, within_s: float = PATIENCE_S) -> str:
        """The reason that an operator reads."""
        return until(lambda: self.shown().state is State.FAULTED and self.shown().reason, "a fault", within_s)

    def reset(self) -> Answer:
        """A person has seen to it."""
        return self.give(Reset())

    def kill(self) -> None:
        """As a power cut would. Idempotent."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def interrupt(self, within_s: float) -> int:
        """Ctrl-C, and its exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(within_s)


def flagged(fruit: list[FruitRecord], flag: Flag) -> list[FruitRecord]:
    """Those that carry it."""
    return [record for record in fruit if record.flags & flag]
