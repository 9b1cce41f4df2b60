"""The shell around the line: two threads, their queue, and the station's life.

    line thread     camera, sensors -> step -> decisions      never waits for disk or port
    keeper thread   decisions -> journal, then gate board      never touches a frame

    RUNNING -- something breaks --> FAULTED -- a person's reset --> RUNNING

A fault latches: gates close and stay closed, whatever comes back by itself. The line goes on meanwhile: what passes is
still measured and written down, for the default outlet. Orders are carried out by the line thread, between two steps.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

from grader.clock import Clock
from grader.domain.conditions import Conditions
from grader.domain.decisions import BoardStatus, PlantOutputs, Rephased, Result
from grader.domain.events import Event, EventKind
from grader.domain.health import HealthLimits
from grader.domain.skin import MappedSkin, Sighting
from grader.domain.snapshot import FaultKind, Latched, PicturesHealth, Snapshot, State
from grader.errors import BoardLost, GraderError, JournalError
from grader.ports import Encoder, GateBoard, Journal
from grader.station.backlog import Decided
from grader.station.dispatch import Dispatcher
from grader.station.latch import Latch
from grader.station.ledger import Ledger
from grader.station.line import LineSettings, LineState, Step, new_line, step
from grader.station.lots import LotOrder, Lots, Start, close_lot, lanes_waiting, lot_at, lots_on_belt, open_lot
from grader.station.pictures import PictureBook
from grader.station.plant_seen import PlantSeen
from grader.station.watch import Watch
from grader.station.watched import WatchedCamera, WatchedMaps, WatchedSensors
from grader.tracking.belt import advance
from grader.tracking.scale import ScaleMemory, memory_of
from grader.tracking.scale_watch import scale_health
from grader.units import NS_PER_MS, NS_PER_S, HostNs, Pulse, pulses_from_mm

BATCH_S = 0.010
"""Decisions wait so long for company before they are committed together."""
FRAME_WAIT_S = 0.05
CLOSING_S = 0.3
"""So long the end waits for the board's word that its gates are closed."""
ORDER_S = 10.0
"""An order is carried out within this: a reset takes the longest."""
REMEMBER_S = 60.0
"""So often is written down what the scale has learnt."""
SCALE = "scale"
"""The name of that in the journal."""
MOST_WAITING = 4096
"""Steps whose decisions the keeper may be behind, while a disk holds it up: two minutes at 30 frames/s. Beyond that the
line faults rather than forgets."""

_Answer = TypeVar("_Answer")


class Station:
    """Grades what comes, until it is stopped. Devices are handed in, working; they are closed by who opened them."""

    def __init__(
        self,
        settings: LineSettings,
        *,
        camera: WatchedCamera,
        sensors: WatchedSensors,
        board: GateBoard,
        encoder: Encoder,
        journal: Journal,
        clock: Clock,
        lots: Lots | None = None,
        scale_memory: ScaleMemory | None = None,
        limits: HealthLimits = HealthLimits(),
        pictures: PictureBook | None = None,
        maps: WatchedMaps | None = None,
        heard: Callable[[Event], None] = lambda event: None,
    ) -> None:
        """lots, scale_memory: that the station goes on with; else the lots of the installation, and a new scale.

        pictures: where those of fruit are kept; None: nowhere. maps: whoever maps skins; None: nobody. heard: is told
        every event when it happens, by any thread; it may not wait.
        """
        self._settings, self._clock = settings, clock
        self._camera, self._sensors, self._board, self._encoder = camera, sensors, board, encoder
        self._line = new_line(settings, lots, scale_memory)
        self._journal, self._pictures, self._maps = journal, pictures, maps
        self._ledger = Ledger(settings.installation.line.lanes)
        self._dispatcher = Dispatcher(
            journal, board, encoder, self._ledger, clock, settings.installation.gates.lead_pulses
        )
        self._watch = Watch(limits)
        self._waiting: queue.Queue[Decided] = queue.Queue(MOST_WAITING)
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._memories: queue.SimpleQueue[tuple[str, object, Future[None]]] = queue.SimpleQueue()
        self._remembered_at = clock.now()
        self._stop, self._line_done = threading.Event(), threading.Event()
        self._latch = Latch()
        self._threads = [
            threading.Thread(target=self._run_line, name="line"),
            threading.Thread(target=self._run_keeper, name="keeper"),
        ]
        self._started = self._line_turned = self._keeper_turned = clock.now()
        self._heard = heard
        self._plant = PlantSeen()

    @property
    def state(self) -> State:
        """Where the station is in its life."""
        return self._latch.state

    @property
    def line(self) -> LineState:
        """What the line remembers: for reading when it has stopped."""
        return self._line

    @property
    def line_silent_s(self) -> float:
        """Since the line thread last came round: far below a second as long as nothing hangs."""
        return (self._clock.now() - self._line_turned) / NS_PER_S

    @property
    def keeper_silent_s(self) -> float:
        """Since the keeper thread last came round: longer where it waits for the disk."""
        return (self._clock.now() - self._keeper_turned) / NS_PER_S

    def start(self, first_lot: LotOrder | None = None, *, latched: Latched | None = None) -> None:
        """Begin to grade. first_lot: what all fruit from now on are of. latched: the fault that the station had when it
        ended, and that nobody has reset: gates stay closed until a person does. Raises GraderError for a lot that
        cannot be."""
        pulse = self._encoder.pulse()
        if pulse > 0:  # the belt has moved before, and what is on it is of the lot before
            advance(self._line.track.belt, pulse, self._line.track.course.reach)
        if first_lot is not None:
            self._take_events(open_lot(self._line.lots, self._line.track, first_lot))
        self._started = self._clock.now()
        self._latch.run()
        self._note(EventKind.RUN_STARTED, "the station is started", values={"at_pulse": pulse})
        if latched is not None:
            self._go_on_faulted(latched)
        self._line_turned = self._keeper_turned = self._clock.now()
        for thread in self._threads:
            thread.start()

    def drain(self, reason: str) -> None:
        """Say that no more fruit is wanted; what is on the belt is still graded and sent. Idempotent."""
        before = self._latch.state
        self._latch.drain(reason)
        if self._latch.state is not before:
            with contextlib.suppress(GraderError):
                self._note_change(before, reason)

    def stop(self, timeout_s: float = 5.0) -> None:
        """Close the gates, write down what is decided, end the threads. Idempotent, bounded in time."""
        if not self._stop.is_set():
            with contextlib.suppress(GraderError):  # a journal that is far behind does not keep it from stopping
                self._note(EventKind.RUN_ENDED, "the station is stopped")
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout_s)
        self._board.close_all()
        self._latch.stop()

    # What people order

    def open_lot(self, order: LotOrder) -> None:
        """Begin a lot, or go on with one. Raises GraderError where that cannot be."""
        self._ordered(lambda: self._take_events(open_lot(self._line.lots, self._line.track, order)))

    def close_lot(self, name: str, start: Start | tuple[int, ...] = Start.AT_ONCE) -> None:
        """End a lot. Raises GraderError where that cannot be."""
        self._ordered(lambda: self._take_events(close_lot(self._line.lots, self._line.track, name, start)))

    def reset(self) -> None:
        """A person has looked after the fault: connect to the board afresh, and grade on.

        Raises GraderError when the cause is still there; the fault then stays.
        """
        self._ordered(self._reset)

    def note_order(self, text: str) -> None:
        """Write down what a person asked for. Raises GraderError when that cannot be."""
        self._note(EventKind.ORDER, text)

    def remember(self, name: str, value: object) -> None:
        """Have a small thing written down, to go on with after a restart. Raises GraderError when that cannot be."""
        done: Future[None] = Future()
        self._memories.put((name, value, done))
        try:
            done.result(ORDER_S)
        except TimeoutError:
            raise GraderError("the journal did not take it in time: check the disk") from None

    def fault(self, reason: str, kind: FaultKind = FaultKind.OTHER, *, can_reset: bool = True) -> None:
        """Latch: the first reason stands and the gates close, until a person resets the station.

        can_reset: False when only a new start helps.
        """
        if self._latch.fault(reason, kind, now=self._clock.now(), can_reset=can_reset):
            self._dispatcher.shut(reason)
            self._board.close_all()
            with contextlib.suppress(GraderError):  # the journal is far behind: that is the fault, or will be the next
                self._note(EventKind.FAULT, reason, values={"kind": kind.value})

    def _go_on_faulted(self, latched: Latched) -> None:
        reason = f"was faulted before it ended: {latched.reason}; see to it, then reset"
        before = self._latch.state
        self._latch.fault(reason, latched.kind, now=self._clock.now(), can_reset=True)
        self._dispatcher.shut(reason)
        self._board.close_all()
        self._note_change(before, reason)

    def _note_change(self, before: State, reason: str) -> None:
        now = self._latch.state
        self._note(EventKind.STATE_CHANGED, f"{now.value}: {reason}", values={"from": before.value, "to": now.value})

    def _ordered(self, work: Callable[[], _Answer]) -> _Answer:
        """Let the line thread do it, between two steps."""
        done: Future[_Answer] = Future()

        def carry_out() -> None:
            if not done.set_running_or_notify_cancel():
                return  # whoever ordered it was told that it is not done: then it is not
            try:
                done.set_result(work())
            except GraderError as problem:
                done.set_exception(problem)

        if not self._threads[0].is_alive():
            raise GraderError("the station does not run any more: start it again")
        self._orders.put(carry_out)
        try:
            return done.result(ORDER_S)
        except TimeoutError:
            if done.cancel():
                raise GraderError("the station did not take the order in time: see what it shows") from None
            raise GraderError("the order is being carried out, and takes long: see what the station shows") from None

    def _reset(self) -> None:
        if self._latch.state is not State.FAULTED:
            raise GraderError("there is no fault to reset")
        if not self._latch.can_reset:
            raise GraderError(f"a reset does not help here, start the station again: {self._latch.reason}")
        try:
            self._board.connect()
            if self._board.status().emergency_stop:
                raise GraderError("the emergency stop is still pressed: release it, then reset")
        except BoardLost as problem:
            raise GraderError(f"still not well: {problem}") from problem
        if not self._camera.renew():
            raise GraderError(f"still not well: {self._camera.trouble}")
        self._sensors.renew()
        reason = self._latch.reason
        self._dispatcher.shut("")
        if not self._latch.reset():  # something worse has come meanwhile
            self._dispatcher.shut(self._latch.reason)
            raise GraderError(f"a reset does not help here, start the station again: {self._latch.reason}")
        self._note(EventKind.RESET, f"reset by a person: {reason}")

    # The line thread

    def _run_line(self) -> None:
        try:
            while not self._stop.is_set():
                self._turn()
        except GraderError as problem:
            self.fault(str(problem), _kind_of(problem), can_reset=False)
        except Exception as problem:  # a thread of the station may not end unseen
            self.fault(f"{type(problem).__name__}: {problem}", can_reset=False)
            raise
        finally:
            self._line_done.set()

    def _turn(self) -> None:
        self._line_turned = self._clock.now()
        while not self._orders.empty():
            self._orders.get()()
        if self._clock.now() - self._remembered_at > REMEMBER_S * NS_PER_S:
            self._keep_scale()
        frame = self._camera.next_frame(FRAME_WAIT_S)
        readings = self._sensors.readings()
        conditions, maps = self._conditions(), self._maps_made()
        began = self._clock.now()
        if frame is None:  # a silent camera: the belt may move all the same, and what is due is decided
            pulse = self._encoder.pulse()
            self._take(step(self._settings, self._line, None, readings, pulse, conditions, maps), began)
            return
        self._ledger.framed(lost=frame.pixels is None)
        self._ledger.timed("frame_to_step", (began - frame.t_ns) / NS_PER_MS)
        try:
            result = step(self._settings, self._line, frame, readings, conditions=conditions, maps=maps)
            if self._pictures is not None and result.looked:
                self._pictures.see(frame)
        finally:
            self._camera.release(frame)
        self._ledger.timed("step", (self._clock.now() - began) / NS_PER_MS)
        self._take(result, frame.t_ns)

    def _to_be_mapped(self, sightings: Sequence[Sighting]) -> Sequence[Sighting]:
        """The same; those of sampled cups are to be drawn, too."""
        pictures = self._pictures
        if pictures is None:
            return sightings
        return [each._replace(to_draw=True) if pictures.samples(each.lane, each.cup) else each for each in sightings]

    def _maps_made(self) -> list[MappedSkin]:
        made = [] if self._maps is None else self._maps.made()
        self._ledger.mapped([each.took_ms for each in made])
        if made and self._pictures is not None:
            self._pictures.mapped(made, journal_behind=bool(self._dispatcher.health().trouble))
        return made

    def _keep_scale(self) -> None:
        self._remembered_at = self._clock.now()
        self._memories.put((SCALE, memory_of(self._line.track.scale), Future()))

    def _conditions(self) -> Conditions:
        """What the plant says, as far as the board tells; it faults the station where it must."""
        try:
            status = self._board.status()
        except BoardLost as problem:
            self.fault(str(problem), FaultKind.BOARD)
            return Conditions(gates_shut=True)
        if status.emergency_stop:
            self.fault("the emergency stop is pressed: release it, then reset", FaultKind.EMERGENCY_STOP)
        if status.encoder_fault:
            self.fault("the encoder jumped, ran back or fell silent: check it, then reset", FaultKind.ENCODER)
        if self._camera.is_given_up:
            tried = f"{self._camera.trouble}; it was opened again and again: check it, then reset"
            self.fault(tried, FaultKind.CAMERA)
        for rephased in self._encoder.rephasings():
            self._note_rephased(rephased)
        for what in self._plant.changes(status):
            self._note(EventKind.PLANT, what)
        running = self._latch.state in (State.RUNNING, State.DRAINING)
        self._board.show(PlantOutputs(ready=running, fault=not running))
        return Conditions(
            gates_shut=not running or status.jogging or not status.phase_known, outlets_full=status.outlets_full
        )

    def _note_rephased(self, rephased: Rephased) -> None:
        slip = "it was not known before" if rephased.slip_pulses is None else f"{rephased.slip_pulses:+d} pulses off"
        self._note(
            EventKind.REPHASED,
            f"the index mark says where the chain is ({slip}); what was on the belt is void",
            values={"at_pulse": rephased.at, "by_pulses": rephased.by_pulses},
        )

    def _take(self, result: Step, frame_at: HostNs) -> None:
        if self._maps is not None:
            self._maps.ask(self._to_be_mapped(result.sightings))
        if result.records or result.events:
            self._ledger.decided(result.records)
            if self._pictures is not None:
                self._pictures.decided(result.records, journal_behind=bool(self._dispatcher.health().trouble))
            self._hand_over(Decided(result.records, result.commands, frame_at, result.events, self._clock.now()))

    def _take_events(self, events: list[Event]) -> None:
        self._hand_over(Decided([], [], self._clock.now(), events))

    def _note(self, kind: EventKind, text: str, *, values: dict[str, float | int | str] | None = None) -> None:
        self._take_events([Event(kind=kind, text=text, pulse=self._line.track.belt.pulse, values=values or {})])

    def _hand_over(self, decided: Decided) -> None:
        for event in decided.events:
            self._heard(event)
        try:
            self._waiting.put_nowait(decided)
        except queue.Full:
            raise JournalError(
                f"the journal is {MOST_WAITING} steps behind: check the disk, then restart the station"
            ) from None

    # The keeper thread

    def _run_keeper(self) -> None:
        try:
            while not (self._line_done.is_set() and self._waiting.empty()):
                self._keeper_turned = self._clock.now()
                self._settle(self._batch())
                self._remember()
            self._board.close_all()
            self._hear_of_closing()
            self._dispatcher.finish(threading.Event().wait)
            self._keep_scale()
            self._remember()
        except GraderError as problem:
            self.fault(str(problem), _kind_of(problem), can_reset=False)
            with contextlib.suppress(GraderError):  # what was decided may find room after all
                self._dispatcher.finish(threading.Event().wait)
        except Exception as problem:
            self.fault(f"{type(problem).__name__}: {problem}", can_reset=False)
            raise

    def _hear_of_closing(self) -> None:
        """What closing made of commands that the board had: it says so within a moment, if it is there."""
        deadline = self._clock.now() + int(CLOSING_S * NS_PER_S)
        with contextlib.suppress(BoardLost):
            while self._clock.now() < deadline and (status := self._board.status()).pending + status.gates_open:
                threading.Event().wait(CLOSING_S / 10)

    def _remember(self) -> None:
        """Write down what is to be kept."""
        while not self._memories.empty():
            name, value, done = self._memories.get()
            try:
                self._journal.remember(name, value)
                done.set_result(None)
            except JournalError as problem:  # it is no fruit: nothing is lost that the next time does not bring
                done.set_exception(problem)

    def _settle(self, batch: list[Decided]) -> None:
        now = self._clock.now()
        for decided in batch:
            if decided.records:
                self._ledger.timed("wait", (now - decided.decided_at) / NS_PER_MS)
        try:
            self._dispatcher.settle(batch)
        except BoardLost as problem:  # the decisions are kept; their commands come back as void
            self.fault(str(problem), FaultKind.BOARD)
        self._ledger.answered(self._board.round_trips_ns())

    def _batch(self) -> list[Decided]:
        """What is waiting, or what comes within the batch time."""
        batch: list[Decided] = []
        deadline = self._clock.now() + int(BATCH_S * 1e9)
        while (left_s := (deadline - self._clock.now()) / 1e9) > 0:
            try:
                batch.append(self._waiting.get(timeout=left_s))
            except queue.Empty:
                break
        return batch

    # What is told

    def snapshot(self) -> Snapshot:
        """The station at this moment. Called by one watcher, a few times a second."""
        now = self._raw_snapshot()
        found, changes = self._watch.look(now)
        if changes and not self._line_done.is_set():
            with contextlib.suppress(GraderError):  # the line meets the full queue too, and faults
                self._take_events(changes)
        return found

    def _raw_snapshot(self) -> Snapshot:
        now, line = self._clock.now(), self._settings.installation.line
        status, pulse = self._board_status()
        results, lot = self._ledger.results, lot_at(self._line.lots, 0, pulse // line.pulses_per_cup)
        return Snapshot(
            t_ns=now,
            elapsed_s=(now - self._started) / 1e9,
            state=self._latch.state,
            reason=self._latch.reason,
            pulse=pulse,
            cups_per_s=line.cups_per_second,
            lanes=self._ledger.lanes(now, line.cups_per_second),
            grades=dict(self._ledger.grades),
            outlets=dict(self._ledger.outlets),
            flags=dict(self._ledger.flags),
            fired=results[Result.FIRED],
            late=results[Result.LATE],
            refused=results[Result.REFUSED],
            void=results[Result.VOID],
            frames_dropped=self._camera.dropped,
            board=status,
            latency=self._ledger.latency,
            journal_rows=self._ledger.kept,
            lot=lot.name,
            sheet=lot.sheet.sheet.name if lot.sheet is not None else "",
            journal=self._dispatcher.health(),
            pictures=self._pictures.health() if self._pictures is not None else PicturesHealth(),
            fault=self._latch.kind,
            faulted_s=self._latch.faulted_s(now),
            can_reset=self._latch.can_reset,
            frames=self._ledger.frames,
            frames_lost=self._ledger.frames_lost,
            packets_damaged=self._board.packets_damaged,
            light=self._line.light.share,
            seats_moved_mm=self._line.track.seats.moved_mm,
            misfits=self._line.track.densities.misfits,
            scale=scale_health(self._line.track.scale),
            camera_trouble=self._camera.trouble,
            sensor_trouble=self._sensors.trouble,
            map_trouble=self._maps.trouble if self._maps is not None else "",
            lots_waiting=lanes_waiting(self._line.lots),
            lots=lots_on_belt(
                self._line.lots,
                (pulse - belt_pulses(self._settings)) // line.pulses_per_cup,
                pulse // line.pulses_per_cup,
            ),
        )

    def _board_status(self) -> tuple[BoardStatus | None, Pulse]:
        try:
            return self._board.status(), self._encoder.pulse()
        except BoardLost:
            return None, self._line.track.belt.pulse or Pulse(0)


def _kind_of(problem: GraderError) -> FaultKind:
    """What ends a thread of the station."""
    return FaultKind.JOURNAL if isinstance(problem, JournalError) else FaultKind.OTHER


def belt_pulses(settings: LineSettings) -> int:
    """Pulses from a cup's entry under the camera to the end of the belt: how long draining takes."""
    gates, line = settings.installation.gates, settings.installation.line
    return pulses_from_mm(gates.position_mm(gates.outlets + 1), line.mm_per_pulse) + line.pulses_per_cup
